#include "diffusion/bind_params.h"

#include <set>

#include "testing/catch.h"
#include "testing/contexts.h"
#include "testing/errors.h"
#include "testing/fake_weights.h"

namespace ebb {
namespace {

using Catch::Matchers::Contains;
using test::FakeWeights;
using Tensors = std::vector<TensorInfo>;

const std::vector<ParamSpec> kSpecs = {
    {"conv.weight", {2, 1, 3, 4}, {.layout = ParamLayout::kConv}},         // O, KH, KW, C
    {"up.weight", {2, 1, 3, 4}, {.layout = ParamLayout::kConvTranspose}},  // O, KH, KW, C
    {"bn.running_mean", {5}, {.layout = ParamLayout::kPlain, .trainable = false}},
};

Tensors fitting() {
  return {{"up.weight", StDType::kF32, {4, 2, 1, 3}},
          {"bn.running_mean", StDType::kF32, {5}},
          {"conv.weight", StDType::kF32, {2, 4, 1, 3}}};
}

std::string bind_error(const Tensors& tensors, const NameMap& names = state_dict_name) {
  const auto context = test::cpu_context();
  FakeWeights source(tensors);
  const std::string message =
      test::message_of<FormatError>([&] { bind_params(*context, kSpecs, source, names); });
  CHECK(source.reads().empty());
  return message;
}

TEST_CASE("bind puts PyTorch's layouts into the engine's, in the type of the file") {
  const auto context = test::cpu_context();
  const StDType stored = GENERATE(StDType::kF32, StDType::kF16, StDType::kBF16);
  Tensors tensors = fitting();
  for (TensorInfo& tensor : tensors) tensor.dtype = stored;
  FakeWeights source(tensors);
  const TensorMap params = bind_params(*context, kSpecs, source).params;
  REQUIRE(params.size() == 3);
  for (const auto& [name, tensor] : params) CHECK(tensor.dtype() == *to_engine_dtype(stored));
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

TEST_CASE("every tensor is read once, in the source's order, through one buffer") {
  const auto context = test::cpu_context();
  Tensors tensors = fitting();
  tensors[0].dtype = StDType::kF16;
  FakeWeights source(tensors);
  bind_params(*context, kSpecs, source);
  REQUIRE(source.reads().size() == 3);
  const std::byte* buffer = source.reads()[0].dst;
  CHECK(source.reads() == std::vector<FakeWeights::Read>{{"up.weight", DType::kF16, buffer},
                                                         {"bn.running_mean", DType::kF32, buffer},
                                                         {"conv.weight", DType::kF32, buffer}});
}

TEST_CASE("bind ignores BatchNorm's batch counters, which PyTorch writes") {
  const auto context = test::cpu_context();
  Tensors tensors = fitting();
  tensors.push_back({"bn.num_batches_tracked", StDType::kI64, {}});
  FakeWeights source(tensors);
  const TensorMap params = bind_params(*context, kSpecs, source).params;
  CHECK(params.size() == 3);
  CHECK(params.count("bn.num_batches_tracked") == 0);
  CHECK(source.reads().size() == 3);
}

TEST_CASE("one error lists all missing, unexpected and mis-shaped tensors") {
  Tensors tensors = fitting();
  tensors.erase(tensors.begin() + 1);  // bn.running_mean
  tensors[0].shape = {2, 4, 1, 3};     // of up.weight: the layout of an ordinary convolution
  tensors.push_back({"num_batches_tracked.x", StDType::kF32, {1}});
  tensors.push_back({"extra.weight", StDType::kF32, {7}});
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
  for (int i = 0; i < 100; ++i) {
    tensors.push_back({"extra." + std::to_string(i), StDType::kF32, {1}});
  }
  const std::string message = bind_error(tensors);
  CHECK_THAT(message, Contains("100 unexpected: ") && Contains(" and 95 more"));
  CHECK(message.size() < 1000);
}

TEST_CASE("names from a file are printed escaped") {
  Tensors tensors = fitting();
  tensors.push_back({"\x1b[31mred", StDType::kF32, {1}});
  CHECK(bind_error(tensors).find('\x1b') == std::string::npos);
}

TEST_CASE("types that no parameter has are refused by name before anything is read") {
  for (const StDType dtype : {StDType::kI32, StDType::kF64, StDType::kF8E4M3}) {
    Tensors tensors = fitting();
    tensors[2].dtype = dtype;
    CHECK_THAT(bind_error(tensors),
               Contains(std::string("m.safetensors: tensor \"conv.weight\" is ") +
                        to_string(dtype) + ", expected F32, F16 or BF16"));
  }
}

// "model.conv.weight" for "conv.weight"; a head of another use is left out.
std::optional<std::string> without_prefix(std::string_view stored) {
  if (stored.starts_with("head.")) return std::nullopt;
  const std::string_view prefix = "model.";
  return std::string(stored.starts_with(prefix) ? stored.substr(prefix.size()) : stored);
}

TEST_CASE("a family of models may call its tensors otherwise") {
  const auto context = test::cpu_context();
  Tensors tensors = fitting();
  for (TensorInfo& tensor : tensors) tensor.name = "model." + tensor.name;
  tensors.push_back({"head.weight", StDType::kF32, {100}});
  FakeWeights source(tensors);
  const TensorMap params = bind_params(*context, kSpecs, source, without_prefix).params;
  CHECK(params.at("bn.running_mean").to_host() == std::vector<float>{0, 1, 2, 3, 4});
  CHECK(source.reads().size() == 3);
  CHECK(source.reads()[0].name == "model.up.weight");

  tensors.push_back({"conv.weight", StDType::kF32, {2, 4, 1, 3}});
  CHECK_THAT(bind_error(tensors, without_prefix),
             Contains("tensors \"model.conv.weight\" and \"conv.weight\" are both parameter "
                      "\"conv.weight\""));
  tensors.pop_back();
  tensors.push_back({"model.extra", StDType::kF32, {1}});
  CHECK_THAT(bind_error(tensors, without_prefix), Contains("1 unexpected: \"model.extra\" [1]"));
}

TEST_CASE("bind warns of values that are no numbers, in the order of the network") {
  const auto context = test::cpu_context();
  FakeWeights source(fitting());
  source.non_finite["up.weight"] = {.nan = 2, .infinite = 0};
  source.non_finite["conv.weight"] = {.nan = 0, .infinite = 1};
  const std::vector<std::string> warnings = bind_params(*context, kSpecs, source).warnings;
  REQUIRE(warnings.size() == 2);
  CHECK_THAT(warnings[0], Contains("m.safetensors: tensor \"conv.weight\" holds 0 NaN and 1 inf"));
  CHECK_THAT(warnings[1], Contains("m.safetensors: tensor \"up.weight\" holds 2 NaN and 0 inf"));
}

}  // namespace
}  // namespace ebb
