#include "apps/ebb/ebb_app.h"

#include "apps/cli/cli.h"
#include "apps/ebb/anagram.h"
#include "apps/ebb/blur.h"
#include "apps/ebb/compare.h"
#include "apps/ebb/convert.h"
#include "apps/ebb/denoise.h"
#include "apps/ebb/devices.h"
#include "apps/ebb/edit.h"
#include "apps/ebb/eval.h"
#include "apps/ebb/forward.h"
#include "apps/ebb/hybrid.h"
#include "apps/ebb/info.h"
#include "apps/ebb/inpaint.h"
#include "apps/ebb/inspect.h"
#include "apps/ebb/plot.h"
#include "apps/ebb/report.h"
#include "apps/ebb/rerun.h"
#include "apps/ebb/sample.h"
#include "apps/ebb/test_image.h"

namespace ebb {
namespace {

// `arguments` must outlive the program: commands record them in what they write.
void add_commands(Command program, const std::vector<std::string>& arguments) {
  add_version_flag(program);
  program.require_subcommand();
  add_forward_command(program, arguments);
  add_blur_command(program, arguments);
  add_sample_command(program, arguments);
  add_test_image_command(program, arguments);
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
