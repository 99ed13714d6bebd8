#pragma once

#include <cstdint>

#include "engine/tensor.h"
#include "kernels/random/random.h"

namespace ebb {

// Standard normal noise for images with consecutive seeds: image i of a batch has seed
// first_seed + i, and gets the numbers that it gets alone.
class ImageNoise {
 public:
  static constexpr uint64_t kMaxSeed = (uint64_t{1} << 53) - 1;  // exact in JSON

  ImageNoise(Context& context, uint64_t first_seed) : context_(context), first_seed_(first_seed) {}

  void start(const Tensor& x) const;                     // x [N, H, W, C]: the state at full noise
  void step(int64_t index, const Tensor& z) const;       // the noise that a sampler's step adds
  void reference(int64_t index, const Tensor& z) const;  // that a known image gets after a step

 private:
  void fill(RandomStream stream, int64_t step, const Tensor& y) const;

  Context& context_;
  uint64_t first_seed_;
};

}  // namespace ebb
