#pragma once

#include <cstdint>

#include "apps/train_mnist/train_options.h"
#include "weights/mnist_dataset.h"

namespace ebb {

int64_t total_steps(const TrainConfig& config, int64_t steps_per_epoch);

// Whether samples are shown after an epoch of a run of `total` steps.
bool samples_are_due(const TrainOptions& options, int64_t epoch, int64_t total,
                     int64_t steps_per_epoch);
// Whether a run that ends within an epoch shows samples there, in place of those after its last
// epoch.
bool samples_are_due_at_end(const TrainOptions& options, int64_t total, int64_t steps_per_epoch);

// The training images. Also settles how many classes the run has.
MnistDataset load_training_data(TrainOptions& options);

// The test images, before the first step, so that a missing file shows at once: of a classifier for
// its accuracy, of a denoiser for its grids, else for the validation loss, which goes without them.
// Empty where they are not needed or not there.
MnistDataset load_test_data(const TrainOptions& options, int64_t training_images);

// Images [first, first + count) of a data set.
MnistDataset part_of(const MnistDataset& data, int64_t first, int64_t count);

}  // namespace ebb
