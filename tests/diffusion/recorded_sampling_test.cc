// A sampler's step (network, guidance, update) recorded once and replayed, on the emulator.

#include "diffusion/sampling/noise_level.h"
#include "diffusion/sampling/sampler.h"
#include "tests/support/catch.h"
#include "tests/support/contexts.h"
#include "tests/support/networks.h"

namespace ebb {
namespace {

// Images of two batches, one after the other, and how many kinds of steps were recorded.
struct Drawn {
  std::vector<float> images;
  int recordings = 0;
};

Drawn draw(Context& context, const SamplerSettings& settings, const Walk& walk) {
  const Network network = make_network(test::mnist_config("class", "add", 4), "class");
  const TensorMap params = test::random_params(context, network, 1);
  const Tensor classes = test::random_inputs(context, network, 2, 2).at("c");  // the last: none
  NetworkDenoiser denoiser(context, network, params, 1,
                           guided(classes, Tensor::zeros(context, {1, 10}), 3));
  const auto sampler = make_sampler(context, settings, walk);
  const Tensor x = Tensor::empty(context, {1, 28, 28, 1});
  Drawn drawn;
  for (const int64_t image : {0, 1}) {
    denoiser.select(image);
    const ImageNoise noise(context, static_cast<uint64_t>(image));
    noise.start(x);
    run_sampler(context, *sampler, walk, {}, denoiser, nullptr, noise, x,
                [](int64_t, const Tensor&) {});
    const std::vector<float> values = x.to_host();
    drawn.images.insert(drawn.images.end(), values.begin(), values.end());
  }
  drawn.recordings = sampler->recordings();
  return drawn;
}

void compare_with_eager(const SamplerSettings& settings, const Walk& walk, int recordings) {
  const auto context = make_context("emu", 1);
  const Drawn recorded = draw(*context, settings, walk);
  CHECK(recorded.recordings == recordings);
  const auto profiled = make_context("emu", 1);
  profiled->enable_profiler();  // which sees every kernel, so that nothing is recorded
  const Drawn eager = draw(*profiled, settings, walk);
  CHECK(eager.recordings == 0);
  CHECK(test::compare_bits(recorded.images, eager.images) == "");
}

TEST_CASE("replayed sampling steps give the bits of eager ones", "[diffusion][emu]") {
  Objective ddpm, flow;
  ddpm.type = ObjectiveType::kDdpm;
  flow.type = ObjectiveType::kFlow;
  // The last step adds no noise: a kind of its own, met once per batch.
  SECTION("DDPM") { compare_with_eager({.kind = SamplerKind::kDdpm}, full_walk(ddpm, 4), 2); }
  SECTION("DPM-Solver++") {
    compare_with_eager({.kind = SamplerKind::kDpmpp}, full_walk(ddpm, 5), 2);
  }
  SECTION("Heun") { compare_with_eager({.kind = SamplerKind::kHeun}, full_walk(flow, 3), 1); }
}

}  // namespace
}  // namespace ebb
