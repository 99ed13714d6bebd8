#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "base/dtype.h"
#include "diffusion/objective.h"
#include "nn/network.h"
#include "nn/unet_mnist.h"

namespace ebb {

enum class TrainModel { kDenoiser, kTime, kClass, kClassifier };

// The settings to start from: those of a term of the course, or the ones that show digits soonest.
enum class Preset { kFa24, kSp25, kFa25, kQuick };
inline constexpr std::array kPresetNames = {"fa24", "sp25", "fa25", "quick"};  // in order
const char* to_string(Preset preset);
Preset parse_preset(const std::string& name);  // UsageError

// Everything that determines a run's results. Two runs with equal configs on equal data are equal
// bit for bit, whatever their threads, interruptions and output directories.
struct TrainConfig {
  TrainModel model = TrainModel::kClass;
  Objective objective;
  TimeFusion time_fusion = TimeFusion::kAdd;
  int64_t hidden = 64;
  int64_t classes = 10;  // that the data set has, for the models that know classes
  int64_t batch_size = 128;
  int64_t micro_batch_size = 0;  // images computed at once, below batch_size; 0: the whole batch
  double lr = 1e-3;
  double lr_decay = 0.1;  // the learning rate ends at lr * lr_decay, falling once an epoch; 1: none
  int64_t lr_warmup_steps = 0;
  int64_t epochs = 20;
  int64_t max_steps = 0;  // 0: all epochs
  double class_dropout = 0.1;
  double ema_decay = 0;     // 0: no EMA
  double clip_norm = 0;     // 0: no clipping
  double max_shift = 0;     // classifier: augmentation: largest shift in pixels
  double max_rotation = 0;  // classifier: augmentation: largest rotation in degrees
  bool overfit_batch = false;
  Precision precision = Precision::kF32;  // that of the context; not kF16
  uint64_t seed = 0;

  friend bool operator==(const TrainConfig&, const TrainConfig&) = default;
};

// The assignment's settings: fa24 trains DDPM, sp25 and fa25 flow matching. kQuick trains a small
// network, by flow matching, for the few hundred steps after which its samples are digits, within a
// minute on two cores. The classifier is not part of the assignment; its settings are ebb's own.
TrainConfig preset_config(TrainModel model, Preset preset);

// The preset that a config started from, as far as it shows.
Preset preset_of(const TrainConfig& config);

// Epochs after which the assignment requires samples.
std::vector<int64_t> sample_epochs(Preset preset, int64_t epochs);

// The learning rate of a step (from 0): ExponentialLR stepped per epoch, after a linear warm-up.
double learning_rate(const TrainConfig& config, int64_t step, int64_t steps_per_epoch);

Network make_network(const TrainConfig& config);

// JSON of everything that decides what a step computes (all but max_steps), for checkpoints.
std::string to_json(const TrainConfig& config);
// Reads it back; keys that older runs lack have the value that was the only one then. JsonError or
// FormatError when it is damaged.
TrainConfig parse_config(const std::string& json);
// Differences between two stored configs: "lr is 0.001, the run had 0.0001"; empty if they agree.
std::string describe_difference(const std::string& json, const std::string& stored_json);

// The train_mnist call that makes this run, which started from `preset`: without paths or machine
// settings.
std::string command_line(const TrainConfig& config, Preset preset);

const char* to_string(TrainModel model);
TrainModel parse_model(const std::string& name);  // or a former name; UsageError

}  // namespace ebb
