#include "apps/ebb/test_image.h"

#include <iostream>
#include <memory>

#include "apps/cli/cli.h"
#include "apps/cli/provenance.h"
#include "apps/ebb/rerun_flags.h"
#include "base/output_file.h"
#include "base/text.h"
#include "image/png.h"
#include "image/test_images.h"

namespace ebb {
namespace {

struct Flags {
  std::string name;
  std::string output;  // empty: <name>.png
  bool force = false;
  RerunFlags rerun;
};

void run(const Flags& flags, const std::vector<std::string>& arguments) {
  Provenance provenance;
  provenance.version = program_version();
  provenance.argv = arguments;
  provenance.width = provenance.height = kTestImageSide;
  const std::string path = flags.rerun.active()   ? flags.rerun.output
                           : flags.output.empty() ? flags.name + ".png"
                                                  : flags.output;
  if (!flags.rerun.active()) check_image_name("-o", path, ".png");
  write_png(path, draw_test_image(flags.name), to_text_chunks(provenance),
            flags.force || flags.rerun.active() ? Overwrite::kReplace : Overwrite::kRefuse);
  std::cout << path_label(path) << '\n';
}

}  // namespace

void add_test_image_command(Command program, const std::vector<std::string>& arguments) {
  auto flags = std::make_shared<Flags>();
  Command command =
      program.add_subcommand("draw", "Draw an image to try edit, inpaint and the others on");
  add_choice(command, "name", flags->name, test_image_names(), "What to draw").required();
  command.add_option("-o,--output", flags->output, "PNG file (the drawing's name)");
  command.add_flag("--force", flags->force, "Replace an existing file");
  add_rerun_flags(command, flags->rerun);
  command.callback([flags, &arguments] { run(*flags, arguments); });
}

}  // namespace ebb
