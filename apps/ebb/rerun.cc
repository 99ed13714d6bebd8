#include <algorithm>
#include <memory>
#include <ostream>

#include "apps/cli/animation_file.h"
#include "apps/cli/build_id.h"
#include "apps/cli/cli.h"
#include "apps/cli/image_provenance.h"
#include "apps/cli/input_image.h"
#include "apps/cli/results.h"
#include "apps/ebb/commands.h"
#include "apps/ebb/sample_flags.h"
#include "base/error.h"
#include "base/file.h"
#include "base/output_file.h"
#include "base/stream.h"
#include "base/text.h"
#include "diffusion/find_model.h"
#include "diffusion/model.h"
#include "weights/digest.h"

namespace ebb {
namespace {

constexpr const char* kGoOn = " Use --force to regenerate it anyway.";

struct Flags {
  std::string image;
  std::string output;
  bool force = false;
  bool json = false;
  ProgressFlag progress;
};

// Reports a reason why the output may differ: an error, or with --force a warning.
void report_difference(const Flags& flags, std::ostream& err, const std::string& message) {
  EBB_CHECK(flags.force, FormatError, message, kGoOn);
  err << "warning: " << message << '\n';
}

std::string shortened(const std::string& digest) { return terminal_safe(digest.substr(0, 12)); }

void check_digest(const Flags& flags, std::ostream& err, const char* what, const std::string& path,
                  const std::string& found, const std::string& expected) {
  if (found == expected) return;
  report_difference(
      flags, err,
      cat(path_label(flags.image), ": was made with another ", what, ": ", path_label(path),
          " has the SHA-256 ", shortened(found), "..., expected ", shortened(expected), "...."));
}

// Another build of the same version should draw the same pixels, but nobody can promise it.
void remark_on_build(const Flags& flags, std::ostream& err, const Provenance& provenance) {
  const std::string here = build_commit();
  if (provenance.build.empty() || here.empty() || provenance.build == here) return;
  err << "warning: " << path_label(flags.image) << ": was made by build "
      << terminal_safe(provenance.build) << ", this is " << here
      << ". The text of the new file names this build; its pixels may differ.\n";
}

// The value of --variant; empty when it was not given.
std::string variant_of(const std::vector<std::string>& argv) {
  const std::string flag = "--variant";
  for (size_t i = 0; i < argv.size(); ++i) {
    if (argv[i] == flag && i + 1 < argv.size()) return argv[i + 1];
    if (argv[i].starts_with(flag + "=")) return argv[i].substr(flag.size() + 1);
  }
  return "";
}

// Checks that the recorded command can be run and should give the same bytes here.
void check(const Flags& flags, std::ostream& err, const Provenance& provenance) {
  const std::string label = path_label(flags.image);
  // The command line comes from a file: run only commands that write nothing but images.
  const bool has_command = provenance.argv.size() >= 2;
  const CommandInfo* command = has_command ? find_command(provenance.argv[1]) : nullptr;
  EBB_CHECK(command != nullptr && command->replayable, FormatError, label, ": was made by ",
            has_command ? cat("ebb ", terminal_safe(provenance.argv[1])) : "no command",
            ", expected a command that generates images. `ebb info` shows its command line.");
  if (provenance.version != program_version()) {
    report_difference(flags, err,
                      cat(label, ": was made by ebb ", terminal_safe(provenance.version),
                          ", this is ", program_version(), "."));
  }
  remark_on_build(flags, err, provenance);
  if (!provenance.model.empty()) {
    const std::string path = find_model(provenance.model);
    check_digest(flags, err, "model", path, model_sha256(path, variant_of(provenance.argv)),
                 provenance.model_sha256);
  }
  for (const InputFile& input : provenance.inputs) {
    EBB_CHECK(!is_input_stream(input.path), FormatError, label, ": its input came through ",
              path_label(input.path),
              ", which cannot be read again. `ebb info` shows its command line.");
    const std::string path = find_input_file(input.path);
    check_digest(flags, err, "input", path, sha256_hex(FileReader(path)), input.sha256);
  }
}

// The file that was written against the one that was given.
struct Comparison {
  bool same_bytes = false;
  bool same_pixels = false;
};

Comparison compare_files(const ImageBytes& before, const ImageBytes& after, bool animation) {
  if (std::ranges::equal(before.bytes(), after.bytes())) return {true, true};
  const bool same = animation ? bytes_without_provenance(before) == bytes_without_provenance(after)
                              : decode_image(before) == decode_image(after);
  return {false, same};
}

void print(std::ostream& out, const Flags& flags, const Comparison& comparison, size_t bytes) {
  const std::string image = path_label(flags.image);
  out << path_label(flags.output) << ": ";
  if (comparison.same_bytes) {
    out << "the same " << bytes << " bytes as " << image << '\n';
  } else if (comparison.same_pixels) {
    out << "the same pixels as " << image << "; the text about how it was made differs\n";
  } else {
    out << "differs from " << image << " in its pixels\n";
  }
}

void run(const Flags& flags, const Invocation& invocation) {
  Results results(invocation.out, flags.json);
  const ProgressMode progress = flags.progress.mode();
  const ImageBytes bytes(flags.image);
  const ImageFile file = read_image_file(bytes);
  EBB_CHECK(file.provenance, FormatError, path_label(flags.image),
            ": does not record an ebb command: written with --no-metadata, by another program, or "
            "stripped of it since. Only images that carry their command can be regenerated.");
  check(flags, invocation.err, *file.provenance);
  EBB_CHECK(!is_output_stream(flags.output), UsageError, "-o ", path_label(flags.output),
            ": is compared with the image, so it must be a file. Name one.");
  const bool is_webp = bytes.kind() == FileKind::kWebp;
  EBB_CHECK(!file.animation || is_webp_name(flags.output) == is_webp, UsageError, "-o ",
            path_label(flags.output), ": the animation is ", is_webp ? "WebP" : "GIF",
            ". Use a name that ", is_webp ? "ends" : "does not end", " in .webp.");
  check_output_file(flags.output, flags.force ? Overwrite::kReplace : Overwrite::kRefuse);
  run_command({.arguments = file.provenance->argv,
               .out = results.text(),
               .err = invocation.err,
               .progress = progress,
               .rerun = {.output = flags.output,
                         .image = file.provenance->image,
                         .animation = file.animation,
                         .moves = file.provenance->animation,
                         .legacy_key = file.provenance->legacy_key,
                         .early = file.provenance->scale == 0}});
  const ImageBytes after(flags.output);
  const Comparison comparison = compare_files(bytes, after, file.animation);
  print(results.text(), flags, comparison, after.bytes().size());
  results.set_command(*file.provenance);
  results.set("image", flags.image);
  results.set("same_bytes", comparison.same_bytes);
  results.set("same_pixels", comparison.same_pixels);
  results.add_file(flags.output, file.animation ? "animation" : "image");
  results.print();
  if (!comparison.same_pixels) throw ExitWith{1};
}

}  // namespace

// `ebb rerun IMAGE -o FILE`: regenerates an image or animation from its metadata.
void add_rerun(Command command, const Invocation& invocation) {
  auto flags = std::make_shared<Flags>();
  command.add_option("image", flags->image, "PNG, GIF or WebP written by ebb")
      .required()
      .takes(FlagValue::kImage);
  command.add_option("-o,--output", flags->output, "Output file")
      .required()
      .takes(FlagValue::kFile)
      .group(kOutputGroup);
  command.add_flag(
      "--force", flags->force,
      "Overwrite an existing file; continue if the version, model, or an input differs");
  add_json_flag(command, flags->json);
  add_progress_flag(command, flags->progress);
  command.callback([flags, &invocation] { run(*flags, invocation); });
}

}  // namespace ebb
