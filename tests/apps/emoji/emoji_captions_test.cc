#include "apps/emoji/emoji_captions.h"

#include <algorithm>

#include "apps/emoji/emoji_styles.h"
#include "testing/catch.h"

namespace ebb {
namespace {

Emoji named(const std::string& name) {
  return {.sequence = {0x1F900}, .name = name, .keywords = {}};
}

std::string phrase(const std::string& name) { return subject_phrases(named(name)).front(); }

bool has(const std::vector<std::string>& texts, const std::string& text) {
  return std::find(texts.begin(), texts.end(), text) != texts.end();
}

TEST_CASE("names get their articles", "[emoji]") {
  CHECK(phrase("guitar") == "a guitar");
  CHECK(phrase("owl") == "an owl");
  CHECK(phrase("umbrella") == "an umbrella");
  CHECK(phrase("unicorn") == "a unicorn");
  CHECK(phrase("one o'clock") == "a one o'clock");
  CHECK(phrase("OK button") == "an OK button");
  CHECK(phrase("houses") == "houses");
  CHECK(phrase("octopus") == "an octopus");
  CHECK(phrase("glasses with eyes") == "glasses with eyes");
  CHECK(phrase("people holding hands") == "people holding hands");
  CHECK(phrase("woman: beard") == "a woman with a beard");
  CHECK(phrase("man: curly hair") == "a man with curly hair");
  CHECK(phrase("person: bald") == "a bald person");
  CHECK(phrase("family: man, boy") == "a family of man, boy");
}

TEST_CASE("captions name style, subject and keywords", "[emoji]") {
  const Emoji fox{{0x1F98A}, "fox", {"face", "fox", "clever", "red", "wood"}};
  CHECK(captions(fox, "oil painting") ==
        std::vector<std::string>{"an oil painting of a fox",
                                 "an oil painting of a fox, face, clever, red"});
  CHECK(captions(fox, "photo") == std::vector<std::string>{"a photo of a fox",
                                                           "a photo of a fox, face, clever, red",
                                                           "a fox"});
}

TEST_CASE("words of the assignment are among the captions", "[emoji]") {
  const auto of = [](std::vector<char32_t> sequence, std::string_view style) {
    return captions({std::move(sequence), "name", {}}, style);
  };
  CHECK(has(of({0x1F3D5, 0xFE0F}, "oil painting"), "an oil painting of people around a campfire"));
  CHECK(has(of({0x1F474}, "oil painting"), "an oil painting of an old man"));
  CHECK(has(of({0x1F30A}, "lithograph"), "a lithograph of waterfalls"));
  CHECK(has(of({0x1F480}, "lithograph"), "a lithograph of a skull"));
  CHECK(has(of({0x1F920}, "photo"), "a man wearing a hat"));
  CHECK(has(of({0x1F3D6}, "photo"), "a photo of the amalfi coast"));
  CHECK(has(of({0x1F9D4}, "photo"), "a photo of a hipster barista"));
  CHECK(has(of({0x1F680}, "photo"), "a photo of a rocket ship"));
}

TEST_CASE("one pair in twenty is held out, none of the assignment's", "[emoji]") {
  int held = 0, pairs = 0;
  for (char32_t c = 0x1F900; c < 0x1F900 + 2000; ++c) {
    for (const std::string_view style : kEmojiStyles) {
      held += is_held_out({{c}, "name", {}}, style) ? 1 : 0;
      ++pairs;
    }
  }
  CHECK(held > pairs / 20 * 9 / 10);
  CHECK(held < pairs / 20 * 11 / 10);
  for (const std::string_view style : kEmojiStyles) {
    CHECK_FALSE(is_held_out({{0x1F680}, "rocket", {}}, style));
  }
  CHECK(is_of_assignment({{0x1F3D4, 0xFE0F}, "snow-capped mountain", {}}));
}

}  // namespace
}  // namespace ebb
