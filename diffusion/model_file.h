#pragma once

#include <map>
#include <string>

#include "diffusion/objective.h"
#include "engine/tensor.h"
#include "nn/network.h"

namespace ebb {

// Keys of a model file's metadata, and the version of the format (weights/README.md).
inline constexpr const char* kFormatKey = "ebb.format";
inline constexpr const char* kFormatVersion = "1";
inline constexpr const char* kModelKey = "ebb.model";
inline constexpr const char* kObjectiveKey = "ebb.objective";

// Writes a trained network as one file: safetensors with tensors in PyTorch's layout and names, and
// in the metadata the network's config, its objective and how it was made.
// params: the engine's layout, every parameter of the network. storage: kF32, or kF16 for the
// weights (vectors, such as biases and running statistics, stay f32). extra_metadata:
// "ebb.command", "ebb.seed" and the like. The file appears complete or not at all; IoError as of
// AtomicFile.
void save_model(const std::string& path, const Network& network, const Objective& objective,
                const TensorMap& params, const std::map<std::string, std::string>& extra_metadata,
                DType storage);

}  // namespace ebb
