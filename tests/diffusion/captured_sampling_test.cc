// A sampler's step (network, guidance, update), captured once and launched, on the emulator.

#include "diffusion/noise_level.h"
#include "diffusion/sampler.h"
#include "testing/catch.h"
#include "testing/contexts.h"
#include "testing/networks.h"

namespace ebb {
namespace {

// Images of two batches, one after the other, and the number of captured graphs.
struct Generated {
  std::vector<float> images;
  int captured_graphs = 0;
};

Generated draw(Context& context, const SamplerSettings& settings,
               const SamplingSchedule& schedule) {
  const Network network = make_network(test::mnist_config("class", "add", 4), "class");
  const TensorMap params = test::random_params(context, network, 1);
  const Tensor classes = test::random_inputs(context, network, 2, 2).at("c");  // the last: none
  NetworkDenoiser denoiser(context, network, params, 1,
                           guided({{"c", classes}}, {{"c", Tensor::zeros(context, {1, 10})}}, 3));
  const auto sampler = make_sampler(context, settings, schedule);
  const Tensor x = Tensor::empty(context, {1, 28, 28, 1});
  Generated generated;
  for (const int64_t image : {0, 1}) {
    denoiser.select(image);
    const ImageNoise noise(context, static_cast<uint64_t>(image));
    noise.start(x);
    run_sampler(context, *sampler, schedule, {}, denoiser, nullptr, noise, x,
                [](int64_t, const Tensor&) { return true; });
    const std::vector<float> values = x.to_host();
    generated.images.insert(generated.images.end(), values.begin(), values.end());
  }
  generated.captured_graphs = sampler->captured_graphs();
  return generated;
}

void compare_with_eager(const SamplerSettings& settings, const SamplingSchedule& schedule,
                        int captured_graphs) {
  const auto context = make_context("emu", 1);
  const Generated captured = draw(*context, settings, schedule);
  CHECK(captured.captured_graphs == captured_graphs);
  const auto profiled = make_context("emu", 1);
  profiled->enable_profiler();  // which sees every kernel, so that nothing is captured
  const Generated eager = draw(*profiled, settings, schedule);
  CHECK(eager.captured_graphs == 0);
  CHECK(test::compare_bits(captured.images, eager.images) == "");
}

TEST_CASE("replayed sampling steps give the bits of eager ones", "[diffusion][emu]") {
  Objective ddpm, flow;
  ddpm.type = ObjectiveType::kDdpm;
  flow.type = ObjectiveType::kFlow;
  // The last step adds no noise: a kind of its own, met once per batch.
  SECTION("DDPM") { compare_with_eager({.kind = SamplerKind::kDdpm}, full_schedule(ddpm, 4), 2); }
  SECTION("DPM-Solver++") {
    compare_with_eager({.kind = SamplerKind::kDpmpp}, full_schedule(ddpm, 5), 2);
  }
  SECTION("Heun") { compare_with_eager({.kind = SamplerKind::kHeun}, full_schedule(flow, 3), 1); }
}

}  // namespace
}  // namespace ebb
