#include "apps/ebb/plot.h"

#include <iostream>
#include <memory>

#include "apps/cli/cli.h"
#include "apps/cli/distinct_names.h"
#include "apps/cli/provenance.h"
#include "apps/ebb/rerun_flags.h"
#include "base/error.h"
#include "base/file.h"
#include "base/output_file.h"
#include "base/text.h"
#include "diffusion/find_model.h"
#include "diffusion/model_history.h"
#include "image/plot_image.h"
#include "image/png.h"
#include "weights/digest.h"

namespace ebb {
namespace {

struct Flags {
  std::vector<std::string> models;
  std::string output = "loss.png";
  int64_t width = 1200, height = 750;
  bool force = false;
  RerunFlags rerun;
};

// Each point stands in the middle of the steps it is the mean of.
PlotSeries loss_series(const ModelHistory& record, const std::string& label) {
  EBB_CHECK(!record.losses.empty(), FormatError, path_label(record.path),
            ": carries no loss curve. Use a model that train_mnist wrote.");
  PlotSeries series;
  series.label = label;
  const auto group = static_cast<double>(std::max<int64_t>(record.steps_per_point, 1));
  for (size_t i = 0; i < record.losses.size(); ++i) {
    series.x.push_back((static_cast<double>(i) + 0.5) * group);
    series.y.push_back(record.losses[i]);
  }
  return series;
}

// One model is the image's model; of several, each is a file that was read.
void name_models(const std::vector<std::string>& names, Provenance& provenance) {
  for (const std::string& name : names) {
    const std::string path = find_model(name);
    const std::string digest = sha256_hex(FileReader(path));
    if (names.size() > 1) {
      provenance.inputs.push_back({.path = path, .sha256 = digest});
    } else {
      provenance.model = name;
      provenance.model_sha256 = digest;
    }
  }
}

void run(const Flags& flags, const std::vector<std::string>& arguments) {
  const Overwrite overwrite =
      flags.force || flags.rerun.active() ? Overwrite::kReplace : Overwrite::kRefuse;
  const std::string& path = flags.rerun.active() ? flags.rerun.output : flags.output;
  if (!flags.rerun.active()) check_image_name("-o", path, ".png");
  check_output_file(path, overwrite);
  LossPlot plot;
  plot.title = "training loss";
  std::vector<std::string> paths;
  for (const std::string& name : flags.models) paths.push_back(find_model(name));
  const std::vector<std::string> labels = distinct_names(paths);
  for (size_t i = 0; i < paths.size(); ++i) {
    plot.series.push_back(loss_series(read_model_history(paths[i]), labels[i]));
  }
  const Image image =
      draw_loss_plot(plot, static_cast<int>(flags.width), static_cast<int>(flags.height));
  Provenance provenance;
  provenance.version = program_version();
  provenance.argv = arguments;
  provenance.width = image.width;
  provenance.height = image.height;
  name_models(flags.models, provenance);
  write_png(path, image, to_text_chunks(provenance), overwrite);
  std::cout << path_label(path) << '\n';
}

}  // namespace

void add_plot_command(Command program, const std::vector<std::string>& arguments) {
  auto flags = std::make_shared<Flags>();
  Command command = program.add_subcommand("plot", "Draw the loss curves that model files carry");
  command.add_option("models", flags->models, "Model files, or names of pretrained models")
      .required();
  command.add_option("-o,--output", flags->output, "PNG file").show_default();
  add_integer(command, "--width", flags->width, 400, 8000, "Pixels (1200)");
  add_integer(command, "--height", flags->height, 300, 8000, "Pixels (750)");
  command.add_flag("--force", flags->force, "Replace an existing file");
  add_rerun_flags(command, flags->rerun);
  command.callback([flags, &arguments] { run(*flags, arguments); });
}

}  // namespace ebb
