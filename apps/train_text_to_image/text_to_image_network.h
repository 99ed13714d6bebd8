#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "apps/train_text_to_image/text_source.h"
#include "nn/network.h"

namespace ebb {

// Sizes of the UNets that are trained, in the architecture of DeepFloyd IF.
struct UnetSize {
  const char* name;
  int64_t side;  // of the images of the first stage; the second doubles it
  std::vector<int64_t> channels, large_channels;  // by level, of the first and the second stage
  int64_t layers;
  int64_t groups, head_width, text_channels;
};
const std::vector<UnetSize>& unet_sizes();
const UnetSize& unet_size(const std::string& name);  // one of them

int64_t image_side(const UnetSize& size, int64_t stage);

// config.json of diffusers' UNet2DConditionModel.
std::string unet_config(const UnetSize& size, int64_t stage, const TextSource& text);

// The names of the inputs besides those of the UNet: the noise, the images without it [N, H, W, 3]
// and what the loss knows of the noise level [N, 4].
inline constexpr const char* kNoiseInput = "noise";
inline constexpr const char* kImagesInput = "clean_images";
inline constexpr const char* kStepsInput = "steps";

// The network whose output is the hybrid loss of `unet`, whose text states come from `text`.
Network training_network(const Network& unet, const TextSource& text, float vlb_weight);

}  // namespace ebb
