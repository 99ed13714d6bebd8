#include "diffusion/ebb_app.h"

#include "diffusion/cli.h"
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

namespace ebb {
namespace {

// `arguments` must outlive the app: commands record them in what they write.
void add_commands(CLI::App& app, const std::vector<std::string>& arguments) {
  add_version_flag(app);
  app.require_subcommand(1);
  add_forward_command(app, arguments);
  add_blur_command(app, arguments);
  add_sample_command(app, arguments);
  add_draw_command(app, arguments);
  add_plot_command(app, arguments);
  add_report_command(app);
  add_eval_command(app);
  add_denoise_command(app, arguments);
  add_edit_command(app, arguments);
  add_inpaint_command(app, arguments);
  add_anagram_command(app, arguments);
  add_hybrid_command(app, arguments);
  add_compare_command(app);
  add_inspect_command(app);
  add_info_command(app);
  add_rerun_command(app);
  add_convert_command(app);
  add_devices_command(app);
}

}  // namespace

int run_ebb(const std::vector<std::string>& arguments) {
  CLI::App app("Diffusion models from the command line.", "ebb");
  add_commands(app, arguments);
  return run_program(app, arguments);
}

void run_ebb_or_throw(const std::vector<std::string>& arguments) {
  run_recorded_ebb_or_throw(arguments, arguments);
}

void run_recorded_ebb_or_throw(const std::vector<std::string>& arguments,
                               const std::vector<std::string>& recorded) {
  CLI::App app("Diffusion models from the command line.", "ebb");
  add_commands(app, recorded);
  run_program_or_throw(app, arguments);
}

}  // namespace ebb
