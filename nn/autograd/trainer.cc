#include "nn/autograd/trainer.h"

#include "nn/autograd/tape.h"

namespace ebb::autograd {
Trainer::Trainer(Context& context, Network network, const TrainerConfig& config)
    : context_(context),
      pool_(context.with_pool()),
      network_(std::move(network)),
      config_(config),
      params_(context, list_params(network_), config.ema_decay > 0),
      state_(context),
      buffers_before_(Tensor::zeros(context, params_.buffers().shape())) {
  EBB_CHECK(context.precision() != Precision::kF16, Error,
            "trainer: f16 underflows on small gradients");
}

StepResult Trainer::step(const TensorMap& inputs, const Tensor& target, double lr) {
  state_.set_rates(config_.adam, lr, updates_ + 1);
  run(context_, inputs, target);
  return finish();
}

StepResult Trainer::captured_step(const TensorMap& inputs, const Tensor& target,
                                  const std::function<void()>& fill, double lr) {
  if (context_.profiler() != nullptr) {  // times kernels one by one
    fill();
    return step(inputs, target, lr);
  }
  state_.set_rates(config_.adam, lr, updates_ + 1);
  kept_batches_.try_emplace(target.raw(), Batch{inputs, target});
  graphs_.run(*context_.stream(), target.raw(), [&] {
    fill();
    run(*pool_, inputs, target);
  });
  return finish();
}

Value Trainer::loss_of(Tape& tape, Value output, const Tensor& target) const {
  if (config_.loss == Loss::kOutput) return output;
  const Value expected = tape.input(target);
  return config_.loss == Loss::kMse ? tape.mse_loss(output, expected)
                                    : tape.softmax_cross_entropy(output, expected);
}

// Leaves the gradients in the store. Returns the loss [1].
Tensor Trainer::backpropagate(Context& context, const TensorMap& inputs, const Tensor& target) {
  Tape tape(context, params_, Mode::kTrain);
  std::vector<Value> values;
  for (const NetworkInput& input : network_.inputs) {
    values.push_back(tape.input(inputs.at(input.name)));
  }
  const Value output = forward_in_precision(tape, network_, values);
  const Value error = loss_of(tape, output, target);
  Tensor loss = tape.tensor(error);
  tape.backward(error);
  return loss;
}

void Trainer::update(Context& context, const Tensor& loss, const uint64_t* lost) {
  state_.decide(context, loss, grad_sum_squares(context, params_), config_.clip_norm, lost);
  adam_step(context, params_, config_.adam, state_);
  if (params_.has_ema()) ema_step(context, params_, config_.ema_decay, state_);
}

// Everything of a step but its first and its last copy between host and device.
void Trainer::run(Context& context, const TensorMap& inputs, const Tensor& target) {
  buffers_before_.copy_from(params_.buffers());
  update(context, backpropagate(context, inputs, target), nullptr);
}

void Trainer::begin_parts() {
  if (sum_ == nullptr) sum_ = std::make_unique<StepSum>(context_, params_);
  sum_->clear();
  buffers_before_.copy_from(params_.buffers());
  has_parts_ = true;
}

void Trainer::run_part(const TensorMap& inputs, const Tensor& target,
                       const std::function<void()>& fill, const FixedShare& share) {
  if (!has_parts_) begin_parts();
  sum_->set_share(share);
  const auto part = [&](Context& context) {
    fill();
    params_.buffers().copy_from(buffers_before_);
    sum_->add(context, params_, backpropagate(context, inputs, target));
  };
  if (context_.profiler() != nullptr) return part(context_);
  kept_batches_.try_emplace(target.raw(), Batch{inputs, target});
  graphs_.run(*context_.stream(), target.raw(), [&] { part(*pool_); });
}

StepResult Trainer::finish_step(double lr) {
  EBB_CHECK(has_parts_, Error, "trainer: a step of no parts");
  has_parts_ = false;
  state_.set_rates(config_.adam, lr, updates_ + 1);
  const auto end = [&](Context& context) {
    sum_->take(context, params_);
    update(context, sum_->loss(), sum_->lost());
  };
  if (context_.profiler() != nullptr) {
    end(context_);
  } else {
    graphs_.run(*context_.stream(), nullptr, [&] { end(*pool_); });
  }
  StepResult result = finish();
  if (!result.updated) result.lost = sum_->read_lost();
  return result;
}

StepResult Trainer::finish() {
  const UpdateGuard guard = state_.read();
  const StepResult result{guard.loss, guard.grad_norm, guard.update != 0, 0};
  if (result.updated) {
    ++updates_;
  } else {
    params_.buffers().copy_from(buffers_before_);
  }
  return result;
}

}  // namespace ebb::autograd
