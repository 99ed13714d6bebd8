#include "diffusion/conditioner.h"

#include "testing/catch.h"
#include "testing/contexts.h"
#include "testing/errors.h"
#include "testing/networks.h"

namespace ebb {
namespace {

TEST_CASE("a prompt names a class by digit or word, alone or in a sentence") {
  for (const char* prompt : {"7", "seven", "Seven", "a photo of a seven", "a photo of a 7.",
                             "the number SEVEN, handwritten"}) {
    INFO(prompt);
    CHECK(class_of_prompt(prompt) == 7);
  }
  CHECK(class_of_prompt("0") == 0);
  CHECK(class_of_prompt("zero") == 0);
  CHECK(class_of_prompt("12") == 12);
}

TEST_CASE("a prompt without a number, or with two, names no class") {
  for (const char* prompt : {"", "a photo of a dog", "six or seven", "6 7", "seventeen", "x7",
                             "99999999999999999999999"}) {
    INFO(prompt);
    CHECK(class_of_prompt(prompt) == std::nullopt);
  }
}

TEST_CASE("classes become one-hot rows, no class a row of zeros") {
  const auto context = test::cpu_context();
  const std::vector<int64_t> labels = {2, kNoClass, 0};
  CHECK(one_hot(*context, labels, 3).to_host() == std::vector<float>{0, 0, 1, 0, 0, 0, 1, 0, 0});
  CHECK(class_count(make_network(test::mnist_config("class", "add", 4), "t")) == 10);
  CHECK(class_count(make_network(test::mnist_config("time", "add", 4), "t")) == 0);
}

TEST_CASE("a conditioner turns prompts into the network's condition") {
  const auto context = test::cpu_context();
  const Network network = make_network(test::mnist_config("class", "add", 4), "t");
  const auto conditioner = make_conditioner(*context, network, "model");
  REQUIRE(conditioner != nullptr);
  const std::vector<std::string> prompts{"a photo of a seven", "", "0"};
  const TensorMap conditions = conditioner->encode(prompts);
  REQUIRE(conditions.size() == 1);
  const std::vector<int64_t> labels{7, kNoClass, 0};
  CHECK(test::compare_bits(conditions.at("c"), one_hot(*context, labels, 10)) == "");

  for (const char* wrong : {"a dog", "12", "6 7"}) {
    const std::vector<std::string> prompt{wrong};
    CHECK(test::message_of<UsageError>([&] { conditioner->encode(prompt); }) ==
          cat("prompt ", wrong,
              ": must name one of the classes 0..9 of model, such as 7, seven or 'a photo of a "
              "seven'"));
  }
  const std::vector<std::string> misspelled{"a sevn"};
  CHECK(test::message_of<UsageError>([&] {
          conditioner->encode(misspelled);
        }).ends_with("'a photo of a seven'. Did you mean seven?"));
}

TEST_CASE("a network without a condition has no conditioner, another condition is refused") {
  const auto context = test::cpu_context();
  Network network = make_network(test::mnist_config("time", "add", 4), "t");
  CHECK(make_conditioner(*context, network, "model") == nullptr);
  network.inputs.push_back({"states", {77, 4096}, InputRole::kCondition});
  CHECK(test::message_of<UsageError>([&] { make_conditioner(*context, network, "model"); }) ==
        "model: is conditioned on states [77, 4096], expected a class.");
  CHECK(class_count(network) == 0);
}

TEST_CASE("a network that takes ids always needs a class") {
  const auto context = test::cpu_context();
  Network network = make_network(test::mnist_config("time", "add", 4), "t");
  network.inputs.push_back({"ids", {}, InputRole::kCondition, DType::kI32, false, 12});
  CHECK(class_count(network) == 12);
  const auto conditioner = make_conditioner(*context, network, "model");
  CHECK_FALSE(conditioner->has_none());
  const std::vector<int64_t> labels{11, 3}, none{kNoClass};
  const Tensor ids = conditioner->encode(labels).at("ids");
  CHECK(ids.shape() == Shape({2}));
  CHECK(std::vector<int32_t>(ids.data<int32_t>(), ids.data<int32_t>() + 2) ==
        std::vector<int32_t>{11, 3});
  CHECK(test::message_of<UsageError>([&] { conditioner->encode(none); }) ==
        "model: makes images of one of its classes 0..11, never without. Choose one.");
}

}  // namespace
}  // namespace ebb
