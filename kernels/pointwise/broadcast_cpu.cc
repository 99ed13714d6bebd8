#include "kernels/pointwise/broadcast.h"

#include <algorithm>

#include "base/kernel_stream.h"
#include "kernels/cpu/f32.h"
#include "kernels/cpu/parallel.h"

namespace ebb::cpu {

namespace {

// Pixels of one task of an elementwise pass over [pixels, C].
int64_t pixels_per_task(int64_t c) {
  return std::max<int64_t>(1, kElementChunk / std::max<int64_t>(1, c));
}

template <BroadcastOp kOp>
float combine(float x, float s) {
  return kOp == BroadcastOp::kAdd ? x + s : x * s;
}

// y[p, c] = x[p, c] (+ or *) s[c]. y may be x.
template <BroadcastOp kOp>
void combine_pixels(int64_t pixels, int64_t c, const float* x, const float* s, float* y) {
  for (int64_t p = 0; p < pixels; ++p, x += c, y += c) {
    for (int64_t ci = 0; ci < c; ++ci) y[ci] = combine<kOp>(x[ci], s[ci]);
  }
}

// y[n, c] = x[n % x_n, c] (+ or *) s[n % s_n, c]: an image may be long, so it is cut too.
template <BroadcastOp kOp>
void forward_elements(const BroadcastForwardArgs& args, int threads) {
  parallel_row_chunks(threads, args.n, args.c, [&](int64_t n, int64_t begin, int64_t end) {
    const float* x = as_f32(args.x) + n % args.x_n * args.c;
    const float* s = as_f32(args.s) + n % args.s_n * args.c;
    float* y = as_f32(args.y) + n * args.c;
    for (int64_t c = begin; c < end; ++c) y[c] = combine<kOp>(x[c], s[c]);
  });
}

template <BroadcastOp kOp>
void forward(const BroadcastForwardArgs& args, int threads) {
  if (args.pixels == 1) return forward_elements<kOp>(args, threads);
  const int64_t step = pixels_per_task(args.c), chunks = ceil_div(args.pixels, step);
  parallel_for(threads, args.n * chunks, [&](int64_t task) {
    const int64_t n = task / chunks, begin = task % chunks * step;
    const int64_t pixels = std::min(step, args.pixels - begin);
    combine_pixels<kOp>(pixels, args.c,
                        as_f32(args.x) + (n % args.x_n * args.pixels + begin) * args.c,
                        as_f32(args.s) + n % args.s_n * args.c,
                        as_f32(args.y) + (n * args.pixels + begin) * args.c);
  });
}

// Channels summed at a time: one cache line of each pixel.
constexpr int64_t kSumLanes = 16;

// ds[0:lanes] = sum over pixels of dy (* x), in double.
template <BroadcastOp kOp>
void sum_pixels(int64_t pixels, int64_t c, int64_t lanes, const float* x, const float* dy,
                float* ds) {
  double sum[kSumLanes] = {};
  for (int64_t p = 0; p < pixels; ++p) {
    for (int64_t lane = 0; lane < lanes; ++lane) {
      const double gradient = dy[p * c + lane];
      sum[lane] += kOp == BroadcastOp::kAdd ? gradient : gradient * x[p * c + lane];
    }
  }
  for (int64_t lane = 0; lane < lanes; ++lane) ds[lane] = static_cast<float>(sum[lane]);
}

// gradient[n, p, c] = dy (* factor[n, c]): of x, and of s where that is an image of one pixel.
void backward_elements(const BroadcastBackwardArgs& args, const void* factor, void* gradient,
                       KernelStream stream) {
  if (args.op == BroadcastOp::kMultiply) {
    forward<BroadcastOp::kMultiply>({args.op, args.n, args.pixels, args.c, args.n, args.n,
                                     args.dtype, args.dy, factor, gradient},
                                    stream.threads);
  } else if (gradient != args.dy) {
    parallel_chunks(stream.threads, args.n * args.pixels * args.c, [&](int64_t begin, int64_t end) {
      std::copy(as_f32(args.dy) + begin, as_f32(args.dy) + end, as_f32(gradient) + begin);
    });
  }
}

template <BroadcastOp kOp>
void backward_s(const BroadcastBackwardArgs& args, KernelStream stream) {
  if (args.pixels == 1) return backward_elements(args, args.x, args.ds, stream);
  const int64_t groups = ceil_div(args.c, kSumLanes);
  parallel_for(stream.threads, args.n * groups, [&](int64_t task) {
    const int64_t n = task / groups, first = task % groups * kSumLanes;
    const int64_t image = n * args.pixels * args.c + first;
    const float* x = kOp == BroadcastOp::kAdd ? nullptr : as_f32(args.x) + image;
    sum_pixels<kOp>(args.pixels, args.c, std::min(kSumLanes, args.c - first), x,
                    as_f32(args.dy) + image, as_f32(args.ds) + n * args.c + first);
  });
}

}  // namespace

void broadcast_forward(const BroadcastForwardArgs& args, KernelStream stream) {
  require_f32("broadcast", args.dtype);
  args.op == BroadcastOp::kAdd ? forward<BroadcastOp::kAdd>(args, stream.threads)
                               : forward<BroadcastOp::kMultiply>(args, stream.threads);
}

void broadcast_backward(const BroadcastBackwardArgs& args, KernelStream stream) {
  require_f32("broadcast", args.dtype);
  if (args.ds != nullptr) {  // before dx, which may overwrite dy
    args.op == BroadcastOp::kAdd ? backward_s<BroadcastOp::kAdd>(args, stream)
                                 : backward_s<BroadcastOp::kMultiply>(args, stream);
  }
  if (args.dx != nullptr) backward_elements(args, args.s, args.dx, stream);
}

}  // namespace ebb::cpu
