#pragma once

#include <vector>

#include "apps/ebb/input_flags.h"
#include "apps/ebb/sample_job.h"

namespace ebb {

// An image of the user's, ready for a model.
struct StartImage {
  InputImage image;
  std::vector<float> values;  // [H, W, C] in the model's range
  Tensor tensor;              // [1, H, W, C]
};

// The images that the model takes and makes.
ImageFormat format_of(const SampleJob& job);

StartImage read_start(const SampleJob& job, const InputFlags& flags);

// The values [images, H, W, C] as gray or RGB images of a model's range.
std::vector<Image> images_of(const SampleJob& job, std::span<const float> values);

}  // namespace ebb
