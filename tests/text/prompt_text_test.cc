#include "text/prompt_text.h"

#include "base/error.h"
#include "testing/catch.h"

namespace ebb {
namespace {

using Catch::Matchers::Contains;

TEST_CASE("prompts are lowered as Python's str.lower() does") {
  CHECK(lower_and_strip("A Rocket SHIP") == "a rocket ship");
  CHECK(lower_and_strip("\u0130") == "i\u0307");  // capital i with a dot: two characters
  CHECK(lower_and_strip("\u039f\u0394\u039f\u03a3") == "\u03bf\u03b4\u03bf\u03c2");  // final sigma
  CHECK(lower_and_strip("\u03a3\u0391") == "\u03c3\u03b1");
  CHECK(lower_and_strip("\u1e9e \u00c4") == "\u00df \u00e4");
}

TEST_CASE("white space goes at both ends, as str.strip() knows it") {
  CHECK(lower_and_strip("") == "");
  CHECK(lower_and_strip(" \t\n\v\f\r\x1c\x1d\x1e\x1f") == "");
  CHECK(lower_and_strip("\u0085\u00a0\u1680\u2000\u200a\u2028\u2029\u202f\u205f\u3000a b\u3000") ==
        "a b");
  CHECK(lower_and_strip("\u200ba\u200b") == "\u200ba\u200b");  // a zero-width space is none
}

TEST_CASE("a prompt that is not UTF-8 is refused") {
  CHECK_THROWS_AS(lower_and_strip("a\xff"), UsageError);
  CHECK_THROWS_WITH(lower_and_strip("a\xff"), Contains("is not UTF-8"));
}

}  // namespace
}  // namespace ebb
