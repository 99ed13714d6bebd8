#include "diffusion/program/ebb_app.h"

#include "diffusion/commands/anagram.h"
#include "diffusion/commands/blur.h"
#include "diffusion/commands/compare.h"
#include "diffusion/commands/convert.h"
#include "diffusion/commands/denoise.h"
#include "diffusion/commands/devices.h"
#include "diffusion/commands/draw.h"
#include "diffusion/commands/edit.h"
#include "diffusion/commands/eval.h"
#include "diffusion/commands/forward.h"
#include "diffusion/commands/hybrid.h"
#include "diffusion/commands/info.h"
#include "diffusion/commands/inpaint.h"
#include "diffusion/commands/inspect.h"
#include "diffusion/commands/plot.h"
#include "diffusion/commands/report.h"
#include "diffusion/commands/rerun.h"
#include "diffusion/commands/sample.h"
#include "diffusion/program/cli.h"

namespace ebb {
namespace {

// `arguments` must outlive the program: commands record them in what they write.
void add_commands(Command program, const std::vector<std::string>& arguments) {
  add_version_flag(program);
  program.require_subcommand();
  add_forward_command(program, arguments);
  add_blur_command(program, arguments);
  add_sample_command(program, arguments);
  add_draw_command(program, arguments);
  add_plot_command(program, arguments);
  add_report_command(program);
  add_eval_command(program);
  add_denoise_command(program, arguments);
  add_edit_command(program, arguments);
  add_inpaint_command(program, arguments);
  add_anagram_command(program, arguments);
  add_hybrid_command(program, arguments);
  add_compare_command(program);
  add_inspect_command(program);
  add_info_command(program);
  add_rerun_command(program);
  add_convert_command(program);
  add_devices_command(program);
}

}  // namespace

int run_ebb(const std::vector<std::string>& arguments) {
  Program program("Diffusion models from the command line.", "ebb");
  add_commands(program, arguments);
  return run_program(program, arguments);
}

void run_ebb_or_throw(const std::vector<std::string>& arguments) {
  run_recorded_ebb_or_throw(arguments, arguments);
}

void run_recorded_ebb_or_throw(const std::vector<std::string>& arguments,
                               const std::vector<std::string>& recorded) {
  Program program("Diffusion models from the command line.", "ebb");
  add_commands(program, recorded);
  run_program_or_throw(program, arguments);
}

}  // namespace ebb
