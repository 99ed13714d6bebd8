#pragma once

#include <ebb/context.h>
#include <ebb/export.h>
#include <ebb/image.h>
#include <ebb/model.h>

#include <cstdint>
#include <memory>
#include <span>
#include <string>

namespace ebb::api {

struct TrainerOptions {
  std::string objective = "ddpm";  // "ddpm", "flow" or "denoise"
  int64_t timesteps = 300;         // of ddpm
  double sigma = 0.5;              // of denoise: standard deviation of the noise
  int64_t hidden = 64;             // channels of the UNet's first level
  int64_t classes = 0;             // 0: one more than the largest label
  double class_dropout = 0.1;      // fraction of examples trained without their class
  int64_t batch_size = 128;
  double learning_rate = 1e-3;  // of Adam
  double ema_decay = 0;         // of the moving average of the weights; 0: none
  double clip_norm = 0;         // largest norm of the gradients; 0: no limit
  uint64_t seed = 0;            // of weights, order of the images, noise
};

struct TrainerStep {
  double loss = 0;  // mean squared error over the batch, before the update
  double grad_norm = 0;
  bool updated = true;  // false when loss or gradients were not finite: nothing was changed
};

// Trains the UNet of the assignment, conditioned on time (not for "denoise") and, where labels are
// given, on a class. Every step is a function of images, options and its number, bit for bit.
class EBB_API Trainer {
 public:
  // images: gray, 28 x 28. labels: one for each image, from 0 to 255, or none at all.
  // UsageError names the image, label or option that does not fit.
  Trainer(const Context& context, std::span<const Image> images, std::span<const int64_t> labels,
          const TrainerOptions& options = {});

  // Trains on the next batch. Every epoch visits the images in another order; its last batch may be
  // smaller.
  TrainerStep step();
  TrainerStep step(double learning_rate);

  int64_t steps() const;  // done
  int64_t steps_per_epoch() const;

  // A copy of what was trained so far, the moving average where there is one.
  Model model() const;
  // The same as a model file, as train_mnist writes it. An older file is replaced. IoError when it
  // cannot be written.
  void save(const std::string& path) const;

 private:
  struct EBB_LOCAL Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace ebb::api
