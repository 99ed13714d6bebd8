#include "nn/bind.h"

#include "testing/catch.h"
#include "testing/contexts.h"
#include "testing/errors.h"
#include "testing/networks.h"

namespace ebb {
namespace {

using Catch::Matchers::Contains;
using Tensors = std::map<std::string, TorchTensor>;

const std::vector<ParamSpec> kSpecs = {
    {"conv.weight", {2, 1, 3, 4}, {.layout = ParamLayout::kConv}},         // O, KH, KW, C
    {"up.weight", {2, 1, 3, 4}, {.layout = ParamLayout::kConvTranspose}},  // O, KH, KW, C
    {"bn.running_mean", {5}, {.layout = ParamLayout::kPlain, .trainable = false}},
};

// Element i of every tensor is i.
TorchTensor counting(const std::vector<uint64_t>& shape) {
  return {shape, [](std::span<float> values) {
            for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i);
          }};
}

Tensors fitting() {
  return {{"conv.weight", counting({2, 4, 1, 3})},
          {"up.weight", counting({4, 2, 1, 3})},
          {"bn.running_mean", counting({5})}};
}

std::string bind_error(const Tensors& tensors) {
  const auto context = test::cpu_context();
  return test::message_of<FormatError>(
      [&] { bind_params(*context, kSpecs, tensors, "m.safetensors"); });
}

TEST_CASE("bind puts PyTorch's layouts into the engine's") {
  const auto context = test::cpu_context();
  const TensorMap params = bind_params(*context, kSpecs, fitting(), "m.safetensors");
  REQUIRE(params.size() == 3);
  const std::vector<float> conv = params.at("conv.weight").to_host();
  const std::vector<float> up = params.at("up.weight").to_host();
  for (int o = 0; o < 2; ++o) {
    for (int k = 0; k < 3; ++k) {
      for (int c = 0; c < 4; ++c) {
        const size_t engine = (o * 3 + k) * 4 + c;
        CHECK(conv[engine] == static_cast<float>((o * 4 + c) * 3 + k));
        CHECK(up[engine] == static_cast<float>((c * 2 + o) * 3 + k));
      }
    }
  }
  CHECK(params.at("bn.running_mean").to_host() == std::vector<float>{0, 1, 2, 3, 4});
}

TEST_CASE("bind ignores BatchNorm's batch counters, which PyTorch writes") {
  const auto context = test::cpu_context();
  Tensors tensors = fitting();
  tensors["bn.num_batches_tracked"] = {{}, nullptr};
  const TensorMap params = bind_params(*context, kSpecs, tensors, "m.safetensors");
  CHECK(params.size() == 3);
  CHECK(params.count("bn.num_batches_tracked") == 0);
}

TEST_CASE("one error lists all missing, unexpected and mis-shaped tensors") {
  Tensors tensors = fitting();
  tensors.erase("bn.running_mean");
  tensors["up.weight"] = counting({2, 4, 1, 3});  // the layout of an ordinary convolution
  tensors["extra.weight"] = counting({7});
  tensors["num_batches_tracked.x"] = counting({1});
  const std::string message = bind_error(tensors);
  CHECK_THAT(message, Contains("m.safetensors: "));
  CHECK_THAT(message, Contains("1 missing: \"bn.running_mean\" [5]"));
  CHECK_THAT(message, Contains("\"up.weight\" is [2, 4, 1, 3], expected [4, 2, 1, 3]"));
  CHECK_THAT(message,
             Contains("2 unexpected: \"extra.weight\" [7], \"num_batches_tracked.x\" [1]"));
  CHECK(message.find('\n') == std::string::npos);
}

TEST_CASE("a long list of unexpected tensors is cut, with their number") {
  Tensors tensors = fitting();
  for (int i = 0; i < 100; ++i) tensors["extra." + std::to_string(i)] = counting({1});
  const std::string message = bind_error(tensors);
  CHECK_THAT(message, Contains("100 unexpected: ") && Contains(" and 88 more"));
  CHECK(message.size() < 1000);
}

TEST_CASE("names from a file are printed escaped") {
  Tensors tensors = fitting();
  tensors["\x1b[31mred"] = counting({1});
  CHECK(bind_error(tensors).find('\x1b') == std::string::npos);
}

}  // namespace
}  // namespace ebb
