// Training steps in parts.

#include <cmath>
#include <limits>

#include "kernels/optimizer/fixed_share.h"
#include "nn/autograd/trainer.h"
#include "testing/catch.h"
#include "testing/compare.h"
#include "testing/contexts.h"
#include "testing/errors.h"
#include "testing/networks.h"

namespace ebb {
namespace {

using autograd::StepResult;
using autograd::Trainer;
using test::compare;
using test::compare_bits;

constexpr double kLr = 1e-3;
// Parts of a step of seven images, the last one smaller.
const std::vector<int64_t> kSizes = {3, 3, 1};

struct Part {
  TensorMap inputs;
  Tensor target;
  int64_t images;
};

Network class_network() { return test::make_test_network(test::test_networks()[3]); }

std::vector<Part> random_parts(const Context& context, uint64_t seed) {
  std::vector<Part> parts;
  for (const int64_t images : kSizes) {
    test::RandomData random(++seed + 1000);
    parts.push_back({test::random_inputs(context, class_network(), images, seed),
                     test::normal_tensor(context, {images, 28, 28, 1}, random), images});
  }
  return parts;
}

std::unique_ptr<Trainer> make_trainer(Context& context, double clip_norm = 0) {
  auto trainer = std::make_unique<Trainer>(
      context, class_network(),
      autograd::TrainerConfig{.adam = {}, .ema_decay = 0.5, .clip_norm = clip_norm});
  trainer->params().initialize(17);
  return trainer;
}

StepResult step(Trainer& trainer, const std::vector<Part>& parts, std::vector<size_t> order) {
  for (const size_t k : order) {
    const Part& part = parts[k];
    trainer.run_part(
        part.inputs, part.target, [] {},
        fixed_share(part.images, 7, static_cast<int64_t>(kSizes.size())));
  }
  return trainer.finish_step(kLr);
}

// Everything that a step changes.
std::vector<std::vector<float>> state_of(const Trainer& trainer) {
  const autograd::ParamStore& p = trainer.params();
  return {p.values().to_host(),
          p.first_moments().to_host(),
          p.second_moments().to_host(),
          p.buffers().to_host(),
          p.ema().to_host(),
          p.ema_buffers().to_host(),
          {static_cast<float>(trainer.updates())}};
}

void check_same(const std::vector<std::vector<float>>& a,
                const std::vector<std::vector<float>>& b) {
  for (size_t k = 0; k < a.size(); ++k) {
    INFO("part " << k << " of the state");
    CHECK(compare_bits(a[k], b[k]) == "");
  }
}

TEST_CASE("parts: their order does not change a bit", "[autograd]") {
  const auto context = test::cpu_context(), other = test::cpu_context(3);
  const auto forward = make_trainer(*context, 0.5), backward = make_trainer(*other, 0.5);
  for (uint64_t number = 0; number < 3; ++number) {
    const StepResult a = step(*forward, random_parts(*context, 10 * number), {0, 1, 2});
    const StepResult b = step(*backward, random_parts(*other, 10 * number), {2, 1, 0});
    CHECK(a.updated);
    CHECK(a.loss == b.loss);
    CHECK(a.grad_norm == b.grad_norm);
    check_same(state_of(*forward), state_of(*backward));
  }
}

// Against steps on each part alone, from the same weights and running statistics.
TEST_CASE("parts: gradients, statistics and loss are means over images", "[autograd]") {
  const auto context = test::cpu_context();
  const std::vector<Part> parts = random_parts(*context, 5);
  const auto trainer = make_trainer(*context);
  std::vector<double> grads(trainer->params().grads().to_host().size()),
      buffers(trainer->params().buffers().to_host().size());
  double loss = 0;
  for (const Part& part : parts) {
    const auto alone = make_trainer(*context);
    const double weight = static_cast<double>(part.images) / 7;
    loss += weight * alone->step(part.inputs, part.target, kLr).loss;
    const auto add = [weight](std::vector<double>& sum, const std::vector<float>& x) {
      for (size_t i = 0; i < x.size(); ++i) sum[i] += weight * x[i];
    };
    add(grads, alone->params().grads().to_host());
    add(buffers, alone->params().buffers().to_host());
  }
  const StepResult result = step(*trainer, parts, {0, 1, 2});
  CHECK(std::fabs(result.loss - loss) <= 1e-7 * loss);
  // Each part is rounded to 2^-48, and the sum to f32.
  const test::Tolerance tolerance = {3 * 0x1p-49, test::kEps32};
  CHECK(compare(trainer->params().grads().to_host(), grads, tolerance) == "");
  CHECK(compare(trainer->params().buffers().to_host(), buffers, tolerance) == "");
}

TEST_CASE("parts: a step of one is nearly that of the whole batch", "[autograd]") {
  const auto context = test::cpu_context();
  const Part batch = random_parts(*context, 3)[0];
  const auto whole = make_trainer(*context, 0.5), part = make_trainer(*context, 0.5);
  const StepResult expected = whole->step(batch.inputs, batch.target, kLr);
  part->run_part(
      batch.inputs, batch.target, [] {}, fixed_share(3, 3, 1));
  const StepResult result = part->finish_step(kLr);
  CHECK(result.loss == expected.loss);
  CHECK(std::fabs(result.grad_norm - expected.grad_norm) <= 1e-9);
  CHECK(compare_bits(part->params().buffers().to_host(), whole->params().buffers().to_host()) ==
        "");
  // A gradient that is as small as Adam's epsilon moves by a few millionths of the step.
  CHECK(compare(part->params().values().to_host(),
                test::to_double(whole->params().values().to_host()),
                {1e-5 * kLr, 2 * test::kEps32}) == "");
}

TEST_CASE("parts: a number that is not finite in one changes nothing and is counted",
          "[autograd]") {
  const auto context = test::cpu_context();
  const auto trainer = make_trainer(*context), untouched = make_trainer(*context);
  const std::vector<Part> good = random_parts(*context, 20);
  step(*trainer, good, {0, 1, 2});
  step(*untouched, good, {0, 1, 2});
  for (const float value : {std::numeric_limits<float>::quiet_NaN(), 1e30f}) {
    std::vector<Part> parts = random_parts(*context, 30);
    parts[1].target.data<float>()[5] = value;
    const StepResult result = step(*trainer, parts, {0, 1, 2});
    CHECK_FALSE(result.updated);
    CHECK(result.lost > 0);
    check_same(state_of(*trainer), state_of(*untouched));
  }
  const StepResult next = step(*trainer, good, {0, 1, 2});
  CHECK(next.updated);
  CHECK(next.lost == 0);
  step(*untouched, good, {0, 1, 2});
  check_same(state_of(*trainer), state_of(*untouched));
}

TEST_CASE("parts: a step has at least one", "[autograd]") {
  const auto context = test::cpu_context();
  const auto trainer = make_trainer(*context);
  CHECK(test::message_of<Error>([&] { trainer->finish_step(kLr); }) ==
        "trainer: a step of no parts");
}

}  // namespace
}  // namespace ebb
