#include "diffusion/conditioner.h"

#include "testing/catch.h"
#include "testing/contexts.h"
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

}  // namespace
}  // namespace ebb
