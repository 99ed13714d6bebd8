#pragma once

#include "diffusion/filter.h"
#include "diffusion/image_noise.h"
#include "diffusion/noise_level.h"

namespace ebb {

// Constrains the images after every step of a sampler.
class Constraint {
 public:
  virtual ~Constraint() = default;
  // Applies the next calls to images [first, first + count).
  virtual void begin(int64_t first, int64_t count) = 0;
  // x [N, H, W, C] is as the sampler starts.
  virtual void at_start(const Tensor&) {}
  // x is at `level`; `step` selects the noise.
  virtual void after_step(const NoiseLevel& level, int64_t step, const NoiseSource& noise,
                          const Tensor& x) = 0;
  // The images are done.
  virtual void at_end(const Tensor& x) = 0;
};

// Inpainting: x <- mask * x + (1 - mask) * original; at the end the known pixels equal the
// original's bit for bit. mask 1: inpaint, 0: known.
class InpaintConstraint final : public Constraint {
 public:
  // The original on the way: with noise of each level (RePaint), or, from the start on, as it is
  // (diffusers' IFInpaintingPipeline).
  enum class Known { kNoisy, kClean };

  // mask, original: [images, H, W, C], or [1, H, W, C] for the same in all images.
  InpaintConstraint(Context& context, const Tensor& mask, const Tensor& original,
                    Known known = Known::kNoisy);
  void begin(int64_t first, int64_t count) override;
  void at_start(const Tensor& x) override;
  void after_step(const NoiseLevel& level, int64_t step, const NoiseSource& noise,
                  const Tensor& x) override;
  void at_end(const Tensor& x) override;

 private:
  void keep(const Tensor& known, const Tensor& x) const;

  Context& context_;
  Tensor all_masks_, all_originals_;
  Known known_;
  Tensor mask_, original_;  // of the batch
};

// Inverse hybrids (Geng, Park, Owens, "Factorized Diffusion", 2024): the band that `part` passes is
// taken from a reference with noise of the level: x <- x + part(reference - x).
class BandConstraint final : public Constraint {
 public:
  // reference: [images, H, W, C] or [1, H, W, C].
  BandConstraint(Context& context, const Filter& part, const Tensor& reference);
  void begin(int64_t first, int64_t count) override;
  void after_step(const NoiseLevel& level, int64_t step, const NoiseSource& noise,
                  const Tensor& x) override;
  void at_end(const Tensor&) override {}

 private:
  Context& context_;
  FilterRunner part_;
  Tensor all_references_;
  Tensor reference_;  // of the batch
};

}  // namespace ebb
