#include "text/sentencepiece_model.h"

#include <bit>

#include "base/error.h"
#include "testing/catch.h"
#include "testing/errors.h"
#include "testing/temp_dir.h"
#include "text/tokenizer.h"

namespace ebb {
namespace {

using Catch::Matchers::Contains;
using test::message_of;

std::string varint(uint64_t value) {
  std::string bytes;
  for (; value > 0x7f; value >>= 7) bytes += static_cast<char>((value & 0x7f) | 0x80);
  return bytes + static_cast<char>(value);
}

std::string field(uint64_t number, const std::string& bytes) {
  return varint(number << 3 | 2) + varint(bytes.size()) + bytes;
}

std::string field(uint64_t number, uint64_t value) { return varint(number << 3) + varint(value); }

std::string piece(const std::string& text, float score, PieceType type = PieceType::kNormal) {
  std::string number;
  const auto bits = std::bit_cast<uint32_t>(score);
  for (int i = 0; i < 4; ++i) number += static_cast<char>(bits >> (8 * i));
  return field(
      1, field(1, text) + varint(2 << 3 | 5) + number + field(3, static_cast<uint64_t>(type)));
}

const std::string kUnknown = piece("<unk>", 0, PieceType::kUnknown);
const std::string kPlain = field(3, field(3, 0) + field(4, 0));  // no prefix, all spaces stay

std::vector<int32_t> ids_of(const std::string& model, const std::string& text) {
  return Tokenizer(parse_sentencepiece_model(model, "m"), "m").encode(text);
}

std::string refusal(const std::string& model) {
  return message_of<FormatError>([&] { ids_of(model, "ab"); });
}

TEST_CASE("unknown fields are skipped, defaults hold where fields are absent") {
  const std::string bytes = kUnknown + field(9, "?") + field(14, 3) + piece("a", -1);
  const SentencePieceModel model = parse_sentencepiece_model(bytes, "m");
  CHECK(model.pieces.size() == 2);
  CHECK((model.add_dummy_prefix && model.remove_extra_whitespaces && model.escape_whitespaces));
  CHECK(!(model.byte_fallback || model.whitespace_is_suffix));
}

TEST_CASE("of paths with equal scores the one found first stays") {
  // a|b|c and ab|c end alike; the longer piece at the earlier start was there before.
  const std::string model = kUnknown + kPlain + piece("a", -1) + piece("b", -1) + piece("ab", -2);
  CHECK(ids_of(model, "ab") == std::vector<int32_t>{3});
  const std::string better =
      kUnknown + kPlain + piece("a", -1) + piece("b", -0.5f) + piece("ab", -2);
  CHECK(ids_of(better, "ab") == std::vector<int32_t>{1, 2});
}

TEST_CASE("sums of scores round as f32 from left to right") {
  // In f64 -16777216 - 1 - 1 is less than -16777217.5; in f32 both additions are lost.
  const std::string model = kUnknown + kPlain + piece("a", -16777216) + piece("b", -1) +
                            piece("c", -1) + piece("abc", -16777218);
  CHECK(ids_of(model, "abc") == std::vector<int32_t>{1, 2, 3});
}

TEST_CASE("unknown characters in a row are one id, unused and control pieces are never found") {
  const std::string model = kUnknown + kPlain + piece("a", -1) +
                            piece("b", -1, PieceType::kUnused) +
                            piece("c", -1, PieceType::kControl);
  CHECK(ids_of(model, "abc\u00e4a") == std::vector<int32_t>{1, 0, 1});
}

TEST_CASE("what is no unigram model is refused in one clear line") {
  CHECK_THAT(refusal(""), Contains("m: holds no pieces"));
  CHECK_THAT(refusal(piece("a", -1)), Contains("0 unknown pieces, expected one"));
  CHECK_THAT(refusal(kUnknown + kUnknown), Contains("2 unknown pieces"));
  CHECK_THAT(refusal(kUnknown + piece("a", -1) + piece("a", -2)),
             Contains("piece 2, \"a\", stands there twice"));
  CHECK_THAT(refusal(kUnknown + piece("", -1)), Contains("m: piece 1: has no text"));
  CHECK_THAT(refusal(kUnknown + piece("\xff", -1)), Contains("is not UTF-8"));
  CHECK_THAT(refusal(kUnknown + piece("a", std::numeric_limits<float>::infinity())),
             Contains("not finite"));
  CHECK_THAT(refusal(kUnknown + piece("a", -1, static_cast<PieceType>(7))), Contains("type 7"));
  CHECK_THAT(refusal(field(2, field(3, 2)) + kUnknown), Contains("of type BPE, expected unigram"));
  CHECK_THAT(refusal(field(2, field(35, 1)) + kUnknown),
             Contains("256 of the 256 pieces for bytes are missing"));
  CHECK_THAT(refusal(field(2, field(35, 1)) + kUnknown + piece("<0xG0>", 0, PieceType::kByte)),
             Contains("is no byte such as <0x0A>"));
}

TEST_CASE("what is no protobuf is refused with its place") {
  CHECK_THAT(refusal(kUnknown + field(1, "abc").substr(0, 3)),
             Contains("field 1 of 3 bytes, 1 are left"));
  CHECK_THAT(refusal("\x80"), Contains("a number is cut short"));
  CHECK_THAT(refusal(std::string(11, '\xff')), Contains("longer than ten bytes"));
  CHECK_THAT(refusal(std::string("\0\0", 2)), Contains("field number 0"));
  CHECK_THAT(refusal("\x0b"), Contains("wire type 3 of field 1"));
  CHECK_THAT(refusal(field(1, 5)), Contains("has wire type 0, expected 2"));
  CHECK_THAT(refusal("\x0d\x01"), Contains("a number is cut short"));
}

TEST_CASE("a character map whose parts do not fit is refused") {
  const auto with_map = [](const std::string& map) { return kUnknown + field(3, field(2, map)); };
  const std::string four("\x04\0\0\0", 4), unit("\0\0\0\0", 4);
  CHECK_THAT(refusal(with_map("abc")), Contains("its character map of 3 bytes"));
  CHECK_THAT(refusal(with_map(four + unit)), Contains("its trie has 4"));
  CHECK_THAT(refusal(with_map(std::string("\x05\0\0\0", 4) + unit + "ab")),
             Contains("its trie has 5"));
  CHECK_THAT(refusal(with_map(four + unit + "a")), Contains("do not end"));
  // The root leads to unit 'a' of one.
  CHECK_THAT(refusal(with_map(four + unit + std::string(1, '\0'))),
             Contains("leads to unit 97 of 1"));
}

}  // namespace
}  // namespace ebb
