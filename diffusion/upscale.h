#pragma once

#include "diffusion/image_noise.h"
#include "diffusion/model.h"
#include "diffusion/pipeline.h"
#include "image/image.h"

namespace ebb {

// Input of a model of a second stage: smaller images, for the terms of a request's guidance.
struct LowRes {
  const Image& image;       // of any size, of the model's channels
  int64_t noise_level = 0;  // timestep of Model::low_res_noise: detail that is made up anew
  int64_t images = 1;       // versions, each with noise of its own
  uint64_t seed = 0;        // of the first
};

// The input that says how noisy the smaller image is, and whether a network has one.
bool is_noise_level(const NetworkInput& input);
bool takes_noise_level(const Network& network);

// The image enlarged as diffusers' pipelines do it, by input name, to be added to
// GuidanceTerm::condition: for networks that take a noise level, bilinear with the corners on the
// corners and with noise of the level (DeepFloyd IF); for others bicubic and without noise (karlo).
// UsageError when `field` ("--noise-level") is not below the number of timesteps.
TensorMap low_res_condition(Context& context, const Model& model, const LowRes& low_res,
                            const std::string& field);
// The same for images [N, h, w, C] in the model's range and their noise [N, H, W, C], which may be
// undefined where none is added.
TensorMap low_res_condition(Context& context, const Model& model, const Tensor& images,
                            const Tensor& eps, int64_t noise_level, const std::string& field);

// values [h, w, channels] to [height, width, channels]: index i comes from i (h - 1) / (height -
// 1).
std::vector<float> resize_bilinear(std::span<const float> values, int64_t h, int64_t w,
                                   int64_t channels, int64_t height, int64_t width);

}  // namespace ebb
