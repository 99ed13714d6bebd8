#include "apps/ebb/rerun.h"

#include <iostream>
#include <memory>

#include "apps/cli/animation_file.h"
#include "apps/cli/cli.h"
#include "apps/cli/image_provenance.h"
#include "apps/cli/input_image.h"
#include "apps/ebb/ebb_app.h"
#include "apps/ebb/rerun_flags.h"
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
constexpr const char* kGoOn = " Use --force to make it again all the same.";

struct Flags {
  std::string image;
  std::string output;
  bool force = false;
};

// What stands against equal bytes: an error, or with --force a warning.
void object(const Flags& flags, const std::string& message) {
  EBB_CHECK(flags.force, FormatError, message, kGoOn);
  std::cerr << "warning: " << message << '\n';
}

std::string shortened(const std::string& digest) { return terminal_safe(digest.substr(0, 12)); }

void check_digest(const Flags& flags, const char* what, const std::string& path,
                  const std::string& expected) {
  const std::string found = sha256_hex(FileReader(path));
  if (found == expected) return;
  object(flags,
         cat(path_label(flags.image), ": was made with another ", what, ": ", path_label(path),
             " has the SHA-256 ", shortened(found), "..., expected ", shortened(expected), "...."));
}

// The command that the image records, and whether it can give the same bytes here.
void check(const Flags& flags, const Provenance& provenance) {
  const std::string label = path_label(flags.image);
  // The command line comes from a file: only commands that write nothing but the image are run.
  EBB_CHECK(
      provenance.argv.size() >= 2 && is_sampling_command(provenance.argv[1]), FormatError, label,
      ": was made by ",
      provenance.argv.size() < 2 ? "no command" : cat("ebb ", terminal_safe(provenance.argv[1])),
      ", expected one that draws. Its command line: ebb info.");
  if (provenance.version != program_version()) {
    object(flags, cat(label, ": was made by ebb ", terminal_safe(provenance.version), ", this is ",
                      program_version(), "."));
  }
  if (!provenance.model.empty()) {
    check_digest(flags, "model", find_model(provenance.model), provenance.model_sha256);
  }
  for (const InputFile& input : provenance.inputs) {
    EBB_CHECK(!is_input_stream(input.path), FormatError, label, ": its input came through ",
              path_label(input.path), ", which does not come again. Its command line: ebb info.");
    check_digest(flags, "input", find_input_file(input.path), input.sha256);
  }
}

// Says whether the bytes agree; false when not.
bool compare_files(const Flags& flags, const std::vector<std::byte>& before, bool animation) {
  const std::vector<std::byte> after = read_file(flags.output, kMaxFileBytes);
  const std::string names = cat(path_label(flags.output), ": ");
  if (before == after) {
    std::cout << names << "the same " << after.size() << " bytes as " << path_label(flags.image)
              << '\n';
    return true;
  }
  const auto pixels = [](const std::vector<std::byte>& file, const std::string& label) {
    return decode_png({reinterpret_cast<const uint8_t*>(file.data()), file.size()}, label);
  };
  const bool same_pixels = !animation && pixels(before, path_label(flags.image)) ==
                                             pixels(after, path_label(flags.output));
  std::cout << names << "differs from " << path_label(flags.image)
            << (same_pixels ? " in its text only" : " in its pixels") << '\n';
  return false;
}

void run(const Flags& flags) {
  const ImageBytes bytes(flags.image);
  const ImageFile file = read_image_file(bytes);
  EBB_CHECK(file.provenance, FormatError, path_label(flags.image),
            ": does not say which ebb command made it. Only images that ebb wrote can be made "
            "again.");
  check(flags, *file.provenance);
  EBB_CHECK(!is_output_stream(flags.output), UsageError, "-o ", path_label(flags.output),
            ": is compared with the image, so it must be a file. Name one.");
  const bool is_webp = bytes.kind() == FileKind::kWebp;
  EBB_CHECK(!file.animation || is_webp_name(flags.output) == is_webp, UsageError, "-o ",
            path_label(flags.output), ": the animation is ", is_webp ? "WebP" : "GIF",
            ". Use a name that ", is_webp ? "ends" : "does not end", " in .webp.");
  check_output_file(flags.output, flags.force ? Overwrite::kReplace : Overwrite::kRefuse);
  const std::vector<std::byte> before = read_file(flags.image, kMaxFileBytes);
  const RerunFlags rerun{
      .output = flags.output, .image = file.provenance->image, .animation = file.animation};
  const std::vector<std::string>& recorded = file.provenance->argv;
  run_recorded_ebb_or_throw(with_rerun_flags(recorded, rerun), recorded);
  if (!compare_files(flags, before, file.animation)) throw ExitWith(1);
}

}  // namespace

void add_rerun_command(Command program) {
  auto flags = std::make_shared<Flags>();
  Command command =
      program.add_subcommand("rerun", "Make an image again from what it says about itself");
  command.add_option("picture", flags->image, "PNG, GIF or WebP that ebb wrote").required();
  command.add_option("-o,--output", flags->output, "Where the new image goes").required();
  command.add_flag("--force", flags->force,
                   "Replace an existing file, and go on when version, model or input differ");
  command.callback([flags] { run(*flags); });
}

}  // namespace ebb
