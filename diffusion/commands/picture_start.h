#pragma once

#include <vector>

#include "diffusion/commands/drawing.h"
#include "diffusion/commands/input_flags.h"

namespace ebb {

// A picture of the user's, ready for a model.
struct StartPicture {
  InputPicture picture;
  std::vector<float> values;  // [H, W, C] in the model's range
  Tensor tensor;              // [1, H, W, C]
};

// The pictures that the model takes and makes.
PictureFormat format_of(const Drawing& drawing);

StartPicture read_start(const Drawing& drawing, const InputFlags& flags);

// The values [pictures, H, W, C] as grey or RGB pictures of a model's range.
std::vector<Image> pictures_of(const Drawing& drawing, std::span<const float> values);

}  // namespace ebb
