#include "nn/autograd/trainer.h"

#include <cmath>

#include "nn/autograd/tape.h"

namespace ebb::autograd {

Trainer::Trainer(Context& context, Network network, const TrainerConfig& config)
    : context_(context),
      network_(std::move(network)),
      config_(config),
      params_(context, list_params(network_), config.ema_decay > 0),
      buffers_before_(Tensor::zeros(context, params_.buffers().shape())) {}

StepResult Trainer::step(const TensorMap& inputs, const Tensor& target, double lr) {
  buffers_before_.copy_from(params_.buffers());
  StepResult result;
  {
    Tape tape(context_, params_, Mode::kTrain);
    std::vector<Value> values;
    for (const NetworkInput& input : network_.inputs) {
      values.push_back(tape.input(inputs.at(input.name)));
    }
    const Value output = network_.forward(tape, values), wanted = tape.input(target);
    const Value loss = config_.loss == Loss::kMse ? tape.mse_loss(output, wanted)
                                                  : tape.softmax_cross_entropy(output, wanted);
    result.loss = tape.tensor(loss).item();
    tape.backward(loss);
  }
  result.grad_norm = grad_norm(context_, params_);
  result.updated = std::isfinite(result.loss) && std::isfinite(result.grad_norm);
  if (!result.updated) {
    params_.buffers().copy_from(buffers_before_);
    return result;
  }
  const bool clip = config_.clip_norm > 0 && result.grad_norm > config_.clip_norm;
  const double grad_scale = clip ? config_.clip_norm / result.grad_norm : 1.0;
  adam_step(context_, params_, config_.adam, lr, ++updates_, grad_scale);
  if (params_.has_ema()) ema_step(context_, params_, config_.ema_decay);
  return result;
}

}  // namespace ebb::autograd
