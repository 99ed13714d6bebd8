#include "apps/ebb/compare.h"

#include <algorithm>
#include <cmath>
#include <iomanip>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "apps/cli/cli.h"
#include "base/text.h"
#include "diffusion/compare_layers.h"
#include "diffusion/find_model.h"

namespace ebb {
namespace {

using Json = nlohmann::ordered_json;

struct Flags {
  std::string model;
  std::string reference;
  double tolerance = 1e-10;
  bool no_passes = false;
  bool json = false;
  DeviceFlags device;
};

// NaN is never within.
bool is_within(const LayerComparison& layer, double tolerance) { return layer.nmse <= tolerance; }

std::string shape_text(const LayerComparison& layer) { return Json(layer.shape).dump(); }

void print_table(const std::vector<LayerComparison>& layers, double tolerance) {
  std::cout << std::left << std::setw(20) << "layer" << std::setw(20) << "shape" << std::right
            << std::setw(10) << "NMSE" << std::setw(16) << "largest error" << '\n'
            << std::scientific << std::setprecision(2);
  for (const LayerComparison& layer : layers) {
    std::cout << std::left << std::setw(20) << layer.name << std::setw(20) << shape_text(layer)
              << std::right << std::setw(10) << layer.nmse << std::setw(16) << layer.max_abs_error
              << (is_within(layer, tolerance) ? "" : "  differs") << '\n';
  }
}

void print_json(const Flags& flags, const std::vector<LayerComparison>& layers,
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
  std::cout << result.dump(2, ' ', true, Json::error_handler_t::replace) << '\n';
}

void run(const Flags& flags) {
  const auto context = make_context(flags.device);
  const LoadedModel model = load_model(*context, find_model(flags.model));
  for (const std::string& warning : model.warnings) std::cerr << "warning: " << warning << '\n';
  const std::vector<LayerComparison> layers =
      compare_with_reference(*context, model, flags.reference, !flags.no_passes);
  const auto first = std::find_if_not(layers.begin(), layers.end(), [&](const auto& layer) {
    return is_within(layer, flags.tolerance);
  });
  const std::string first_diverging = first == layers.end() ? "" : first->name;
  if (flags.json) {
    print_json(flags, layers, first_diverging);
  } else {
    print_table(layers, flags.tolerance);
    std::cout << (first_diverging.empty()
                      ? cat("all ", layers.size(), " layers agree within NMSE ", flags.tolerance)
                      : cat("first diverging layer: ", first_diverging))
              << '\n';
  }
  if (!first_diverging.empty()) throw ExitWith(1);
}

}  // namespace

void add_compare_command(Command program) {
  auto flags = std::make_shared<Flags>();
  Command command = program.add_subcommand(
      "compare", "Compare a model layer by layer with what another implementation computed");
  command.add_option("model", flags->model, "Model file, or the name of a pretrained model")
      .required();
  command
      .add_option("reference", flags->reference,
                  "safetensors file of inputs (input.x, ...) and module outputs")
      .required();
  add_number(command, "--tolerance", flags->tolerance, 0, 1e10,
             "Largest normalized mean squared error of a layer (1e-10)");
  command.add_flag("--no-passes", flags->no_passes,
                   "Run the network as written, without folding and fusing layers");
  command.add_flag("--json", flags->json, "Print one JSON object instead of a table");
  add_device_flags(command, flags->device);
  command.callback([flags] { run(*flags); });
}

}  // namespace ebb
