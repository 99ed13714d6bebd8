#include "diffusion/commands/rerun.h"

#include <iostream>
#include <memory>

#include "base/error.h"
#include "base/file.h"
#include "base/text.h"
#include "diffusion/commands/redraw_flags.h"
#include "diffusion/picture/png.h"
#include "diffusion/program/cli.h"
#include "diffusion/program/ebb_app.h"
#include "diffusion/program/find_model.h"
#include "diffusion/program/input_picture.h"
#include "diffusion/program/output_file.h"
#include "diffusion/program/picture_provenance.h"
#include "weights/digest.h"

namespace ebb {
namespace {

constexpr uint64_t kMaxFileBytes = uint64_t{1} << 30;
constexpr const char* kGoOn = " Use --force to make it again all the same.";

struct Flags {
  std::string picture;
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
         cat(path_label(flags.picture), ": was made with another ", what, ": ", path_label(path),
             " has the SHA-256 ", shortened(found), "..., expected ", shortened(expected), "...."));
}

// The command that the picture records, and whether it can give the same bytes here.
void check(const Flags& flags, const Provenance& provenance) {
  const std::string label = path_label(flags.picture);
  // The command line comes from a file: only commands that write nothing but the picture are run.
  EBB_CHECK(
      provenance.argv.size() >= 2 && is_drawing_command(provenance.argv[1]), FormatError, label,
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
    check_digest(flags, "input", find_input_file(input.path), input.sha256);
  }
}

// Says whether the bytes agree; false when not.
bool compare_files(const Flags& flags, const std::vector<std::byte>& before, bool animation) {
  const std::vector<std::byte> after = read_file(flags.output, kMaxFileBytes);
  const std::string names = cat(path_label(flags.output), ": ");
  if (before == after) {
    std::cout << names << "the same " << after.size() << " bytes as " << path_label(flags.picture)
              << '\n';
    return true;
  }
  const auto pixels = [](const std::vector<std::byte>& file, const std::string& label) {
    return decode_png({reinterpret_cast<const uint8_t*>(file.data()), file.size()}, label);
  };
  const bool same_pixels = !animation && pixels(before, path_label(flags.picture)) ==
                                             pixels(after, path_label(flags.output));
  std::cout << names << "differs from " << path_label(flags.picture)
            << (same_pixels ? " in its text only" : " in its pixels") << '\n';
  return false;
}

void run(const Flags& flags) {
  const PictureFile file = read_picture_file(flags.picture);
  EBB_CHECK(file.provenance, FormatError, path_label(flags.picture),
            ": does not say which ebb command made it. Only pictures that ebb wrote can be made "
            "again.");
  check(flags, *file.provenance);
  check_output_file(flags.output, flags.force ? Overwrite::kReplace : Overwrite::kRefuse);
  const std::vector<std::byte> before = read_file(flags.picture, kMaxFileBytes);
  const RedrawFlags redraw{
      .output = flags.output, .picture = file.provenance->picture, .animation = file.animation};
  const std::vector<std::string>& recorded = file.provenance->argv;
  run_recorded_ebb_or_throw(with_redraw_flags(recorded, redraw), recorded);
  if (!compare_files(flags, before, file.animation)) throw ExitWith(1);
}

}  // namespace

void add_rerun_command(Command program) {
  auto flags = std::make_shared<Flags>();
  Command command =
      program.add_subcommand("rerun", "Make a picture again from what it says about itself");
  command.add_option("picture", flags->picture, "PNG or GIF that ebb wrote").required();
  command.add_option("-o,--output", flags->output, "Where the new picture goes").required();
  command.add_flag("--force", flags->force,
                   "Replace an existing file, and go on when version, model or input differ");
  command.callback([flags] { run(*flags); });
}

}  // namespace ebb
