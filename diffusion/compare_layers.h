#pragma once

#include <functional>
#include <string>
#include <vector>

#include "diffusion/model.h"

namespace ebb {

// Distance of a module's output from a reference.
struct LayerComparison {
  std::string name;             // of the module
  std::vector<uint64_t> shape;  // PyTorch's order
  double nmse = 0;              // sum (a - r)^2 / sum r^2; NaN when anything is NaN
  double max_abs_error = 0;     // likewise
};

// Runs the model in inference mode on the reference's inputs, input.<name> in PyTorch's layout (x
// [N, C, H, W], t [N, 1], c [N, classes]), and compares every other tensor of the file with the
// output of the module of that name, in the order in which the network computes them. passes: with
// the optimizations that sampling uses. `after_layer` (may be null) gets how many of how many are
// compared. FormatError when the file does not go with the model.
std::vector<LayerComparison> compare_with_reference(
    Context& context, const Model& model, const std::string& reference, bool passes,
    const std::function<void(int64_t done, int64_t total)>& after_layer = nullptr);

}  // namespace ebb
