#pragma once

#include "bench/vendor/kernels.h"
#include "kernels/conv/conv.h"

namespace ebb {

// A convolution as cuDNN sees it. A transposed convolution is the input gradient of an ordinary one
// from its output (the large image) to its input (the small one), so its passes trade places.
struct VendorConv {
  ConvGeometry g;
  DType dtype;
  VendorMath math;

  bool is_linear() const {
    return g.kh == 1 && g.kw == 1 && g.stride == 1 && g.pad == 0 && !g.transposed;
  }
  int64_t x_count() const { return g.n * g.h * g.w * g.c; }
  int64_t y_count() const { return g.n * g.ho * g.wo * g.o; }
  int64_t w_count() const { return g.o * g.kh * g.kw * g.c; }
  // [K][KH][KW][C] of the ordinary convolution: the layout of packed weights for this pass.
  ConvPass packing() const { return g.transposed ? ConvPass::kBackwardInput : ConvPass::kForward; }
};

// Bytes of scratch of a pass on dense images. Tries the algorithms out when the shape is new.
int64_t vendor_conv_bytes(const VendorConv& conv, ConvPass pass);

// y = conv(x, w), dx and dw (in the type and layout of packed weights), on dense images.
struct VendorConvPointers {
  void *x, *w, *y;  // the one that the pass computes is overwritten
  void* scratch;
};
void run_vendor_conv(const VendorConv& conv, ConvPass pass, const VendorConvPointers& at,
                     KernelStream stream);

// db [O] = sum of dy over all pixels, in the stored type.
void vendor_bias_gradient(const VendorConv& conv, const void* dy, void* db, KernelStream stream);

}  // namespace ebb
