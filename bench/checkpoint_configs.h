#pragma once

#include <string>
#include <vector>

namespace ebb {

// The network of a published checkpoint, without its weights: what bench_unet --config names.
struct CheckpointConfig {
  std::string name;
  std::string json;              // config.json
  double gmacs;                  // 1e9 multiply-adds of one image at the published size
  int64_t text_rows;             // of a prompt; 0: reads no text
  bool stores_half;              // published in f16
  std::vector<int64_t> batches;  // images of a step
};

std::vector<CheckpointConfig> checkpoint_configs();
// UsageError lists the names for one that is not among them.
CheckpointConfig checkpoint_config(const std::string& name);

}  // namespace ebb
