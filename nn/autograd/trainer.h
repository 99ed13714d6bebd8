#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "nn/autograd/optimizer.h"
#include "nn/autograd/param_store.h"
#include "nn/network.h"

namespace ebb::autograd {

enum class Loss { kMse, kSoftmaxCrossEntropy };

struct TrainerConfig {
  Loss loss = Loss::kMse;
  AdamConfig adam;
  double ema_decay = 0;  // 0: no EMA
  double clip_norm = 0;  // 0: no clipping
};

struct StepResult {
  double loss = 0;
  double grad_norm = 0;
  bool updated = true;  // false when loss or gradients were not finite: nothing was changed
};

// A network, its parameters and its optimizer: one call is one training step. The state is
// params() and updates(); saving and restoring both continues bit for bit.
class Trainer {
 public:
  Trainer(Context& context, Network network, const TrainerConfig& config);

  // Forward, loss against target, backward, Adam. inputs by name as in Network::inputs; target in
  // the shape of the network's output.
  StepResult step(const TensorMap& inputs, const Tensor& target, double lr);

  const Network& network() const { return network_; }
  ParamStore& params() { return params_; }
  const ParamStore& params() const { return params_; }
  int64_t updates() const { return updates_; }
  void set_updates(int64_t updates) { updates_ = updates; }

 private:
  Context& context_;
  Network network_;
  TrainerConfig config_;
  ParamStore params_;
  Tensor buffers_before_;  // running statistics before the step, to undo it
  int64_t updates_ = 0;
};

}  // namespace ebb::autograd
