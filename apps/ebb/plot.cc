#include <memory>
#include <ostream>

#include "apps/cli/build_id.h"
#include "apps/cli/canonical_command.h"
#include "apps/cli/cli.h"
#include "apps/cli/distinct_names.h"
#include "apps/cli/provenance.h"
#include "apps/cli/results.h"
#include "apps/ebb/commands.h"
#include "apps/ebb/sample_flags.h"
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
  bool no_metadata = false;
  bool json = false;
};

// Each point is at the middle of the steps that it averages.
PlotSeries loss_series(const ModelHistory& record, const std::string& label) {
  EBB_CHECK(!record.losses.empty(), FormatError, path_label(record.path),
            ": contains no loss curve. Use a model written by train_mnist.");
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

void run(const Flags& flags, const Invocation& invocation) {
  const RerunTarget& rerun = invocation.rerun;
  Results results(invocation.out, flags.json);
  const Overwrite overwrite =
      flags.force || rerun.active() ? Overwrite::kReplace : Overwrite::kRefuse;
  const std::string& path = rerun.active() ? rerun.output : flags.output;
  if (!rerun.active()) check_image_name("-o", path, ".png");
  results.check_output("-o", path);
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
  provenance.build = build_commit();
  provenance.argv = canonical_command(invocation.arguments);
  provenance.legacy_key = rerun.legacy_key;
  provenance.width = image.width;
  provenance.height = image.height;
  name_models(flags.models, provenance);
  write_png(path, image, flags.no_metadata ? TextChunks{} : to_text_chunks(provenance), overwrite);
  results.text() << path_label(path) << '\n';
  results.set_command(provenance);
  results.add_image(path, "plot", image.width, image.height, provenance);
  results.print();
}

}  // namespace

// `ebb plot MODEL... -o FILE`: the loss curves that model files carry.
void add_plot(Command command, const Invocation& invocation) {
  auto flags = std::make_shared<Flags>();
  command.add_option("models", flags->models, "Model files, or names of pretrained models")
      .required()
      .takes(FlagValue::kModel);
  command.add_option("-o,--output", flags->output, "PNG file")
      .show_default()
      .takes(FlagValue::kFile)
      .group(kOutputGroup);
  add_integer(command, "--width", flags->width, 400, 8000, "Width in pixels (1200)");
  add_integer(command, "--height", flags->height, 300, 8000, "Height in pixels (750)");
  command.add_flag("--force", flags->force, "Overwrite an existing file").group(kOutputGroup);
  add_no_metadata_flag(command, flags->no_metadata);
  add_json_flag(command, flags->json);
  command.callback([flags, &invocation] { run(*flags, invocation); });
}

}  // namespace ebb
