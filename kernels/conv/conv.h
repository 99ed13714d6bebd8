#pragma once

#include <cstdint>

#include "base/dtype.h"
#include "base/kernel_stream.h"
#include "kernels/norm/row_moments.h"
#include "kernels/pointwise/activation.h"

namespace ebb {

// A 2-D convolution or transposed convolution on NHWC images.
//
//   y[n, oy, ox, o] = bias[o] + sum over ky, kx, c of x[n, iy, ix, c] * w[o, ky, kx, c]
//     convolution:            iy = oy * stride - pad + ky           (zero outside the image)
//     transposed convolution: oy = iy * stride - pad + ky           (PyTorch ConvTranspose2d)
//
// Linear is a 1x1 convolution on 1x1 images. Weights are always [O][KH][KW][C], also for the
// transposed case. All kernels of the family read one list of taps (kernels/conv/tap_list.h).
struct ConvGeometry {
  int64_t n = 0;                  // images
  int64_t h = 0, w = 0, c = 0;    // input
  int64_t ho = 0, wo = 0, o = 0;  // output
  int64_t kh = 1, kw = 1, stride = 1, pad = 0;
  bool transposed = false;
  int64_t x_pitch = 0;  // elements from pixel to pixel of x (and dx), >= c
  int64_t y_pitch = 0;  // elements from pixel to pixel of y (and dy), >= o
  // The type in which f32 weights, which have no more bits than it, may stay when they are packed:
  // kF32, kF16 or kBF16. CPUs widen them where they are used, to the same results in half the
  // memory; GPUs pack weights in the type of the images.
  DType weight_dtype = DType::kF32;
};

// Fills in the output size and dense pitches. `pad` zeros lie around the image; a convolution may
// have another number of them below and to the right, end_pad (-1: as pad).
ConvGeometry conv_geometry(int64_t n, int64_t h, int64_t w, int64_t c, int64_t o, int64_t kh,
                           int64_t kw, int64_t stride, int64_t pad, bool transposed,
                           int64_t end_pad = -1);

enum class ConvPass { kForward, kBackwardInput, kBackwardWeight };

// Name of the instructions or algorithm of one pass: "mma.sync".
using ConvKernelNameFn = const char*(const ConvGeometry&, ConvPass, DType, const ConvMath&);

// Bytes of w rearranged for kForward or kBackwardInput.
using ConvPackedBytesFn = int64_t(const ConvGeometry&, ConvPass, DType, const ConvMath&);

// Rearranges w for one pass. packed is 64-byte aligned and does not depend on geometry.n.
struct ConvPackArgs {
  ConvGeometry geometry;
  ConvPass pass;
  DType dtype;     // of packed
  const float* w;  // [O, KH, KW, C]
  void* packed;    // conv_packed_bytes
};

// Bytes of scratch a pass needs with this many threads.
using ConvWorkspaceBytesFn = int64_t(const ConvGeometry&, ConvPass, DType, const ConvMath&,
                                     int threads);

// y = act(conv(x, w) + bias + residual) * scale + shift. y aliases nothing.
struct ConvForwardArgs {
  ConvGeometry geometry;
  DType dtype;           // of x, packed, residual, scale, shift, y; accumulation is f32
  const void* x;         // [N, H, W, C], pitch x_pitch
  const void* packed;    // from conv_pack for kForward
  const float* bias;     // [O] or null
  const void* residual;  // [residual_n, Ho, Wo, O] dense, or null; image n adds n % residual_n
  int64_t residual_n;
  Activation activation;
  void* y;  // [N, Ho, Wo, O], pitch y_pitch
  void* workspace;
  const void* scale = nullptr;  // [scale_n, O] or null; image n takes row n % scale_n
  int64_t scale_n = 1;
  const void* shift = nullptr;  // [shift_n, O] or null
  int64_t shift_n = 1;
  RowMoments* moments = nullptr;  // [conv_moment_chunks, O] of y as it is stored, or null
};

// Into how many chunks of pixels conv_forward divides y for its moments; 0: it gives none.
using ConvMomentChunksFn = int64_t(const ConvGeometry&, DType, const ConvMath&);

// dx = gradient of the input; overwritten.
struct ConvBackwardInputArgs {
  ConvGeometry geometry;  // of the forward convolution
  DType dtype;
  const void* dy;      // [N, Ho, Wo, O], pitch y_pitch
  const void* packed;  // from conv_pack for kBackwardInput
  void* dx;            // [N, H, W, C], pitch x_pitch
  void* workspace;
};

// dw and db = gradients of weight and bias; overwritten. Sums run in a fixed order.
struct ConvBackwardWeightArgs {
  ConvGeometry geometry;
  DType dtype;
  const void* x;   // [N, H, W, C], pitch x_pitch
  const void* dy;  // [N, Ho, Wo, O], pitch y_pitch
  float* dw;       // [O, KH, KW, C]
  float* db;       // [O] or null
  void* workspace;
};

}  // namespace ebb
