#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "nn/param.h"

namespace ebb {

// A tensor of a PyTorch state dict that is read when it is wanted.
struct TorchTensor {
  std::vector<uint64_t> shape;
  std::function<void(std::span<float> values)> read;  // fills all elements, row-major
};

// Gives every parameter its tensor, in the engine's layout on the context's device. Names and
// shapes must match exactly, except that "*.num_batches_tracked", BatchNorm's unused counters, may
// be present. Otherwise one FormatError, naming `where` (the file), lists all missing, unexpected
// and mis-shaped tensors before anything is read.
TensorMap bind_params(Context& context, const std::vector<ParamSpec>& specs,
                      const std::map<std::string, TorchTensor>& tensors, const std::string& where);

}  // namespace ebb
