#include <algorithm>
#include <cmath>
#include <iomanip>
#include <memory>
#include <ostream>

#include "apps/cli/cli.h"
#include "apps/cli/progress.h"
#include "apps/ebb/commands.h"
#include "base/json.h"
#include "base/text.h"
#include "diffusion/compare_layers.h"

namespace ebb {
namespace {

struct Flags {
  std::string model;
  std::string reference;
  double tolerance = 1e-10;
  bool no_passes = false;
  bool json = false;
  ProgressFlag progress;
  DeviceFlags device;
};

// NaN is never within.
bool is_within(const LayerComparison& layer, double tolerance) { return layer.nmse <= tolerance; }

std::string shape_text(const LayerComparison& layer) { return Json(layer.shape).dump(); }

void print_table(std::ostream& out, const std::vector<LayerComparison>& layers, double tolerance) {
  out << std::left << std::setw(20) << "layer" << std::setw(20) << "shape" << std::right
      << std::setw(10) << "NMSE" << std::setw(16) << "largest error" << '\n'
      << std::scientific << std::setprecision(2);
  for (const LayerComparison& layer : layers) {
    out << std::left << std::setw(20) << layer.name << std::setw(20) << shape_text(layer)
        << std::right << std::setw(10) << layer.nmse << std::setw(16) << layer.max_abs_error
        << (is_within(layer, tolerance) ? "" : "  differs") << '\n';
  }
}

void print_json(std::ostream& out, const Flags& flags, const std::vector<LayerComparison>& layers,
                const std::string& first_diverging) {
  Json rows = Json::array();
  for (const LayerComparison& layer : layers) {  // NaN and infinity become null
    rows.push_back({{"name", layer.name},
                    {"shape", layer.shape},
                    {"nmse", layer.nmse},
                    {"max_abs_error", layer.max_abs_error},
                    {"passed", is_within(layer, flags.tolerance)}});
  }
  const Json result = {
      {"model", flags.model},
      {"reference", flags.reference},
      {"tolerance", flags.tolerance},
      {"passed", first_diverging.empty()},
      {"first_diverging", first_diverging.empty() ? Json() : Json(first_diverging)},
      {"layers", rows}};
  out << result.dump(2, ' ', true, Json::error_handler_t::replace) << '\n';
}

void run(const Flags& flags, const Invocation& invocation) {
  Progress progress(invocation.progress.value_or(flags.progress.mode()));
  const auto context = make_context(flags.device);
  const Model model = Model::load(*context, flags.model);
  for (const std::string& warning : model.warnings)
    invocation.err << "warning: " << warning << '\n';
  const std::vector<LayerComparison> layers = compare_with_reference(
      *context, model, flags.reference, !flags.no_passes, [&](int64_t done, int64_t total) {
        if (done == 1) progress.begin(total, {.name = "layer"});
        progress.update(done);
      });
  progress.finish();
  const auto first = std::find_if_not(layers.begin(), layers.end(), [&](const auto& layer) {
    return is_within(layer, flags.tolerance);
  });
  const std::string first_diverging = first == layers.end() ? "" : first->name;
  if (flags.json) {
    print_json(invocation.out, flags, layers, first_diverging);
  } else {
    print_table(invocation.out, layers, flags.tolerance);
    const std::string all =
        layers.size() == 1 ? "the only layer agrees" : cat("all ", layers.size(), " layers agree");
    invocation.out << (first_diverging.empty() ? cat(all, " within NMSE ", flags.tolerance)
                                               : cat("first diverging layer: ", first_diverging))
                   << '\n';
  }
  if (!first_diverging.empty()) throw ExitWith{1};
}

}  // namespace

// `ebb compare MODEL REFERENCE`: finds the first layer where the engine and another implementation
// of the same model part. Exit code 1 when a layer is beyond the tolerance.
void add_compare(Command command, const Invocation& invocation) {
  auto flags = std::make_shared<Flags>();
  command.add_option("model", flags->model, "Model file, or the name of a pretrained model")
      .required()
      .takes(FlagValue::kModel);
  command
      .add_option("reference", flags->reference,
                  "safetensors file of inputs (input.x, ...) and module outputs")
      .required()
      .takes(FlagValue::kWeights);
  add_number(command, "--tolerance", flags->tolerance, 0, 1e10,
             "Largest normalized mean squared error of a layer (1e-10)");
  command.add_flag("--no-passes", flags->no_passes,
                   "Run the network as written, without folding and fusing layers");
  command.add_flag("--json", flags->json, "Print one JSON object instead of a table")
      .group(kOutputGroup);
  add_device_flags(command, flags->device);
  add_progress_flag(command, flags->progress);
  command.callback([flags, &invocation] { run(*flags, invocation); });
}

}  // namespace ebb
