#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "apps/cli/progress.h"
#include "apps/train_mnist/train_options.h"
#include "diffusion/train_log.h"
#include "engine/context.h"

namespace ebb {

// Text about a run, for people.

struct RunSize {
  int64_t parameters = 0;  // trainable
  int64_t images = 0;      // training images
  int64_t validation_images = 0;
  int64_t steps_per_epoch = 0;
  int64_t steps = 0;  // of the whole run
};

// Lines of network, settings, data, device, output and length.
std::string run_header(const TrainOptions& options, const RunSize& size, const Context& context);

// "about 54m left, until 15:04", in local time; with the date when that is another day.
std::string end_estimate(double seconds_left);

// "epoch 1 | loss 0.0812 | 164 images/s"; of the last step of an epoch also what was measured.
std::vector<ProgressFact> step_facts(const LogEntry& entry);

struct EpochSummary {
  double mean_loss = 0;
  double seconds = 0;
  double images_per_second = 0;  // of the epoch
};
// "epoch 1 | mean loss 0.1033 | validation 0.0512 | 6m06s | 164 images/s"
std::vector<ProgressFact> epoch_facts(const LogEntry& last, const EpochSummary& epoch);

// A command to try on the finished run, by the `ebb` beside this program.
std::string next_command(const TrainOptions& options);

}  // namespace ebb
