#pragma once

#include <cstdint>
#include <string>

#include "apps/train_text_to_image/augmentation.h"
#include "engine/context.h"

namespace ebb {

// All that the weights of a run depend on, besides the data and the text states.
struct TextToImageConfig {
  int64_t stage = 1;
  std::string size = "small";  // of unet_sizes()
  int64_t batch_size = 32;
  int64_t steps = 20000;
  double lr = 3e-4;
  int64_t lr_warmup_steps = 500;
  double lr_final = 0.05;  // of lr, after the last step
  double weight_decay = 0.01;
  double ema_decay = 0.999;
  double clip_norm = 1;
  double caption_dropout = 0.1;
  double vlb_weight = 1;  // 0.001 of the paper's times its 1000 timesteps
  Augmentation augmentation = {};
  uint64_t seed = 0;
  Precision precision = Precision::kF32;
};

// JSON for checkpoints.
std::string to_json(const TextToImageConfig& config);
TextToImageConfig parse_text_to_image_config(const std::string& json, const std::string& where);

// The first setting in which two runs differ, as the end of a message; empty: none.
std::string describe_config_difference(const std::string& json, const std::string& stored);

// The rate of a step from 0: a linear warm-up, then half a cosine down to lr_final.
double learning_rate(const TextToImageConfig& config, int64_t step);

}  // namespace ebb
