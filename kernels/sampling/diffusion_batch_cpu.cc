#include "kernels/sampling/diffusion_batch.h"

#include <algorithm>
#include <cmath>

#include "base/kernel_stream.h"
#include "kernels/cpu/parallel.h"
#include "kernels/random/cpu/random_fill.h"
#include "kernels/random/philox.h"

namespace ebb::cpu {

namespace {

// The single word that decides timestep or dropout of an example.
uint32_t example_word(const DiffusionBatchArgs& args, RandomStream stream, uint64_t example) {
  return random_words(args.seed, stream, example, 0, 0).w[0];
}

// input[p] = image_scale * x0[p] + noise_scale * input[p], input holding epsilon on entry.
void mix(int64_t pixels, const uint8_t* image, float image_scale, float noise_scale, float* input) {
  for (int64_t p = 0; p < pixels; ++p) {
    input[p] = image_scale * (static_cast<float>(image[p]) / 255.0f) + noise_scale * input[p];
  }
}

// target[p] = x0[p].
void copy_image(int64_t pixels, const uint8_t* image, float* target) {
  for (int64_t p = 0; p < pixels; ++p) target[p] = static_cast<float>(image[p]) / 255.0f;
}

// Turns the epsilon in `input` into the input and target of the task; returns t.
float make_example(const DiffusionBatchArgs& args, uint64_t example, const uint8_t* image,
                   float* input, float* target) {
  const int64_t pixels = args.pixels;
  switch (args.task) {
    case DiffusionTask::kDenoise:
      copy_image(pixels, image, target);
      mix(pixels, image, 1.0f, args.sigma, input);
      return 0.0f;
    case DiffusionTask::kPureNoise:
      copy_image(pixels, image, target);
      return 0.0f;
    case DiffusionTask::kDdpm: {
      const uint32_t k = below_from_word(example_word(args, RandomStream::kTimestep, example),
                                         static_cast<uint64_t>(args.timesteps));
      std::copy(input, input + pixels, target);
      mix(pixels, image, std::sqrt(args.alpha_bar[k]), std::sqrt(1.0f - args.alpha_bar[k]), input);
      return static_cast<float>(k + 1) / static_cast<float>(args.timesteps);
    }
    case DiffusionTask::kFlow: {
      const float t = uniform_from_word(example_word(args, RandomStream::kTimestep, example));
      for (int64_t p = 0; p < pixels; ++p) {
        target[p] = static_cast<float>(image[p]) / 255.0f - input[p];
      }
      mix(pixels, image, t, 1.0f - t, input);
      return t;
    }
  }
  return 0.0f;
}

// c = one-hot of the label, or all zero when the class is dropped or there are no labels.
void write_class(const DiffusionBatchArgs& args, uint64_t example, int64_t row, float* c) {
  const float draw = uniform_from_word(example_word(args, RandomStream::kDrop, example));
  const bool keep = args.labels != nullptr && draw >= args.drop;
  for (int64_t k = 0; k < args.classes; ++k) c[k] = keep && args.labels[row] == k ? 1.0f : 0.0f;
}

}  // namespace

void diffusion_batch(const DiffusionBatchArgs& args, KernelStream stream) {
  parallel_for(stream.threads, args.n, [&](int64_t j) {
    const uint64_t example = *args.first_example + static_cast<uint64_t>(j);
    const int64_t row = args.indices[j];
    float* input = args.input + j * args.pixels;
    fill_normal({args.seed, RandomStream::kNoise, example, 0}, 0, args.pixels, input);
    const float t = make_example(args, example, args.images + row * args.pixels, input,
                                 args.target + j * args.pixels);
    if (args.t != nullptr) args.t[j] = t;
    if (args.c != nullptr) write_class(args, example, row, args.c + j * args.classes);
  });
}

}  // namespace ebb::cpu
