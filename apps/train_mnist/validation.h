#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "apps/train_mnist/batch_source.h"
#include "apps/train_mnist/train_config.h"
#include "diffusion/eval/digit_classifier.h"
#include "nn/autograd/trainer.h"
#include "weights/mnist_dataset.h"

namespace ebb {

// The loss on test images that training never sees, with the weights that the final model would
// hold and the network as inference runs it. Images, noise and timesteps are the same for every run
// and epoch, whatever its seed, and classes are never dropped, so the figures of runs with one
// objective compare. Reads the trainer and changes nothing of it.
class Validation {
 public:
  static constexpr int64_t kImages = 256;  // by default
  static constexpr int64_t kBatch = 64;    // at most, between two looks at the signals

  // images: how many of the test images, spread over the set; a part of a batch is left out.
  Validation(Context& context, const MnistDataset& test_data, const TrainConfig& config,
             int64_t images);

  int64_t images() const { return batches_.steps_per_epoch() * batch_; }
  // Nothing when `go_on` says false.
  std::optional<double> loss(const autograd::Trainer& trainer, const std::function<bool()>& go_on);

 private:
  Validation(Context& context, const MnistDataset& images, const TrainConfig& config);

  Context& context_;
  int64_t batch_;
  BatchSource batches_;
};

// The share of class samples that a classifier reads as the class that was asked for: the digits of
// draw_class_samples(). Nothing when `go_on` says false.
std::optional<double> read_as_asked(Context& context, const autograd::Trainer& trainer,
                                    const TrainConfig& config, DigitClassifier& classifier,
                                    const std::function<bool()>& go_on);

}  // namespace ebb
