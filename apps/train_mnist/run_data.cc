#include "apps/train_mnist/run_data.h"

#include <algorithm>
#include <vector>

#include "base/error.h"

namespace ebb {
namespace {

bool knows_classes(TrainModel model) {
  return model == TrainModel::kClass || model == TrainModel::kClassifier;
}

bool draws_from_test_images(const TrainOptions& options, int64_t training_images) {
  const TrainConfig& config = options.config;
  if (config.model != TrainModel::kDenoiser) return false;
  const int64_t steps_per_epoch = (training_images + config.batch_size - 1) / config.batch_size;
  const int64_t total = total_steps(config, steps_per_epoch);
  for (int64_t epoch = 1; epoch <= total / steps_per_epoch; ++epoch) {
    if (samples_are_due(options, epoch, total, steps_per_epoch)) return true;
  }
  return samples_are_due_at_end(options, total, steps_per_epoch);
}

}  // namespace

int64_t total_steps(const TrainConfig& config, int64_t steps_per_epoch) {
  const int64_t steps = config.epochs * steps_per_epoch;
  return config.max_steps > 0 ? std::min(steps, config.max_steps) : steps;
}

bool samples_are_due(const TrainOptions& options, int64_t epoch, int64_t total,
                     int64_t steps_per_epoch) {
  if (options.config.model == TrainModel::kClassifier) return false;  // it draws nothing
  const int64_t every = options.settings.sample_every;
  if (every > 0) return epoch % every == 0;
  const int64_t last_epoch = total % steps_per_epoch == 0 ? total / steps_per_epoch : 0;
  const auto shown = sample_epochs(options.settings.preset, last_epoch);
  return std::find(shown.begin(), shown.end(), epoch) != shown.end();
}

bool samples_are_due_at_end(const TrainOptions& options, int64_t total, int64_t steps_per_epoch) {
  return options.config.model != TrainModel::kClassifier && options.settings.sample_every == 0 &&
         total % steps_per_epoch != 0;
}

MnistDataset load_training_data(TrainOptions& options) {
  const bool labeled = knows_classes(options.config.model);
  MnistDataset data = load_mnist(options.settings.data, MnistSplit::kTrain,
                                 labeled ? options.classes : std::optional(kClassesOfLabels));
  if (labeled) options.config.classes = data.classes;
  return data;
}

MnistDataset load_test_data(const TrainOptions& options, int64_t training_images) {
  const TrainConfig& config = options.config;
  const std::string& data = options.settings.data;
  if (config.model == TrainModel::kClassifier) {
    return load_mnist(data, MnistSplit::kTest, config.classes);
  }
  const int64_t classes = config.model == TrainModel::kClass ? config.classes : kClassesOfLabels;
  if (draws_from_test_images(options, training_images)) {
    return load_mnist(data, MnistSplit::kTest, classes);
  }
  if (options.settings.validation_images == 0) return {};
  try {
    return load_mnist(data, MnistSplit::kTest, classes);
  } catch (const IoError&) {
    return {};
  }
}

MnistDataset part_of(const MnistDataset& data, int64_t first, int64_t count) {
  const auto pixels = data.images.begin() + first * MnistDataset::kPixels;
  const auto labels = data.labels.begin() + first;
  return {.count = count,
          .images = {pixels, pixels + count * MnistDataset::kPixels},
          .labels = {labels, labels + count},
          .fingerprint = data.fingerprint,
          .classes = data.classes};
}

}  // namespace ebb
