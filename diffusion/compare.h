#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/precision.h"
#include "diffusion/reference_file.h"
#include "engine/context.h"

namespace ebb {

// Distance of a tensor from a reference.
struct LayerComparison {
  std::string name;             // of the module, or of the state of a sampling run
  std::vector<uint64_t> shape;  // PyTorch's order
  double nmse = 0;              // sum (a - r)^2 / sum r^2; NaN when anything is NaN
  double max_abs_error = 0;     // likewise
  double max_reference = 0;     // the largest |r|
};

// actual: in the engine's layout; reference: in PyTorch's.
LayerComparison compare_tensor(const std::string& name, const Tensor& actual,
                               const std::vector<float>& reference);

// The distance that a tensor may have from its reference, in one measure or both.
struct CompareLimits {
  std::optional<double> nmse = {};
  // The most of max_abs_error, in units of the largest reference value where that is above 1:
  // activations of trained networks may reach 1e10.
  std::optional<double> max_error = {};

  bool accept(const LayerComparison& layer) const;  // never NaN
};

struct CompareRequest {
  std::string model;         // as find_model() takes it
  std::string variant = {};  // as Model::load() takes it
  const ReferenceFile& reference;
  bool passes = true;  // with the optimizations that sampling uses
  // Called with what is done of all there is to do; may be null.
  std::function<void(int64_t done, int64_t total)> on_progress = {};
};

struct Comparison {
  std::vector<LayerComparison> layers;  // in the order in which they are computed
  std::vector<std::string> warnings;    // about the model
};

// One kind of reference: networks and their modules, whole sampling runs. Each has a row in the
// table of compare.cc.
struct ReferenceKind {
  const char* part;  // what is compared, for people: "layer", "state"
  bool (*is_kind)(const ReferenceFile& reference);
  CompareLimits (*limits)(Precision precision);  // what rounding alone stays within
  Comparison (*compare)(Context& context, const CompareRequest& request);
};

// The kind that the inputs of a reference tell.
const ReferenceKind& reference_kind(const ReferenceFile& reference);

}  // namespace ebb
