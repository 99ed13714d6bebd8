#pragma once

#include <string>
#include <string_view>

#include "nn/network.h"
#include "nn/unet_layout.h"

namespace ebb {

// diffusers' UNet2DModel (DDPM, the models of its training example, consistency models) and its
// UNet2DConditionModel as DeepFloyd IF has it. Inputs by the names that diffusers gives them:
//   sample [N, H, W, C], image [N, H, W, low_res_channels] where there are some, timestep [N],
//   encoder_hidden_states [N, R, S] and class_labels where the layout has them.
// Returns [N, H, W, out_channels].
Network unet_diffusers_network(const Json& json, const std::string& where);

// The parameter of a stored tensor: files from before 2023 call an attention's layers query, key,
// value and proj_attn.
std::string unet_diffusers_name(std::string_view stored);

}  // namespace ebb
