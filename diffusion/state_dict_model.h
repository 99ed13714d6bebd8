#pragma once

#include <map>
#include <string>
#include <vector>

#include "diffusion/model.h"

namespace ebb {

// The assignment's networks, as `ebb convert --as` names them.
inline constexpr const char* kStateDictNetworks[] = {"mnist-denoiser", "mnist-time", "mnist-class"};

struct StateDictOptions {
  std::string network = {};    // one of kStateDictNetworks
  int64_t hidden = 0;          // D; 0: the width of the first convolution
  std::string objective = {};  // "ddpm" or "flow"; empty: ddpm, which mnist-denoiser does without
  // Concatenations have the decoder's channels first; ebb's have those of the skip connection.
  bool decoder_first = false;
  std::map<std::string, std::string> modules = {};  // of the file -> of the network
};

struct StateDictModel {
  Model model;
  std::vector<std::string> notes;  // how it was matched, and what the file does not say: lines
};

// The state_dict of one of the assignment's networks under any names (state_dict_match.h), written
// by PyTorch or as safetensors. FormatError when its layers are those of no such network.
StateDictModel load_state_dict(Context& context, const std::string& path,
                               const StateDictOptions& options);

}  // namespace ebb
