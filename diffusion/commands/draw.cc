#include "diffusion/commands/draw.h"

#include <iostream>
#include <memory>

#include "base/text.h"
#include "diffusion/commands/redraw_flags.h"
#include "diffusion/picture/png.h"
#include "diffusion/program/cli.h"
#include "diffusion/program/output_file.h"
#include "diffusion/program/provenance.h"
#include "diffusion/report/drawings.h"

namespace ebb {
namespace {

struct Flags {
  std::string name;
  std::string output;  // empty: <name>.png
  bool force = false;
  RedrawFlags redraw;
};

void run(const Flags& flags, const std::vector<std::string>& arguments) {
  Provenance provenance;
  provenance.version = program_version();
  provenance.argv = arguments;
  provenance.width = provenance.height = kDrawingSide;
  const std::string path = flags.redraw.active()  ? flags.redraw.output
                           : flags.output.empty() ? flags.name + ".png"
                                                  : flags.output;
  if (!flags.redraw.active()) check_picture_name("-o", path, ".png");
  write_png(path, draw_picture(flags.name), to_text_chunks(provenance),
            flags.force || flags.redraw.active() ? Overwrite::kReplace : Overwrite::kRefuse);
  std::cout << path_label(path) << '\n';
}

}  // namespace

void add_draw_command(Command program, const std::vector<std::string>& arguments) {
  auto flags = std::make_shared<Flags>();
  Command command =
      program.add_subcommand("draw", "Draw a picture to try edit, inpaint and the others on");
  add_choice(command, "name", flags->name, drawing_names(), "What to draw").required();
  command.add_option("-o,--output", flags->output, "PNG file (the drawing's name)");
  command.add_flag("--force", flags->force, "Replace an existing file");
  add_redraw_flags(command, flags->redraw);
  command.callback([flags, &arguments] { run(*flags, arguments); });
}

}  // namespace ebb
