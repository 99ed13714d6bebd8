#include "diffusion/generate.h"

#include "diffusion/conditioner.h"
#include "testing/catch.h"
#include "testing/contexts.h"
#include "testing/networks.h"

namespace ebb {
namespace {

constexpr size_t kPixels = 28 * 28;

struct Setup {
  const char* name;
  const char* conditioning;
  const char* fusion;
  Objective objective;
  SamplerKind sampler;
};

std::vector<Setup> setups() {
  const Objective ddpm, flow{.type = ObjectiveType::kFlow};
  return {{"ddpm class", "class", "add", ddpm, SamplerKind::kDdpm},
          {"ddim class", "class", "add", ddpm, SamplerKind::kDdim},
          {"dpm++ class", "class", "add", ddpm, SamplerKind::kDpmpp},
          {"ddpm time", "time", "add", ddpm, SamplerKind::kDdpm},
          {"euler class", "class", "add", flow, SamplerKind::kEuler},
          {"heun time", "time", "multiply", flow, SamplerKind::kHeun}};
}

// What a request is made of in these tests.
struct Request {
  std::vector<int64_t> classes;
  int64_t steps = 4;
  double cfg_scale = 5;
  uint64_t first_seed = 70;
  int64_t batch_size = 64;
};

Request request_for(const Setup& setup, int64_t images) {
  Request request;
  for (int64_t i = 0; i < images; ++i) {
    request.classes.push_back(setup.conditioning == std::string("class") ? (3 * i) % 10 : kNoClass);
  }
  return request;
}

GenerateRequest request_of(Context& context, const Network& network, const Setup& setup,
                           const Request& wanted) {
  GenerateRequest request;
  request.images = static_cast<int64_t>(wanted.classes.size());
  request.guidance = class_guidance(context, network, wanted.classes, wanted.cfg_scale);
  request.sampler.kind = setup.sampler;
  request.schedule = full_schedule(setup.objective, wanted.steps);
  request.first_seed = wanted.first_seed;
  request.batch_size = wanted.batch_size;
  return request;
}

std::vector<float> draw(const Setup& setup, const Request& request, int threads,
                        int64_t hidden = 4) {
  const auto context = test::cpu_context(threads);
  const Network network =
      make_network(test::mnist_config(setup.conditioning, setup.fusion, hidden), "test");
  const TensorMap params = test::random_params(*context, network, 3);
  return generate(*context, network, params, request_of(*context, network, setup, request),
                  [](int64_t, int64_t, const Tensor&) {});
}

std::span<const float> image(const std::vector<float>& values, size_t i) {
  return std::span(values).subspan(i * kPixels, kPixels);
}

TEST_CASE("an image is bitwise the same in any batch and alone") {
  for (const Setup& setup : setups()) {
    INFO(setup.name);
    Request request = request_for(setup, 7);
    const std::vector<float> together = draw(setup, request, 2);
    REQUIRE(together.size() == 7 * kPixels);
    for (const int64_t batch_size : {1, 2, 3, 4}) {
      request.batch_size = batch_size;
      CHECK(test::compare_bits(draw(setup, request, 2), together) == "");
    }
    Request alone = request_for(setup, 1);
    alone.classes = {request.classes[5]};
    alone.first_seed = request.first_seed + 5;
    CHECK(test::compare_bits(draw(setup, alone, 1), image(together, 5)) == "");
  }
}

TEST_CASE("images do not depend on the number of threads") {
  for (const Setup& setup : setups()) {
    INFO(setup.name);
    const Request request = request_for(setup, 3);
    CHECK(test::compare_bits(draw(setup, request, 1), draw(setup, request, 3)) == "");
  }
}

TEST_CASE("independence of batch and threads holds at the width that ships") {
  const Setup setup = setups()[0];
  Request request = request_for(setup, 5);
  request.steps = 1;
  const std::vector<float> together = draw(setup, request, 2, 64);
  request.batch_size = 2;
  CHECK(test::compare_bits(draw(setup, request, 1, 64), together) == "");
}

TEST_CASE("two seeds give two images, two classes give two images of one seed") {
  const Setup setup = setups()[0];
  Request request = request_for(setup, 2);
  request.classes = {4, 4};
  const std::vector<float> seeds = draw(setup, request, 1);
  CHECK(test::compare_bits(image(seeds, 0), image(seeds, 1)) != "");
  request.classes = {4};
  const std::vector<float> four = draw(setup, request, 1);
  request.classes = {9};
  CHECK(test::compare_bits(draw(setup, request, 1), four) != "");
}

TEST_CASE("an image without a class is the guidance to nothing at any scale") {
  const Setup setup = setups()[0];
  Request request = request_for(setup, 1);
  request.classes = {kNoClass};
  request.cfg_scale = 1;
  const std::vector<float> plain = draw(setup, request, 1);
  request.cfg_scale = 5;
  const std::vector<float> guided = draw(setup, request, 1);
  CHECK(test::nmse(guided, test::to_double(plain)) < 1e-9);
}

TEST_CASE("the callback hears of every batch and step") {
  const Setup setup = setups()[0];
  Request request = request_for(setup, 5);
  request.batch_size = 2;
  const auto context = test::cpu_context();
  const Network network = make_network(test::mnist_config("class", "add", 4), "test");
  const TensorMap params = test::random_params(*context, network, 3);
  std::vector<std::string> heard, expected;
  const std::vector<float> values =
      generate(*context, network, params, request_of(*context, network, setup, request),
               [&](int64_t first, int64_t done, const Tensor& x) {
                 heard.push_back(cat(first, "+", x.shape()[0], " ", done));
               });
  for (const char* batch : {"0+2 ", "2+2 ", "4+1 "}) {
    for (int64_t done = 0; done <= 4; ++done) expected.push_back(cat(batch, done));
  }
  CHECK(heard == expected);
  CHECK(values.size() == 5 * kPixels);
}

}  // namespace
}  // namespace ebb
