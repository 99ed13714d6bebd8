#pragma once

#include <cstdint>

#include "engine/tensor.h"
#include "kernels/random/random.h"

namespace ebb {

// The standard normal numbers of a sampling run, by what they are for.
class NoiseSource {
 public:
  virtual ~NoiseSource() = default;
  virtual void start(const Tensor& x) const = 0;  // x [N, H, W, C]: the state at full noise
  // The noise that a sampler's step adds.
  virtual void step(int64_t index, const Tensor& z) const = 0;
  // That a known image gets after a step.
  virtual void reference(int64_t index, const Tensor& z) const = 0;
};

// Noise of images with consecutive seeds: image i of a batch has seed first_seed + i, and gets the
// numbers that it gets alone.
class ImageNoise final : public NoiseSource {
 public:
  static constexpr uint64_t kMaxSeed = (uint64_t{1} << 53) - 1;  // exact in JSON

  ImageNoise(Context& context, uint64_t first_seed) : context_(context), first_seed_(first_seed) {}

  void start(const Tensor& x) const override;
  void step(int64_t index, const Tensor& z) const override;
  void reference(int64_t index, const Tensor& z) const override;

 private:
  void fill(RandomStream stream, int64_t step, const Tensor& y) const;

  Context& context_;
  uint64_t first_seed_;
};

}  // namespace ebb
