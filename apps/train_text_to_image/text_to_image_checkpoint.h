#pragma once

#include <optional>
#include <string>

#include "apps/train_text_to_image/text_to_image_config.h"
#include "nn/autograd/trainer.h"

namespace ebb {

// A run is the same by these, besides its config.
struct RunInputs {
  std::string data, text;  // fingerprints

  friend bool operator==(const RunInputs&, const RunInputs&) = default;
};

// A training state (apps/training/training_state.h) after `step` steps.
void save_text_to_image_checkpoint(const std::string& path, const autograd::Trainer& trainer,
                                   const TextToImageConfig& config, const RunInputs& inputs,
                                   int64_t step);

// Restores a trainer and returns the number of steps. FormatError for a damaged file and for one of
// another config or other inputs.
int64_t load_text_to_image_checkpoint(const std::string& path, autograd::Trainer& trainer,
                                      const TextToImageConfig& config, const RunInputs& inputs);

// The config of the run that `--resume resume` continues; nothing where there is none.
std::optional<TextToImageConfig> find_text_to_image_run(const std::string& resume,
                                                        const std::string& output);

}  // namespace ebb
