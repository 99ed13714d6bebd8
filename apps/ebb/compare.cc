#include "diffusion/compare.h"

#include <algorithm>
#include <iomanip>
#include <memory>
#include <optional>
#include <ostream>

#include "apps/cli/cli.h"
#include "apps/cli/progress.h"
#include "apps/ebb/commands.h"
#include "apps/ebb/sample_flags.h"
#include "base/json.h"
#include "base/text.h"

namespace ebb {
namespace {

struct Flags {
  std::string model;
  std::string reference;
  std::string variant;
  std::optional<double> tolerance, max_error;
  bool no_passes = false;
  bool json = false;
  ProgressFlag progress;
  DeviceFlags device;
};

// Those of the flags, else those of the kind.
CompareLimits limits_of(const Flags& flags, const ReferenceKind& kind) {
  const CompareLimits given{.nmse = flags.tolerance, .max_error = flags.max_error};
  return given.nmse || given.max_error ? given : kind.limits(flags.device.precision());
}

std::string text_of(const CompareLimits& limits) {
  std::string text;
  if (limits.nmse) text = cat("NMSE ", *limits.nmse);
  if (limits.max_error) text += cat(text.empty() ? "" : " and ", "error ", *limits.max_error);
  return text;
}

void print_table(std::ostream& out, const std::vector<LayerComparison>& layers,
                 const ReferenceKind& kind, const CompareLimits& limits) {
  constexpr size_t kLeast = 18, kGap = 2;
  size_t name = kLeast, shape = kLeast;
  for (const LayerComparison& layer : layers) {
    name = std::max(name, layer.name.size());
    shape = std::max(shape, Json(layer.shape).dump().size());
  }
  const auto left = [&](size_t width) {
    out << std::left << std::setw(static_cast<int>(width + kGap));
  };
  left(name);
  out << kind.part;
  left(shape);
  out << "shape" << std::right << std::setw(10) << "NMSE" << std::setw(16) << "largest error"
      << std::setw(16) << "largest value" << '\n'
      << std::scientific << std::setprecision(2);
  for (const LayerComparison& layer : layers) {
    left(name);
    out << layer.name;
    left(shape);
    out << Json(layer.shape).dump() << std::right << std::setw(10) << layer.nmse << std::setw(16)
        << layer.max_abs_error << std::setw(16) << layer.max_reference
        << (limits.accept(layer) ? "" : "  differs") << '\n';
  }
}

void print_json(std::ostream& out, const Flags& flags, const std::vector<LayerComparison>& layers,
                const CompareLimits& limits, const std::string& first_diverging) {
  Json rows = Json::array();
  for (const LayerComparison& layer : layers) {  // NaN and infinity become null
    rows.push_back({{"name", layer.name},
                    {"shape", layer.shape},
                    {"nmse", layer.nmse},
                    {"max_abs_error", layer.max_abs_error},
                    {"max_reference", layer.max_reference},
                    {"passed", limits.accept(layer)}});
  }
  const auto number = [](const std::optional<double>& limit) {
    return limit ? Json(*limit) : Json();
  };
  const Json result = {
      {"model", flags.model},
      {"reference", flags.reference},
      {"tolerance", number(limits.nmse)},
      {"max_error", number(limits.max_error)},
      {"passed", first_diverging.empty()},
      {"first_diverging", first_diverging.empty() ? Json() : Json(first_diverging)},
      {"layers", rows}};
  out << result.dump(2, ' ', true, Json::error_handler_t::replace) << '\n';
}

Comparison compare(const Flags& flags, const ReferenceFile& reference, const ReferenceKind& kind,
                   ProgressMode mode) {
  Progress progress(mode);
  const auto context = make_context(flags.device);
  bool has_begun = false;
  const auto on_progress = [&](int64_t done, int64_t total) {
    if (!has_begun) progress.begin(total, {.name = kind.part});
    has_begun = true;
    progress.update(done);
  };
  Comparison comparison = kind.compare(*context, {.model = flags.model,
                                                  .variant = flags.variant,
                                                  .reference = reference,
                                                  .passes = !flags.no_passes,
                                                  .on_progress = on_progress});
  if (has_begun) progress.finish();
  return comparison;
}

void run(const Flags& flags, const Invocation& invocation) {
  const ReferenceFile reference(flags.reference);
  const ReferenceKind& kind = reference_kind(reference);
  const CompareLimits limits = limits_of(flags, kind);
  const Comparison comparison =
      compare(flags, reference, kind, invocation.progress.value_or(flags.progress.mode()));
  for (const std::string& warning : comparison.warnings)
    invocation.err << "warning: " << warning << '\n';
  const std::vector<LayerComparison>& layers = comparison.layers;
  const auto first = std::find_if_not(layers.begin(), layers.end(),
                                      [&](const auto& layer) { return limits.accept(layer); });
  const std::string first_diverging = first == layers.end() ? "" : first->name;
  if (flags.json) {
    print_json(invocation.out, flags, layers, limits, first_diverging);
  } else {
    print_table(invocation.out, layers, kind, limits);
    const std::string all = layers.size() == 1
                                ? cat("the only ", kind.part, " agrees")
                                : cat("all ", layers.size(), " ", kind.part, "s agree");
    invocation.out << (first_diverging.empty()
                           ? cat(all, " within ", text_of(limits))
                           : cat("first diverging ", kind.part, ": ", first_diverging))
                   << '\n';
  }
  if (!first_diverging.empty()) throw ExitWith{1};
}

}  // namespace

// `ebb compare MODEL REFERENCE`: finds the first layer, or state of a sampling run, where the
// engine and another implementation of the same model part. Exit code 1 when one is beyond the
// limits.
void add_compare(Command command, const Invocation& invocation) {
  auto flags = std::make_shared<Flags>();
  command.add_option("model", flags->model, "Model: a file, a directory of diffusers, or a name")
      .required()
      .takes(FlagValue::kModel);
  command
      .add_option("reference", flags->reference,
                  "safetensors file of inputs (input.sample, ...) and what another program made of "
                  "them")
      .required()
      .takes(FlagValue::kWeights);
  add_variant_flag(command, flags->variant);
  constexpr double kMost = 1e10;
  add_number(command, "--tolerance", flags->tolerance, 0, kMost,
             "Largest normalized mean squared error (by kind and precision; ebb's networks 1e-10)");
  add_number(command, "--max-error", flags->max_error, 0, kMost,
             "Largest error, of the largest value where that is above 1 (diffusers' networks and "
             "sampling runs 1e-4; tf32 0.005; 16 bits 0.02)");
  command.add_flag("--no-passes", flags->no_passes,
                   "Run the network as written, without folding and fusing layers");
  command.add_flag("--json", flags->json, "Print one JSON object instead of a table")
      .group(kOutputGroup);
  add_device_flags(command, flags->device);
  add_progress_flag(command, flags->progress);
  command.callback([flags, &invocation] { run(*flags, invocation); });
}

}  // namespace ebb
