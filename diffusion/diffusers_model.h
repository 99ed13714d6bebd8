#pragma once

#include <string>

#include "diffusion/model.h"

namespace ebb {

// A model in a directory as diffusers saves it: its unet and its scheduler. Networks of text need
// their conditions given. `variant`: as of find_weight_files(). FormatError names the file and what
// is wrong with it.
Model load_diffusers_model(Context& context, const std::string& directory,
                           const std::string& variant = {});
// Its network and parameters alone, also from the unet's own directory.
Model load_diffusers_unet(Context& context, const std::string& directory,
                          const std::string& variant = {});

// Whether what find_model() returned is such a directory; and its network, without the weights.
bool is_diffusers_model(const std::string& path);
Network diffusers_network(const std::string& directory);

// The SHA-256 of such a model: that of its weights, without loading them.
std::string diffusers_model_sha256(const std::string& directory, const std::string& variant = {});

}  // namespace ebb
