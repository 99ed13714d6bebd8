#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/file.h"

namespace ebb {

// "diffusion_pytorch_model.safetensors.index.json" and alike: which file holds which tensor.
struct ShardIndex {
  std::vector<std::string> shards;           // file names, sorted; plain names without directories
  std::map<std::string, size_t> weight_map;  // tensor -> index into `shards`
  std::optional<uint64_t> total_size;        // bytes of the tensors, as the writer counted
};

// FormatError, with `label`, when the text breaks a rule of weights/README.md.
ShardIndex parse_shard_index(std::string_view json, const std::string& label);
ShardIndex read_shard_index(const FileReader& file);

}  // namespace ebb
