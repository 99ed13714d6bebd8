#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "diffusion/denoiser.h"

namespace ebb {

inline constexpr int64_t kNoClass = -1;

// Number of classes of a network whose condition is a class; 0 for any other network.
int64_t class_count(const Network& network);

// One-hot rows [N, classes]; a row of zeros, which the network takes for "any", for kNoClass.
Tensor one_hot(Context& context, std::span<const int64_t> labels, int64_t classes);

// Guided by the images' classes; a network without classes is asked as it is.
Guidance class_guidance(Context& context, const Network& network, std::span<const int64_t> labels,
                        double cfg_scale);

// The class that a prompt for a model of digits means: "7", "seven", "a photo of a seven" (the one
// number in it, whatever its case); nothing when there is none or there are two.
std::optional<int64_t> class_of_prompt(const std::string& prompt);

}  // namespace ebb
