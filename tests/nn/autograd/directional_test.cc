#include <cmath>

#include "nn/autograd/tape.h"
#include "testing/catch.h"
#include "testing/contexts.h"
#include "testing/networks.h"
#include "testing/reference_ops.h"

// Whole networks at D = 4: gradients of the tape against directional derivatives of the loss,
//   d/dh L(theta + h v) at 0 = gradient . v,
// with L computed in double precision by ReferenceOps. Central differences with h = 1e-5 and |v|
// near 1 err by about h^2 |L'''| = 1e-10 and 1e-16 L / h = 1e-11, far below the f32 gradient's own
// error. With an NMSE of that of 1e-10, |error . v| stays below 4 sqrt(1e-10) |gradient| in all but
// 1 of 10^4 directions v of independent standard normals.
namespace ebb {
namespace {

using autograd::Mode;
using autograd::ParamStore;
using autograd::Tape;
using test::DoubleMap;

constexpr int64_t kBatch = 2;
constexpr double kStep = 1e-5;
const double kLimit = 4 * std::sqrt(1e-10);
constexpr double kZeroGradient = 1e-6;  // of a bias in front of BatchNorm: rounding errors alone

class Problem {
 public:
  explicit Problem(const test::TestNetwork& test)
      : context_(test::cpu_context()),
        network_(test::make_test_network(test)),
        inputs_(test::random_inputs(*context_, network_, kBatch, 3)),
        target_(test::random_target(*context_, network_, kBatch, random_)) {
    ParamStore store(*context_, list_params(network_), false);
    for (const auto& [name, tensor] : test::random_params(*context_, network_, 5)) {
      store.value(name).copy_from(tensor);
      params_[name] = test::to_double(tensor.to_host());
    }
    Tape tape(*context_, store, Mode::kTrain);
    const Value output = test::forward(tape, network_, inputs_);
    const Value loss = test::loss_of(tape, network_, output, tape.input(target_));
    tape_loss_ = tape.tensor(loss).item();
    tape.backward(loss);
    for (const auto& [name, grad] : store.grads_by_name()) {
      gradients_[name] = test::to_double(grad.to_host());
    }
  }

  double tape_loss() const { return tape_loss_; }
  const DoubleMap& gradients() const { return gradients_; }

  // With the network's parameters moved by h along the direction.
  double loss(const DoubleMap& direction, double h) const {
    DoubleMap moved = params_;
    for (const auto& [name, v] : direction) {
      for (size_t i = 0; i < v.size(); ++i) moved[name][i] += h * v[i];
    }
    test::ReferenceOps ops(moved);
    std::vector<Value> values;
    for (const NetworkInput& input : network_.inputs) {
      const Tensor& tensor = inputs_.at(input.name);
      values.push_back(ops.input(tensor.shape(), test::to_double(tensor.to_host())));
    }
    const Value target = ops.input(target_.shape(), test::to_double(target_.to_host()));
    const Value output = network_.forward(ops, values);
    return ops.values(test::loss_of(ops, network_, output, target)).at(0);
  }

  // A random direction over these parameters.
  DoubleMap direction(const std::vector<std::string>& names) {
    DoubleMap result;
    for (const std::string& name : names) {
      result[name] =
          test::to_double(random_.normal(static_cast<int64_t>(gradients_.at(name).size())));
    }
    return result;
  }

  std::vector<std::string> names() const {
    std::vector<std::string> result;
    for (const auto& [name, gradient] : gradients_) result.push_back(name);
    return result;
  }

  // Error of gradient . v over its limit.
  double error_over_limit(const DoubleMap& v) const {
    double norm = 0, product = 0, square = 0, zero_terms = 0;
    for (const auto& [name, direction] : v) {
      if (test::ends_with(name, ".conv.bias")) {
        for (double d : direction) zero_terms += kZeroGradient * std::fabs(d);
      }
      for (size_t i = 0; i < direction.size(); ++i) {
        product += gradients_.at(name)[i] * direction[i];
        square += gradients_.at(name)[i] * gradients_.at(name)[i];
        norm += direction[i] * direction[i];
      }
    }
    const double h = kStep / std::sqrt(norm);
    const double derivative = (loss(v, h) - loss(v, -h)) / (2 * h);
    return std::fabs(derivative - product) / (kLimit * std::sqrt(square) + zero_terms);
  }

 private:
  std::unique_ptr<Context> context_;
  Network network_;
  test::RandomData random_{9};
  TensorMap inputs_;
  Tensor target_;
  DoubleMap params_, gradients_;
  double tape_loss_ = 0;
};

TEST_CASE("gradients of whole networks are directional derivatives of their loss", "[autograd]") {
  for (const test::TestNetwork& test : test::test_networks()) {
    INFO(test.name);
    Problem problem(test);
    CHECK(problem.tape_loss() == Approx(problem.loss({}, 0)).epsilon(1e-6));
    for (int i = 0; i < 6; ++i) {
      CHECK(problem.error_over_limit(problem.direction(problem.names())) <= 1);
    }
  }
}

TEST_CASE("each parameter's gradient is a directional derivative", "[autograd]") {
  Problem problem({"class", test::mnist_config("class", "add", 4)});
  for (const std::string& name : problem.names()) {
    INFO(name);
    CHECK(problem.error_over_limit(problem.direction({name})) <= 1);
  }
}

}  // namespace
}  // namespace ebb
