#pragma once

#include <functional>
#include <string>

#include "apps/train_mnist/train_options.h"
#include "nn/autograd/trainer.h"
#include "weights/mnist_dataset.h"

namespace ebb {

// The assignment's image at this point of a run:
//   class     4 samples of each digit, guided, 10 columns
//   time      40 samples
//   denoiser  rows of clean, noisy and denoised test digits; beside it, "<path>-sigma.png" with one
//             digit with noise added and denoised at every sigma of the out-of-distribution sweep
//   pure noise denoiser  10 outputs for pure noise
// Weights are the run's (their moving average when it keeps one). No random state is touched.
// test_data: the test split, for the denoiser. Ends early, without a file, when `stopped`
// says so; it is asked between network calls.
void write_sample_grid(Context& context, const autograd::Trainer& trainer,
                       const TrainOptions& options, const MnistDataset& test_data,
                       const std::string& path, const std::function<bool()>& stopped);

}  // namespace ebb
