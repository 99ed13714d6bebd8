#pragma once

#include <cstdint>

#include "kernels/conv/conv.h"
#include "kernels/conv/tap_list.h"

namespace ebb::cpu {

// w[o][ky][kx][c] as a forward or backward-input pass sees it: from its input channels to its
// output channels.
class WeightView {
 public:
  WeightView(const TapList& list, ConvPass pass, const float* w) : w_(w), kw_(list.kw) {
    const bool forward = pass == ConvPass::kForward;
    c_ = forward ? list.in.c : list.out.c;
    in_stride_ = forward ? 1 : list.kh * list.kw * c_;
    out_stride_ = forward ? list.kh * list.kw * c_ : 1;
  }
  // Weight of input channel 0 and output channel 0 at one kernel position.
  const float* at(int64_t ky, int64_t kx) const { return w_ + (ky * kw_ + kx) * c_; }
  int64_t in_stride() const { return in_stride_; }
  int64_t out_stride() const { return out_stride_; }

 private:
  const float* w_;
  int64_t kw_, c_, in_stride_, out_stride_;
};

}  // namespace ebb::cpu
