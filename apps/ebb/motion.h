#pragma once

#include <vector>

#include "apps/ebb/sample_output.h"
#include "diffusion/view.h"

namespace ebb {

// Frames of animations in which finished images move. Each is a list of images, enlarged by
// `scale`, and comes back to its start; the first of every kMotionFrames frames is a rest.
inline constexpr int kMotionFrames = 24;
using MotionFrame = std::vector<Image>;

// Seen through each of `views` in turn: rotations turn, all other views move every pixel to its new
// place on a straight line, and values change their sign gradually.
std::vector<MotionFrame> turn_images(const std::vector<Image>& images,
                                     const std::vector<View>& views, int scale);

// Going away and coming back: smaller, and blurred by a Gaussian that grows to `sigma` pixels.
std::vector<MotionFrame> step_back_from(const std::vector<Image>& images, double sigma, int scale);

// Writes the frames to `files.motion`, several images as a figure; `seeds`: of the images.
void write_motion(Results& results, const OutputFiles& files,
                  const std::vector<MotionFrame>& frames, const std::vector<uint64_t>& seeds,
                  Provenance provenance);

}  // namespace ebb
