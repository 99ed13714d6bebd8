#pragma once

#include <string>

#include "diffusion/model.h"

namespace ebb {

// A model in a directory as diffusers saves it: its unet and its scheduler. Networks of text need
// their conditions given. FormatError names the file and what is wrong with it.
Model load_diffusers_model(Context& context, const std::string& directory);

// The SHA-256 that Model::load() gives a model of this path: a file's own, or that of a directory's
// weights.
std::string model_sha256(const std::string& path);

}  // namespace ebb
