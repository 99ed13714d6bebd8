#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace ebb {

// Lists of timesteps from noise to an image with ddpm.
//   course    the assignment's strided list (assignment_schedule()), nothing thresholded
//   pipeline  as diffusers' pipelines: the spacing and the thresholding of the model's scheduler
//   others    the same on a list of timesteps, finer where it matters (published with DeepFloyd IF)
inline constexpr const char* kCoursePreset = "course";
inline constexpr const char* kPipelinePreset = "pipeline";
std::vector<std::string> preset_names();

// The timesteps of a preset that is a list, descending from 999 to 0; empty for the others.
std::span<const int64_t> preset_timesteps(const std::string& name);

}  // namespace ebb
