#include "apps/emoji/emoji_list.h"

#include "testing/catch.h"
#include "testing/errors.h"
#include "testing/temp_dir.h"

namespace ebb {
namespace {

constexpr const char* kList =
    "# emoji-test.txt\n"
    "# group: Travel\n"
    "1F680      ; fully-qualified     # \xF0\x9F\x9A\x80 E0.6 rocket\n"
    "1F3D4 FE0F ; fully-qualified     # \xF0\x9F\x8F\x94 E0.7 snow-capped mountain\n"
    "1F3D4      ; unqualified         # \xF0\x9F\x8F\x94 E0.7 snow-capped mountain\n"
    "1F44B 1F3FB ; fully-qualified    # \xF0\x9F\x91\x8B E1.0 waving hand: light skin tone\n"
    "1F468 200D 1F692 ; fully-qualified # \xF0\x9F\x91\xA8 E4.0 man firefighter\n"
    "1F452      ; fully-qualified     # \xF0\x9F\x91\x92 E0.6 woman\xE2\x80\x99s hat\n"
    "# group: Flags\n"
    "1F3C1      ; fully-qualified     # \xF0\x9F\x8F\x81 E0.6 chequered flag\n";

constexpr const char* kAnnotations =
    "<annotation cp=\"\xF0\x9F\x9A\x80\">rocket | space &amp; stars</annotation>\n"
    "<annotation cp=\"\xF0\x9F\x9A\x80\" type=\"tts\">rocket</annotation>\n"
    "<annotation cp=\"\xF0\x9F\x8F\x94\">cold | snow</annotation>\n";

TEST_CASE("emoji are listed with names and keywords, without flags and skins", "[emoji]") {
  const test::TempDir dir;
  test::put_file(dir / "list", kList);
  test::put_file(dir / "en.xml", kAnnotations);
  const std::vector<Emoji> all = read_emoji_list(dir / "list", {dir / "en.xml"});
  REQUIRE(all.size() == 4);
  CHECK(all[0].sequence == std::vector<char32_t>{0x1F680});
  CHECK(all[0].name == "rocket");
  CHECK(all[0].keywords == std::vector<std::string>{"rocket", "space & stars"});
  CHECK(all[1].sequence == std::vector<char32_t>{0x1F3D4, 0xFE0F});
  CHECK(all[1].code() == "1f3d4");
  CHECK(all[1].keywords == std::vector<std::string>{"cold", "snow"});  // without U+FE0F there
  CHECK(all[2].code() == "1f468-200d-1f692");
  CHECK(all[2].keywords.empty());
  CHECK(all[3].name == "woman's hat");
}

TEST_CASE("files of another kind are refused", "[emoji]") {
  const test::TempDir dir;
  test::put_file(dir / "list", kList);
  test::put_file(dir / "en.xml", kAnnotations);
  CHECK_THROWS_AS(read_emoji_list(dir / "none", {dir / "en.xml"}), IoError);
  CHECK_THROWS_AS(read_emoji_list(dir / "en.xml", {dir / "en.xml"}), FormatError);
  CHECK_THROWS_AS(read_emoji_list(dir / "list", {dir / "list"}), FormatError);
}

}  // namespace
}  // namespace ebb
