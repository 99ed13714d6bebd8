#pragma once

#include <map>
#include <string>
#include <vector>

#include "diffusion/objective.h"
#include "engine/tensor.h"
#include "nn/network.h"

namespace ebb {

// A trained network as one file: safetensors with tensors in PyTorch's layout and names, and in the
// metadata the network's config, its objective and how it was made. Format: weights/README.md.
struct LoadedModel {
  std::string path = {};    // empty: not from a file
  std::string sha256 = {};  // of the file
  Network network = {};
  Objective objective = {};
  TensorMap params = {};  // the engine's layout
  std::map<std::string, std::string> metadata = {};
  std::vector<std::string> warnings = {};  // about values that are not finite
};

// A model file, or a checkpoint of train_mnist (stored_model.h). FormatError when the file is
// damaged, is no model of ebb or its parts do not fit each other; IoError when it cannot be read.
LoadedModel load_model(Context& context, const std::string& path);

// params: the engine's layout, every parameter of the network. storage: kF32, or kF16 for the
// weights (vectors, such as biases and running statistics, stay f32). extra_metadata:
// "ebb.command", "ebb.seed" and the like. The file appears complete or not at all; IoError as of
// AtomicFile.
void save_model(const std::string& path, const Network& network, const Objective& objective,
                const TensorMap& params, const std::map<std::string, std::string>& extra_metadata,
                DType storage);

}  // namespace ebb
