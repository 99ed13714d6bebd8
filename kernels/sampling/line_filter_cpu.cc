#include "kernels/sampling/line_filter.h"

#include <algorithm>

#include "base/error.h"
#include "base/kernel_stream.h"
#include "kernels/cpu/parallel.h"

namespace ebb::cpu {
namespace {

int64_t reflect(int64_t position, int64_t size) {
  if (position < 0) return -position;
  return position < size ? position : 2 * (size - 1) - position;
}

// Adds weight * x to y, both rows [w, c], x read `shift` pixels to the right.
void add_row(const LineFilterArgs& args, float weight, int64_t shift, const float* x, float* y) {
  const int64_t c = args.c;
  const auto add_edge = [&](int64_t begin, int64_t end) {
    for (int64_t j = begin; j < end; ++j) {
      const float* source = x + reflect(j + shift, args.w) * c;
      for (int64_t k = 0; k < c; ++k) y[j * c + k] += weight * source[k];
    }
  };
  // Pixels whose source lies inside the row need no reflection and run as one stretch.
  const int64_t begin = std::clamp<int64_t>(-shift, 0, args.w);
  const int64_t end = std::clamp<int64_t>(args.w - shift, begin, args.w);
  add_edge(0, begin);
  const float* source = x + shift * c;
  for (int64_t e = begin * c; e < end * c; ++e) y[e] += weight * source[e];
  add_edge(end, args.w);
}

}  // namespace

void line_filter(const LineFilterArgs& args, KernelStream stream) {
  const int64_t reach = args.taps / 2;
  EBB_CHECK(
      args.taps % 2 == 1 && (args.dy == 0 || reach < args.h) && (args.dx == 0 || reach < args.w),
      ShapeError, "cpu kernels: line_filter with ", args.taps, " taps on ", args.h, " x ", args.w,
      " pixels");
  const int64_t row = args.w * args.c;
  parallel_for(stream.threads, args.n * args.h, [&](int64_t task) {
    const int64_t image = task / args.h, i = task % args.h;
    float* y = args.y + task * row;
    std::fill(y, y + row, 0.0f);
    for (int64_t k = 0; k < args.taps; ++k) {
      const int64_t source = image * args.h + reflect(i + (k - reach) * args.dy, args.h);
      add_row(args, args.weights[k], (k - reach) * args.dx, args.x + source * row, y);
    }
  });
}

}  // namespace ebb::cpu
