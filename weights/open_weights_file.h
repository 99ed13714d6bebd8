#pragma once

#include <memory>
#include <string>

#include "weights/weight_source.h"

namespace ebb {

// As open_weights() for one file that holds tensors: safetensors or of torch.save(). For a shard.
std::unique_ptr<WeightSource> open_weights_file(const std::string& path, const LoadLimits& limits);

// By its contents, or by its name where they say nothing ("weights.pth").
bool is_torch_file(const std::string& path);
// By its name: a JSON file that should list shards.
bool is_shard_index(const std::string& path);

}  // namespace ebb
