#pragma once

#include <cstdint>
#include <vector>

#include "diffusion/mnist_dataset.h"
#include "diffusion/train/train_config.h"
#include "engine/tensor.h"

namespace ebb {

struct Batch {
  TensorMap inputs;  // "x" [N, 28, 28, 1], "t" [N, 1], "c" [N, 10], those the network takes
  Tensor target;     // [N, 28, 28, 1]; of the judge [N, 10], one-hot
  int64_t images = 0;
};

// Draws training batches. Everything in a batch is a function of (seed, step): each epoch visits
// the data in a new order, its last batch may be smaller, and noise, t, dropped classes and the
// judge's small moves are keyed by the number of the example in the run. So a run resumes anywhere
// with nothing but its step.
class BatchSource {
 public:
  BatchSource(Context& context, const MnistDataset& data, const TrainConfig& config);

  int64_t steps_per_epoch() const { return steps_per_epoch_; }
  Batch batch(int64_t step);  // from 0

 private:
  // Rows of the data set for one step: [first, first + count) of the epoch's permutation.
  struct Slice {
    int64_t epoch, first, count;
  };
  Slice slice(int64_t step) const;
  Batch diffusion_batch(int64_t images, const Tensor& indices, uint64_t first_example) const;
  Batch digit_batch(int64_t images, const Tensor& indices, uint64_t first_example) const;
  const std::vector<int32_t>& permutation(int64_t epoch);

  Context& context_;
  TrainConfig config_;
  int64_t count_;
  int64_t steps_per_epoch_;
  Tensor images_;     // [count, 784] u8
  Tensor labels_;     // [count] u8
  Tensor alpha_bar_;  // [T], DDPM only
  int64_t permutation_epoch_ = -1;
  std::vector<int32_t> permutation_;
};

}  // namespace ebb
