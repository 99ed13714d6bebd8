#include "kernels/cuda/grid.h"
#include "kernels/random/philox.h"
#include "kernels/sampling/diffusion_batch.h"

namespace ebb::EBB_GPU_NAMESPACE {
namespace {

// Every value rounds as on the CPU: a batch has the same bits on all devices.

constexpr int kBatchThreads = 128;

// The single word that decides timestep or dropout of an example.
SIMT_DEVICE uint32_t example_word(const DiffusionBatchArgs& args, RandomStream stream,
                                  uint64_t example) {
  return random_words(args.seed, stream, example, 0, 0).w[0];
}

// Coefficients of one example's input and target: input = image_scale x0 + noise_scale eps.
struct Mixture {
  float image_scale, noise_scale, t;
};

SIMT_DEVICE Mixture mixture_of(const DiffusionBatchArgs& args, uint64_t example) {
  switch (args.task) {
    case DiffusionTask::kDenoise:
      return {1.0f, args.sigma, 0.0f};
    case DiffusionTask::kPureNoise:
      return {0.0f, 1.0f, 0.0f};
    case DiffusionTask::kDdpm: {
      const uint32_t k = below_from_word(example_word(args, RandomStream::kTimestep, example),
                                         static_cast<uint64_t>(args.timesteps));
      const float signal = args.alpha_bar[k];
      return {__fsqrt_rn(signal), __fsqrt_rn(__fsub_rn(1.0f, signal)),
              __fdiv_rn(static_cast<float>(k + 1), static_cast<float>(args.timesteps))};
    }
    case DiffusionTask::kFlow: {
      const float t = uniform_from_word(example_word(args, RandomStream::kTimestep, example));
      return {t, __fsub_rn(1.0f, t), t};
    }
  }
  return {};
}

SIMT_DEVICE void write_pixel(const DiffusionBatchArgs& args, const Mixture& mix, uint8_t pixel,
                             float noise, float* input, float* target) {
  const float x0 = __fdiv_rn(static_cast<float>(pixel), 255.0f);
  *input = args.task == DiffusionTask::kPureNoise
               ? noise
               : __fadd_rn(__fmul_rn(mix.image_scale, x0), __fmul_rn(mix.noise_scale, noise));
  *target = args.task == DiffusionTask::kDdpm   ? noise
            : args.task == DiffusionTask::kFlow ? __fsub_rn(x0, noise)
                                                : x0;
}

// One block per example, four pixels per thread and turn.
__global__ void __launch_bounds__(kBatchThreads) diffusion_batch_kernel(DiffusionBatchArgs args) {
  for (int64_t j = blockIdx.x; j < args.n; j += gridDim.x) {
    const uint64_t example = *args.first_example + static_cast<uint64_t>(j);
    const int64_t row = args.indices[j];
    const uint8_t* image = args.images + row * args.pixels;
    float* input = args.input + j * args.pixels;
    float* target = args.target + j * args.pixels;
    const Mixture mix = mixture_of(args, example);
    for (int64_t p = int64_t{threadIdx.x} * 4; p < args.pixels; p += kBatchThreads * 4) {
      const PhiloxWords words =
          random_words(args.seed, RandomStream::kNoise, example, 0, static_cast<uint32_t>(p / 4));
      for (int i = 0; i < 4 && p + i < args.pixels; i += 2) {
        const NormalPair noise = normals_from_words(words.w[i], words.w[i + 1]);
        write_pixel(args, mix, image[p + i], noise.first, input + p + i, target + p + i);
        if (p + i + 1 < args.pixels) {
          write_pixel(args, mix, image[p + i + 1], noise.second, input + p + i + 1,
                      target + p + i + 1);
        }
      }
    }
    if (args.t != nullptr && threadIdx.x == 0) args.t[j] = mix.t;
    if (args.c == nullptr) continue;
    // One-hot of the label, or all zero when the class is dropped or there are no labels.
    const float draw = uniform_from_word(example_word(args, RandomStream::kDrop, example));
    const bool keep = args.labels != nullptr && draw >= args.drop;
    for (int64_t k = threadIdx.x; k < args.classes; k += kBatchThreads) {
      args.c[j * args.classes + k] = keep && args.labels[row] == k ? 1.0f : 0.0f;
    }
  }
}

}  // namespace

void diffusion_batch(const DiffusionBatchArgs& args, KernelStream stream) {
  simt::launch({.name = "diffusion_batch",
                .grid = dim3(blocks_for(args.n, 1)),
                .block = dim3(kBatchThreads),
                .stream = stream},
               diffusion_batch_kernel, args);
}

}  // namespace ebb::EBB_GPU_NAMESPACE
