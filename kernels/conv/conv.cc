#include "kernels/conv/conv.h"

#include "base/error.h"

namespace ebb {

ConvGeometry conv_geometry(int64_t n, int64_t h, int64_t w, int64_t c, int64_t o, int64_t kh,
                           int64_t kw, int64_t stride, int64_t pad, bool transposed,
                           int64_t end_pad) {
  const char* name = transposed ? "transposed convolution" : "convolution";
  EBB_CHECK(n > 0 && h > 0 && w > 0 && c > 0, ShapeError, name, ": input is [", n, ", ", h, ", ", w,
            ", ", c, "], every dimension must be at least 1. Check the model's input size.");
  EBB_CHECK(o > 0 && kh > 0 && kw > 0, ShapeError, name, ": weight has ", o,
            " output channels and a ", kh, "x", kw,
            " kernel, all must be at least 1. Check the layer's parameters.");
  EBB_CHECK(stride > 0 && pad >= 0, ShapeError, name, ": stride ", stride, ", pad ", pad,
            "; stride must be at least 1 and pad at least 0. Check the layer's parameters.");
  ConvGeometry g{.n = n, .h = h, .w = w, .c = c, .o = o, .kh = kh, .kw = kw};
  g.stride = stride;
  g.pad = pad;
  g.transposed = transposed;
  const int64_t pads = end_pad < 0 || transposed ? 2 * pad : pad + end_pad;
  const auto size = [&](int64_t in, int64_t k) {
    if (transposed) return (in - 1) * stride - pads + k;
    return in + pads < k ? 0 : (in + pads - k) / stride + 1;
  };
  g.ho = size(h, kh);
  g.wo = size(w, kw);
  EBB_CHECK(g.ho > 0 && g.wo > 0, ShapeError, name, ": a ", kh, "x", kw, " kernel with stride ",
            stride, " and pad ", pad, " leaves no output of a ", h, "x", w,
            " input. Use a larger input or more padding.");
  g.x_pitch = c;
  g.y_pitch = o;
  return g;
}

}  // namespace ebb
