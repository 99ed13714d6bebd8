#include "diffusion/constraint.h"

#include <array>

#include "diffusion/combine.h"
#include "kernels/kernel_table.h"

namespace ebb {
namespace {

// The known images at the level, with noise of their own.
Tensor noisy(Context& context, const NoiseLevel& level, int64_t step, const NoiseSource& noise,
             const Tensor& known) {
  if (level.one_minus_alpha_bar == 0) return known;
  const Tensor eps = Tensor::empty(context, known.shape());
  noise.reference(step, eps);
  return add_noise(context, level, known, eps);
}

}  // namespace

InpaintConstraint::InpaintConstraint(Context& context, const Tensor& mask, const Tensor& original,
                                     Known known)
    : context_(context), all_masks_(mask), all_originals_(original), known_(known) {}

void InpaintConstraint::begin(int64_t first, int64_t count) {
  mask_ = select_images(context_, all_masks_, first, count);
  original_ = select_images(context_, all_originals_, first, count);
}

void InpaintConstraint::at_start(const Tensor& x) {
  if (known_ == Known::kClean) keep(original_, x);
}

void InpaintConstraint::after_step(const NoiseLevel& level, int64_t step, const NoiseSource& noise,
                                   const Tensor& x) {
  const bool is_clean = known_ == Known::kClean;
  keep(is_clean ? original_ : noisy(context_, level, step, noise, original_), x);
}

void InpaintConstraint::at_end(const Tensor& x) { keep(original_, x); }

void InpaintConstraint::keep(const Tensor& known, const Tensor& x) const {
  EBB_CHECK(known.shape() == x.shape() && mask_.shape() == x.shape(), ShapeError,
            "known pixels: mask ", mask_.shape(), " and original ", known.shape(), " for images ",
            x.shape());
  context_.launch(&KernelTable::blend, BlendArgs{.count = x.elements(),
                                                 .mask = mask_.data<float>(),
                                                 .x = x.data<float>(),
                                                 .known = known.data<float>(),
                                                 .y = x.data<float>()});
}

BandConstraint::BandConstraint(Context& context, const Filter& part, const Tensor& reference)
    : context_(context), part_(context, part), all_references_(reference) {}

void BandConstraint::begin(int64_t first, int64_t count) {
  reference_ = select_images(context_, all_references_, first, count);
}

void BandConstraint::after_step(const NoiseLevel& level, int64_t step, const NoiseSource& noise,
                                const Tensor& x) {
  const Tensor known = noisy(context_, level, step, noise, reference_);
  const Tensor difference = Tensor::empty(context_, x.shape());
  combine(context_, std::array{known, x}, coefficients(context_, std::array{1.0, -1.0}),
          difference);
  combine(context_, std::array{x, part_.run(difference)},
          coefficients(context_, std::array{1.0, 1.0}), x);
}

}  // namespace ebb
