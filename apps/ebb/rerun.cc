#include <memory>
#include <ostream>

#include "apps/cli/animation_file.h"
#include "apps/cli/cli.h"
#include "apps/cli/image_provenance.h"
#include "apps/cli/input_image.h"
#include "apps/ebb/commands.h"
#include "base/error.h"
#include "base/file.h"
#include "base/output_file.h"
#include "base/stream.h"
#include "base/text.h"
#include "diffusion/find_model.h"
#include "image/png.h"
#include "weights/digest.h"

namespace ebb {
namespace {

constexpr uint64_t kMaxFileBytes = uint64_t{1} << 30;
constexpr const char* kGoOn = " Use --force to regenerate it anyway.";

struct Flags {
  std::string image;
  std::string output;
  bool force = false;
};

// Reports a reason why the output may differ: an error, or with --force a warning.
void report_difference(const Flags& flags, std::ostream& err, const std::string& message) {
  EBB_CHECK(flags.force, FormatError, message, kGoOn);
  err << "warning: " << message << '\n';
}

std::string shortened(const std::string& digest) { return terminal_safe(digest.substr(0, 12)); }

void check_digest(const Flags& flags, std::ostream& err, const char* what, const std::string& path,
                  const std::string& expected) {
  const std::string found = sha256_hex(FileReader(path));
  if (found == expected) return;
  report_difference(
      flags, err,
      cat(path_label(flags.image), ": was made with another ", what, ": ", path_label(path),
          " has the SHA-256 ", shortened(found), "..., expected ", shortened(expected), "...."));
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
  if (!provenance.model.empty()) {
    check_digest(flags, err, "model", find_model(provenance.model), provenance.model_sha256);
  }
  for (const InputFile& input : provenance.inputs) {
    EBB_CHECK(!is_input_stream(input.path), FormatError, label, ": its input came through ",
              path_label(input.path),
              ", which cannot be read again. `ebb info` shows its command line.");
    check_digest(flags, err, "input", find_input_file(input.path), input.sha256);
  }
}

// Prints whether the bytes agree; false when not.
bool compare_files(const Flags& flags, std::ostream& out, const std::vector<std::byte>& before,
                   bool animation) {
  const std::vector<std::byte> after = read_file(flags.output, kMaxFileBytes);
  const std::string names = cat(path_label(flags.output), ": ");
  if (before == after) {
    out << names << "the same " << after.size() << " bytes as " << path_label(flags.image) << '\n';
    return true;
  }
  const auto pixels = [](const std::vector<std::byte>& file, const std::string& label) {
    return decode_png({reinterpret_cast<const uint8_t*>(file.data()), file.size()}, label);
  };
  const bool same_pixels = !animation && pixels(before, path_label(flags.image)) ==
                                             pixels(after, path_label(flags.output));
  out << names << "differs from " << path_label(flags.image)
      << (same_pixels ? " in its text only" : " in its pixels") << '\n';
  return false;
}

void run(const Flags& flags, const Invocation& invocation) {
  const ImageBytes bytes(flags.image);
  const ImageFile file = read_image_file(bytes);
  EBB_CHECK(file.provenance, FormatError, path_label(flags.image),
            ": does not record an ebb command. Only images that ebb wrote can be "
            "regenerated.");
  check(flags, invocation.err, *file.provenance);
  EBB_CHECK(!is_output_stream(flags.output), UsageError, "-o ", path_label(flags.output),
            ": is compared with the image, so it must be a file. Name one.");
  const bool is_webp = bytes.kind() == FileKind::kWebp;
  EBB_CHECK(!file.animation || is_webp_name(flags.output) == is_webp, UsageError, "-o ",
            path_label(flags.output), ": the animation is ", is_webp ? "WebP" : "GIF",
            ". Use a name that ", is_webp ? "ends" : "does not end", " in .webp.");
  check_output_file(flags.output, flags.force ? Overwrite::kReplace : Overwrite::kRefuse);
  const std::vector<std::byte> before = read_file(flags.image, kMaxFileBytes);
  run_command({.arguments = file.provenance->argv,
               .out = invocation.out,
               .err = invocation.err,
               .shows_progress = invocation.shows_progress,
               .rerun = {.output = flags.output,
                         .image = file.provenance->image,
                         .animation = file.animation,
                         .legacy_key = file.provenance->legacy_key}});
  if (!compare_files(flags, invocation.out, before, file.animation)) throw ExitWith{1};
}

}  // namespace

// `ebb rerun IMAGE -o FILE`: regenerates an image or animation from its metadata.
void add_rerun(Command command, const Invocation& invocation) {
  auto flags = std::make_shared<Flags>();
  command.add_option("image", flags->image, "PNG, GIF or WebP written by ebb").required();
  command.add_option("-o,--output", flags->output, "Output file").required();
  command.add_flag(
      "--force", flags->force,
      "Overwrite an existing file; continue if the version, model, or an input differs");
  command.callback([flags, &invocation] { run(*flags, invocation); });
}

}  // namespace ebb
