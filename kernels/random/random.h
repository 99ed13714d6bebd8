#pragma once

#include <cstdint>

namespace ebb {

// Counter-based randomness (Philox 4x32-10, Salmon et al. 2011; kernels/random/philox.h). Every
// number is a function of (seed, stream, image, step, element) alone: the same bits on every
// device, for any batch size and thread count. Images are numbered below 2^56, elements below 2^34.
enum class RandomStream : uint32_t {
  kInit = 0,       // parameter initialization; image = index of the parameter
  kShuffle = 1,    // order of the training set; image = epoch
  kNoise = 2,      // epsilon of a training example; image = example number in the run
  kTimestep = 3,   // t of a training example
  kDrop = 4,       // class dropout of a training example
  kStart = 5,      // x_T of a sampled image; image = seed offset
  kSampler = 6,    // noise added by step `step` of a sampler
  kAugment = 7,    // how a classifier's training example is moved
  kReference = 8,  // noise on the known part of an image after step `step`
};

// y[i, e] for images image0..image0+n-1: standard normal (Box-Muller) or uniform in [0, 1).
struct RandomFillArgs {
  uint64_t seed;
  RandomStream stream;
  uint64_t image0;
  uint32_t step;
  int64_t n;         // images
  int64_t elements;  // per image
  float* y;          // [n, elements]
};

}  // namespace ebb
