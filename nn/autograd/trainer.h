#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "engine/graph_cache.h"
#include "nn/autograd/optimizer.h"
#include "nn/autograd/param_store.h"
#include "nn/autograd/step_sum.h"
#include "nn/network.h"

namespace ebb::autograd {

class Tape;

// kOutput: the network's output is the loss; there is no target.
enum class Loss { kMse, kSoftmaxCrossEntropy, kOutput };

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
  int64_t lost = 0;     // of parts: numbers that were not finite or too large for the sums
};

// A network, its parameters and its optimizer: one call is one training step. The state is params()
// and updates(); saving and restoring both continues bit for bit. Activations and their gradients
// have the type of the context's precision. Error for f16, which underflows on small gradients.
class Trainer {
 public:
  Trainer(Context& context, Network network, const TrainerConfig& config);

  // Forward, loss against target, backward, Adam. inputs by name as in Network::inputs; target in
  // the shape of the network's output.
  StepResult step(const TensorMap& inputs, const Tensor& target, double lr);
  // The same for a batch with fixed addresses: fill() enqueues the work that writes it. On devices
  // with graph capture, the second step with a target is captured as a whole (fill, forward,
  // backward, Adam) and from then on launched without calling fill(): data that fill() reads and
  // that changes from step to step must be in device memory, written before this call.
  StepResult captured_step(const TensorMap& inputs, const Tensor& target,
                           const std::function<void()>& fill, double lr);

  // A step in parts, which need less memory than the whole: run_part() for each, with
  // fixed_share(its images, the step's, parts), then finish_step(). All parts start from the same
  // weights and running statistics, and the result does not depend on their order. fill() and
  // recording are as in captured_step().
  void run_part(const TensorMap& inputs, const Tensor& target, const std::function<void()>& fill,
                const FixedShare& share);
  StepResult finish_step(double lr);

  const Network& network() const { return network_; }
  ParamStore& params() { return params_; }
  const ParamStore& params() const { return params_; }
  int64_t updates() const { return updates_; }
  void set_updates(int64_t updates) { updates_ = updates; }
  int captured_graphs() const { return graphs_.size(); }

 private:
  struct Batch {
    TensorMap inputs;
    Tensor target;
  };

  Value loss_of(Tape& tape, Value output, const Tensor& target) const;
  Tensor backpropagate(Context& context, const TensorMap& inputs, const Tensor& target);
  void update(Context& context, const Tensor& loss, const uint64_t* lost);
  void run(Context& context, const TensorMap& inputs, const Tensor& target);
  void begin_parts();
  StepResult finish();

  Context& context_;
  std::unique_ptr<Context> pool_;  // where repeated steps have their temporaries
  Network network_;
  TrainerConfig config_;
  ParamStore params_;
  StepState state_;
  std::map<const void*, Batch> kept_batches_;  // by target; recordings hold their addresses
  GraphCache<const void*> graphs_;             // by target
  Tensor buffers_before_;                      // running statistics before the step, to undo it
  std::unique_ptr<StepSum> sum_;               // of the parts; null before the first
  bool has_parts_ = false;                     // of a step that is not finished
  int64_t updates_ = 0;
};

}  // namespace ebb::autograd
