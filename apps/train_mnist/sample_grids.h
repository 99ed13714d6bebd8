#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "apps/train_mnist/train_options.h"
#include "nn/autograd/trainer.h"
#include "weights/mnist_dataset.h"

namespace ebb {

// Sampler and steps: those of `ebb sample` by default, or the fewest that show what the network has
// learned.
enum class SampleQuality { kDefault, kFast };

struct ClassSamples {
  std::vector<float> values;    // [N, 28, 28] as the network makes them
  std::vector<int64_t> labels;  // [N], kNoClass of a network that knows none
};

// 40 samples with the run's weights, of every class in turn where the network knows classes,
// guided, from fixed seeds. Nothing when `go_on` says false, which it is asked after every step.
std::optional<ClassSamples> draw_class_samples(Context& context, const autograd::Trainer& trainer,
                                               const TrainConfig& config, SampleQuality quality,
                                               const std::function<bool()>& go_on);

// The assignment's image at this point of a run, a labeled figure; `of`: "epoch 3", for its title:
//   class     4 samples of each digit, guided, 10 columns
//   time      40 samples
//   denoiser  rows of clean, noisy and denoised test digits; beside it, "<path>-sigma.png" with one
//             digit with noise added and denoised at every sigma of the out-of-distribution sweep
//   pure noise denoiser  10 outputs for pure noise
// Weights are the run's (their moving average when it keeps one). No random state is touched.
// test_data: the test split, for the denoiser. Ends early, without a file and with false, when
// `stopped` says so; it is asked between network calls.
bool write_sample_grid(Context& context, const autograd::Trainer& trainer,
                       const TrainOptions& options, const MnistDataset& test_data,
                       const std::string& path, const std::string& of, SampleQuality quality,
                       const std::function<bool()>& stopped);

}  // namespace ebb
