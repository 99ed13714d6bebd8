#pragma once

#include <cstdint>
#include <map>

#include "apps/train_mnist/train_config.h"
#include "diffusion/batch_order.h"
#include "engine/tensor.h"
#include "kernels/optimizer/fixed_sum.h"
#include "weights/mnist_dataset.h"

namespace ebb {

struct Batch {
  TensorMap inputs;  // of the network: images [N, 28, 28, 1], times [N, 1], classes [N, 10]
  Tensor target;     // [N, 28, 28, 1]; of the classifier [N, 10], one-hot
  int64_t images = 0;
  // Its source: rows of the data set [N] i32, the number of the first example (a u64).
  Tensor indices, first_example;
};

// Makes training batches. Everything in a batch is a function of (seed, step): each epoch visits
// the data in a new order, its last batch may be smaller, and noise, t, dropped classes and the
// classifier's augmentation are keyed by the index of the example in the run. So a run resumes
// anywhere with nothing but its step.
class BatchSource {
 public:
  BatchSource(Context& context, const MnistDataset& data, const TrainConfig& config);

  int64_t steps_per_epoch() const { return order_.steps_per_epoch(); }
  Batch batch(int64_t step);  // from 0

  // The same in two parts, for captured steps. stage_batch() uploads the indices of the step;
  // batches of one size share their tensors. make_batch() then launches the kernel that writes
  // inputs and target, and depends on these tensors alone, so it can be captured.
  const Batch& stage_batch(int64_t step);
  void make_batch(const Batch& batch) const;

  // A step in parts of config.micro_batch_size images, the last one perhaps smaller. The inputs of
  // an example are the same in a part and in the whole batch.
  int64_t images(int64_t step) const { return slice(step).count; }
  int64_t parts(int64_t step) const;
  const Batch& stage_part(int64_t step, int64_t part);  // in place of stage_batch()
  FixedShare share(int64_t step, const Batch& part) const;

 private:
  BatchOrder::Slice slice(int64_t step) const;
  Batch empty_batch(int64_t images) const;
  float* input(const Batch& batch, InputRole role) const;
  const Batch& stage(const BatchOrder::Slice& rows, uint64_t first_example);
  void upload_indices(const BatchOrder::Slice& rows, uint64_t first_example, const Batch& batch);
  void make_diffusion(const Batch& batch) const;
  void make_digits(const Batch& batch) const;

  Context& context_;
  TrainConfig config_;
  Network network_;
  BatchOrder order_;
  Tensor images_;                    // [count, 784] u8
  Tensor labels_;                    // [count] u8
  Tensor alpha_bar_;                 // [T], DDPM only
  std::map<int64_t, Batch> staged_;  // by size
};

}  // namespace ebb
