#pragma once

#include "base/error.h"
#include "kernels/optimizer/fixed_sum.h"
#include "kernels/simt/host_device.h"

namespace ebb {

// The share of a part of `images` in a step of `step_images` that is cut into `parts`.
inline FixedShare fixed_share(int64_t images, int64_t step_images, int64_t parts) {
  EBB_CHECK(0 < images && images <= step_images && 0 < parts && parts <= step_images, Error,
            "fixed_share: ", images, " of ", step_images, " images in ", parts, " parts");
  const double weight = static_cast<double>(images) / static_cast<double>(step_images);
  return {weight * 0x1p48, 0x1p63 / static_cast<double>(parts)};
}

// One rounding: of a 64-bit integer to f32. The scale is a power of two.
EBB_HOST_DEVICE inline float from_fixed_number(uint64_t sum) {
  return static_cast<float>(static_cast<int64_t>(sum)) * 0x1p-48f;
}

}  // namespace ebb
