#pragma once

#include <map>
#include <string>

#include "nn/autograd/param_store.h"
#include "weights/safetensors.h"

namespace ebb {

// Checkpoints of training programs: one safetensors file with everything that the parameters of a
// run need to go on bit for bit. Weights and running statistics have their PyTorch names and
// layouts, "ema.", "adam_m." and "adam_v." copies, and the metadata what the program adds and a
// digest.
void save_training_state(const std::string& path, const autograd::ParamStore& params,
                         const std::map<std::string, std::string>& metadata);

// FormatError or IoError when the file is not a complete, undamaged checkpoint.
SafetensorsFile open_checkpoint(const std::string& path);
void check_checkpoint(const std::string& path);

// True when its header says that it is one.
bool is_checkpoint(const std::string& path);

// Metadata of a checkpoint; FormatError where it is missing.
std::string checkpoint_value(const SafetensorsFile& file, const std::string& key);

// FormatError names a tensor that is missing or has another shape.
void load_training_state(const SafetensorsFile& file, const autograd::ParamStore& params);

}  // namespace ebb
