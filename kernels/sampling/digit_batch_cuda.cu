#include "kernels/cuda/grid.h"
#include "kernels/random/philox.h"
#include "kernels/sampling/digit_batch.h"

namespace ebb::EBB_GPU_NAMESPACE {
namespace {

// Every value rounds as on the CPU: a batch has the same bits on all devices.
SIMT_DEVICE float symmetric(uint32_t word, float bound) {
  return __fmul_rn(bound, __fsub_rn(__fmul_rn(2.0f, uniform_from_word(word)), 1.0f));
}

// Source coordinates of output pixels: source = R (pixel - center - shift) + center.
struct Move {
  float cosine, sine;
  float dx, dy;
};

SIMT_DEVICE Move draw_move(const DigitBatchArgs& args, uint64_t example) {
  const PhiloxWords words = random_words(args.seed, RandomStream::kAugment, example, 0, 0);
  const float u = symmetric(words.w[0], args.max_tangent);
  const float square = __fmul_rn(u, u), norm = __fadd_rn(1.0f, square);
  return {__fdiv_rn(__fsub_rn(1.0f, square), norm), __fdiv_rn(__fmul_rn(2.0f, u), norm),
          symmetric(words.w[1], args.max_shift), symmetric(words.w[2], args.max_shift)};
}

// One image of 0..255, black outside.
struct Digit {
  const uint8_t* pixels;
  int64_t height, width;

  SIMT_DEVICE float pixel(int64_t i, int64_t j) const {
    const bool inside = i >= 0 && i < height && j >= 0 && j < width;
    return inside ? static_cast<float>(pixels[i * width + j]) : 0.0f;
  }
  SIMT_DEVICE static float between(float a, float b, float weight) {
    return __fadd_rn(__fmul_rn(__fsub_rn(1.0f, weight), a), __fmul_rn(weight, b));
  }
  SIMT_DEVICE float at(float y, float x) const {
    const float top = floorf(y), left = floorf(x);
    const float fy = __fsub_rn(y, top), fx = __fsub_rn(x, left);
    const int64_t i = static_cast<int64_t>(top), j = static_cast<int64_t>(left);
    return between(between(pixel(i, j), pixel(i, j + 1), fx),
                   between(pixel(i + 1, j), pixel(i + 1, j + 1), fx), fy);
  }
};

// One block per example.
__global__ void __launch_bounds__(kThreads) digit_batch_kernel(DigitBatchArgs args) {
  const int64_t pixels = args.height * args.width;
  const float cy = __fdiv_rn(static_cast<float>(args.height - 1), 2.0f);
  const float cx = __fdiv_rn(static_cast<float>(args.width - 1), 2.0f);
  for (int64_t n = blockIdx.x; n < args.n; n += gridDim.x) {
    const int64_t row = args.indices[n];
    const Digit digit{args.images + row * pixels, args.height, args.width};
    const Move move = draw_move(args, *args.first_example + static_cast<uint64_t>(n));
    for (int64_t p = threadIdx.x; p < pixels; p += kThreads) {
      const float i = static_cast<float>(p / args.width), j = static_cast<float>(p % args.width);
      const float down = __fsub_rn(__fsub_rn(i, cy), move.dy);
      const float right = __fsub_rn(__fsub_rn(j, cx), move.dx);
      const float y =
          __fadd_rn(__fsub_rn(__fmul_rn(move.cosine, down), __fmul_rn(move.sine, right)), cy);
      const float x =
          __fadd_rn(__fadd_rn(__fmul_rn(move.sine, down), __fmul_rn(move.cosine, right)), cx);
      args.input[n * pixels + p] = __fdiv_rn(digit.at(y, x), 255.0f);
    }
    for (int64_t k = threadIdx.x; k < args.classes; k += kThreads) {
      args.target[n * args.classes + k] = args.labels[row] == k ? 1.0f : 0.0f;
    }
  }
}

}  // namespace

void digit_batch(const DigitBatchArgs& args, KernelStream stream) {
  simt::launch({.name = "digit_batch",
                .grid = dim3(blocks_for(args.n, 1)),
                .block = dim3(kThreads),
                .stream = stream},
               digit_batch_kernel, args);
}

}  // namespace ebb::EBB_GPU_NAMESPACE
