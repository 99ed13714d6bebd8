#include "text/tokenizer.h"

#include "base/error.h"
#include "base/json.h"
#include "testing/catch.h"
#include "testing/temp_dir.h"

namespace ebb {
namespace {

using test::get_file;

constexpr const char* kFolder = "tests/golden/tokenizer/";

Tokenizer tokenizer_of(const std::string& name) {
  const std::string path = kFolder + name + ".model";
  return {read_sentencepiece_model(path), path};
}

// tests/golden/tokenizer_goldens.py trained the models and asked the sentencepiece library.
TEST_CASE("texts in many scripts get the ids of the sentencepiece library") {
  for (const std::string name : {"t5", "plain", "suffix", "bytes", "user"}) {
    const Tokenizer tokenizer = tokenizer_of(name);
    const Json pairs = Json::parse(get_file(kFolder + name + ".json"));
    CHECK(pairs.size() >= 100);
    for (const Json& pair : pairs) {
      const auto text = pair.begin()->get<std::string>();
      std::vector<int32_t> expected;
      for (const Json& id : *(pair.begin() + 1)) expected.push_back(id.get<int32_t>());
      INFO(name << ": " << text);
      CHECK(tokenizer.encode(text) == expected);
    }
  }
}

TEST_CASE("prompts end in </s> and are padded and masked") {
  const Tokenizer tokenizer = tokenizer_of("t5");
  const std::vector<int32_t> ids = tokenizer.encode("a dog");
  const PromptTokens tokens = encode_prompt(tokenizer, "a dog", 20);
  REQUIRE(tokens.ids.size() == 20);
  REQUIRE(tokens.mask.size() == 20);
  for (size_t i = 0; i < 20; ++i) {
    CHECK(tokens.ids[i] == (i < ids.size() ? ids[i] : i == ids.size() ? 1 : 0));
    CHECK(tokens.mask[i] == (i <= ids.size() ? 1 : 0));
  }
  CHECK(tokens.cut == 0);
  CHECK(encode_prompt(tokenizer, "", 3).ids == std::vector<int32_t>{1, 0, 0});
}

TEST_CASE("a prompt that is too long is cut before </s>") {
  const Tokenizer tokenizer = tokenizer_of("t5");
  const std::vector<int32_t> ids = tokenizer.encode("a skull of a dog");
  REQUIRE(ids.size() > 3);
  const PromptTokens tokens = encode_prompt(tokenizer, "a skull of a dog", 4);
  CHECK(tokens.ids == std::vector<int32_t>{ids[0], ids[1], ids[2], 1});
  CHECK(tokens.mask == std::vector<int32_t>{1, 1, 1, 1});
  CHECK(tokens.cut == static_cast<int64_t>(ids.size()) - 3);
}

TEST_CASE("a tokenizer without </s> encodes no prompts") {
  CHECK_THROWS_AS(encode_prompt(tokenizer_of("plain"), "a", 4), FormatError);
}

TEST_CASE("bytes that are not UTF-8 are unknown, U+FFFD in a text is white space") {
  const Tokenizer tokenizer = tokenizer_of("t5");
  const std::vector<int32_t> a = tokenizer.encode("a");
  REQUIRE(a.size() == 1);
  CHECK(tokenizer.encode("a\xff\xc3") == std::vector<int32_t>{a[0], 2});
  CHECK(tokenizer.encode("a\ufffd\ufffd") == a);
}

}  // namespace
}  // namespace ebb
