#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "diffusion/model.h"

namespace ebb {

struct DiffusionClassifierRequest {
  int64_t trials = 20;      // noise levels per image
  uint64_t first_seed = 0;  // of the noise; image i has first_seed + i
};

// A class-conditioned model as a classifier (Li et al. 2023, "Your diffusion model is secretly a
// zero-shot classifier"): the class for which it predicts best what it was trained to predict. For
// each image and class c the sum over trials j and pixels of (target - prediction(x_t, t, c))^2,
// with noise eps of its own for each image and trial, the same for all classes:
//   ddpm  k = floor((j + 1/2) T / trials), x_t = sqrt(ab_k) x + sqrt(1 - ab_k) eps, target eps
//   flow  t = (j + 1/2) / trials,          x_t = (1 - t) eps + t x,          target x - eps
// images: [N, 28, 28]. Returns [N, classes]. UsageError when the model takes no class. on_progress
// is called with the number of finished pairs of image and trial.
std::vector<double> diffusion_errors(Context& context, const Model& model,
                                     std::span<const float> images,
                                     const DiffusionClassifierRequest& request,
                                     const std::function<void(int64_t)>& on_progress);

// The class with the smallest error, the first of equals, for each row of [N, classes].
std::vector<int64_t> least_error(std::span<const double> errors, int64_t classes);

}  // namespace ebb
