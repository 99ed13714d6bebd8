// Training steps of diffusers' UNets against PyTorch (tests/golden/diffusers_goldens.py).

#include "nn/autograd/trainer.h"
#include "testing/catch.h"
#include "testing/contexts.h"
#include "testing/unet_golden.h"

namespace ebb {
namespace {

using autograd::Trainer;

TEST_CASE("three Adam steps of diffusers' UNets have PyTorch's losses", "[autograd]") {
  const auto context = test::cpu_context();
  for (const std::string& name : test::unet_goldens()) {
    const test::UnetGolden c(*context, name);
    Trainer trainer(*context, c.network, {});
    for (const auto& [param, value] : c.params) trainer.params().value(param).copy_from(value);
    const Tensor target = c.golden.activation(*context, "target");
    const std::vector<float> losses = c.golden.values("adam64.losses");
    for (size_t step = 0; step < losses.size(); ++step) {
      INFO(name << ", step " << step);
      const autograd::StepResult result = trainer.step(c.inputs, target, 1e-3);
      CHECK(result.updated);
      CHECK(result.loss == Approx(losses[step]).epsilon(1e-5));
    }
  }
}

}  // namespace
}  // namespace ebb
