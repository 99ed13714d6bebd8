#include "diffusion/prompt_embeddings.h"

#include "testing/catch.h"
#include "testing/contexts.h"
#include "testing/errors.h"
#include "testing/networks.h"

namespace ebb {
namespace {

using Catch::Matchers::Contains;

// A network that reads texts of 2 tokens of 3 numbers.
Network reads_text() {
  Network network;
  network.inputs = {{"sample", {2, 2, 3}, InputRole::kSample},
                    {"timestep", {}, InputRole::kTime},
                    {"text", {2, 3}, InputRole::kCondition}};
  return network;
}

PromptEmbeddings embeddings() {
  return {
      .path = "prompts.pth",
      .sha256 = "",
      .tokens = 2,
      .width = 3,
      .prompts = {"", "A pencil", "a man wearing a hat", "a rocket ship"},
      .values = {{0, 0, 0, 0, 0, 0}, {1, 1, 1, 1, 1, 1}, {2, 2, 2, 2, 2, 2}, {3, 3, 3, 3, 3, 3}}};
}

TEST_CASE("prompts are found as they are written, else without case and blanks around them") {
  const auto context = test::cpu_context();
  EmbeddingConditioner conditioner(*context, reads_text(), embeddings(), "--embeddings");
  CHECK(conditioner.find("", "-p") == kNoClass);
  CHECK(conditioner.find("  ", "-p") == kNoClass);
  CHECK(conditioner.find("A pencil", "-p") == 1);
  CHECK(conditioner.find(" a PENCIL\n", "-p") == 1);
  CHECK(conditioner.text(1) == "A pencil");
  CHECK(conditioner.text(kNoClass).empty());
  const std::vector<int64_t> conditions{3, kNoClass};
  const Tensor states = conditioner.encode(conditions).at("text");
  CHECK(states.shape() == Shape({2, 2, 3}));
  CHECK(states.to_host() == std::vector<float>{3, 3, 3, 3, 3, 3, 0, 0, 0, 0, 0, 0});
}

TEST_CASE("a prompt that is not in the file names the nearest") {
  const auto context = test::cpu_context();
  EmbeddingConditioner conditioner(*context, reads_text(), embeddings(), "--embeddings");
  CHECK(test::message_of<UsageError>([&] { conditioner.find("a man with a hat", "-p"); }) ==
        "-p a man with a hat: is not in --embeddings prompts.pth. Did you mean \"a man wearing a "
        "hat\", \"A pencil\", \"a rocket ship\"?");
}

TEST_CASE("without the empty prompt there is nothing to guide away from") {
  const auto context = test::cpu_context();
  PromptEmbeddings file = embeddings();
  file.prompts.erase(file.prompts.begin());
  file.values.erase(file.values.begin());
  EmbeddingConditioner conditioner(*context, reads_text(), file, "--embeddings");
  const std::vector<int64_t> pencil{0};
  CHECK_THAT(test::message_of<UsageError>([&] { guidance_by(conditioner, pencil, 7); }),
             Contains("holds no empty prompt"));
  CHECK(guidance_by(conditioner, pencil, 1).size() == 1);
  CHECK(guidance_by(conditioner, pencil, 7, /*negative=*/1).size() == 2);
}

TEST_CASE("embeddings of another width are refused") {
  const auto context = test::cpu_context();
  Network network = reads_text();
  network.inputs[2].shape = {2, 4};
  CHECK_THAT(test::message_of<UsageError>(
                 [&] { EmbeddingConditioner(*context, network, embeddings(), "--embeddings"); }),
             Contains("have 3 numbers per token, the model reads 4"));
}

TEST_CASE("files that hold no prompts are refused by name") {
  CHECK_THAT(test::message_of<FormatError>(
                 [&] { read_prompt_embeddings("tests/golden/checkpoints/state_dict.pth"); }),
             Contains("expected the states of a prompt, [tokens, width]"));
}

TEST_CASE("equal conditions are stored once, and none is not guided away from itself") {
  const auto context = test::cpu_context();
  EmbeddingConditioner conditioner(*context, reads_text(), embeddings(), "--embeddings");
  const std::vector<int64_t> same{2, 2, 2}, different{1, 2}, none{kNoClass, kNoClass};
  const Guidance one = guidance_by(conditioner, same, 7);
  REQUIRE(one.size() == 2);
  CHECK(one[1].condition.at("text").shape()[0] == 1);
  CHECK(guidance_by(conditioner, different, 7)[1].condition.at("text").shape()[0] == 2);
  CHECK(guidance_by(conditioner, none, 7).size() == 1);
}

}  // namespace
}  // namespace ebb
