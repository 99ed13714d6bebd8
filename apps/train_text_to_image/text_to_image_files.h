#pragma once

#include <string>

#include "base/dtype.h"
#include "diffusion/model.h"
#include "nn/network.h"

namespace ebb {

// The UNet that config.json of unet_config() describes, with the keys of ebb's own that such a file
// lacks.
Network text_to_image_unet(const std::string& config, int64_t stage, int64_t tokens);

// A model with these weights, in the engine's layout.
Model text_to_image_model(const Network& unet, int64_t stage, TensorMap weights);

// Writes unet/, scheduler/ and model_index.json as diffusers does, of a second stage also
// image_noising_scheduler/. storage: of the weights, kF32 or kF16.
void write_diffusers_model(const std::string& directory, const Model& model,
                           const std::string& config, DType storage);

}  // namespace ebb
