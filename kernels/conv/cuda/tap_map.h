#pragma once

// Tensor maps (TMA descriptors) for the operands of a convolution in 16-bit types.

#include "kernels/conv/tap_list.h"
#include "kernels/cuda/elements.h"

namespace ebb::EBB_GPU_NAMESPACE {

template <class T>
inline constexpr simt::MapElement kMapElement =
    std::is_same_v<T, __nv_bfloat16> ? simt::MapElement::kBf16 : simt::MapElement::kF16;

// The pixels that the taps of a phase read: a copy loads `channels` of what one tap reads for
// `points` grid points. TMA iterates over the pixels that the first tap reads, inside or outside
// the image.
template <class T>
simt::TensorMap tap_map(const T* in, const TapList& list, const TapPhase& phase, int channels,
                        int points) {
  const auto upper = [](const TapAxis& axis, int64_t size) {
    return static_cast<int>(axis.in(axis.grid - 1, 0) - (size - 1));
  };
  return simt::tensor_map_im2col(in, kMapElement<T>,
                                 {.c = list.in.c,
                                  .w = list.in.w,
                                  .h = list.in.h,
                                  .n = list.n,
                                  .pitch = list.in.pitch,
                                  .lower_w = static_cast<int>(phase.x.in_first),
                                  .lower_h = static_cast<int>(phase.y.in_first),
                                  .upper_w = upper(phase.x, list.in.w),
                                  .upper_h = upper(phase.y, list.in.h),
                                  .step_w = static_cast<int>(phase.x.in_step),
                                  .step_h = static_cast<int>(phase.y.in_step),
                                  .channels = channels,
                                  .pixels = points});
}

}  // namespace ebb::EBB_GPU_NAMESPACE
