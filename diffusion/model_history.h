#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace ebb {

// Training history of a model file or a checkpoint, from its metadata alone ("ebb.command",
// "ebb.training" and so on). Fields that the file lacks are empty.
struct ModelHistory {
  std::string path;
  std::string config;   // of the network, for make_network()
  std::string network;  // "time", "class" or "none": what the network is conditioned on
  int64_t hidden = 0;   // D
  std::string objective;
  std::string command;  // of train_mnist
  std::string note;     // "5 of 20 epochs"
  int64_t steps = 0;
  std::vector<double> epoch_losses;
  int64_t steps_per_point = 0;            // of the loss curve
  std::vector<double> losses;             // means of so many steps
  int64_t steps_per_epoch = 0;            // for:
  std::vector<double> validation_losses;  // after each epoch, NaN where it was not measured
};

// FormatError for a damaged file or metadata that is not such JSON, IoError when it cannot be read.
ModelHistory read_model_history(const std::string& path);

}  // namespace ebb
