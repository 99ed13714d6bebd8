#include "apps/emoji/emoji_list.h"

#include <array>
#include <charconv>
#include <fstream>
#include <map>
#include <string_view>

#include "base/error.h"
#include "base/text.h"
#include "base/utf8.h"

namespace ebb {
namespace {

constexpr char32_t kVariation = 0xFE0F;  // asks for the colored form

std::ifstream open(const std::string& path) {
  std::ifstream file(path);
  EBB_CHECK(file.good(), IoError, path_label(path),
            ": no such file. Install unicode-data and unicode-cldr-core.");
  return file;
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
}

std::vector<char32_t> parse_sequence(std::string_view text) {
  std::vector<char32_t> sequence;
  for (text = trimmed(text); !text.empty(); text = trimmed(text)) {
    uint32_t value = 0;
    const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), value, 16);
    if (error != std::errc()) return {};
    sequence.push_back(value);
    text.remove_prefix(static_cast<size_t>(rest - text.data()));
  }
  return sequence;
}

bool has_skin(const std::vector<char32_t>& sequence) {
  constexpr char32_t kFirstTone = 0x1F3FB, kLastTone = 0x1F3FF;
  for (const char32_t c : sequence) {
    if (c >= kFirstTone && c <= kLastTone) return true;
  }
  return false;
}

// CLDR writes sequences without U+FE0F.
std::vector<char32_t> plain(const std::vector<char32_t>& sequence) {
  std::vector<char32_t> result;
  for (const char32_t c : sequence) {
    if (c != kVariation) result.push_back(c);
  }
  return result;
}

std::vector<char32_t> decode(std::string_view text) {
  std::vector<char32_t> sequence;
  while (!text.empty()) {
    const CodePoint next = decode_utf8(text);
    if (next.bytes == 0) return {};
    sequence.push_back(next.value);
    text.remove_prefix(next.bytes);
  }
  return sequence;
}

// Straight quotes, and no entities: what people type.
std::string ascii(std::string text) {
  const std::vector<std::pair<std::string, std::string>> replacements = {
      {"&amp;", "&"}, {"’", "'"}, {"“", ""}, {"”", ""}, {"&lt;", "<"}, {"&gt;", ">"}};
  for (const auto& [from, to] : replacements) {
    for (size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size()) {
      text.replace(at, from.size(), to);
    }
  }
  return text;
}

using Keywords = std::map<std::vector<char32_t>, std::vector<std::string>>;

// <annotation cp="X">cold | snow</annotation>
void read_annotations(const std::string& path, Keywords& keywords) {
  std::ifstream file = open(path);
  constexpr std::string_view kStart = "<annotation cp=\"", kMiddle = "\">";
  const size_t before = keywords.size();
  std::string line;
  while (std::getline(file, line)) {
    const size_t start = line.find(kStart);
    if (start == std::string::npos) continue;
    const size_t from = start + kStart.size();
    const size_t quote = line.find('"', from), end = line.find("</annotation>");
    if (quote == std::string::npos || end == std::string::npos) continue;
    if (line.compare(quote, kMiddle.size(), kMiddle) != 0) continue;  // the name, for speech
    std::vector<std::string>& words =
        keywords[plain(decode(std::string_view(line).substr(from, quote - from)))];
    std::string_view text(line);
    text = text.substr(quote + kMiddle.size(), end - quote - kMiddle.size());
    while (!text.empty()) {
      const size_t bar = std::min(text.find('|'), text.size());
      words.push_back(ascii(std::string(trimmed(text.substr(0, bar)))));
      text.remove_prefix(std::min(bar + 1, text.size()));
    }
  }
  EBB_CHECK(keywords.size() > before, FormatError, path_label(path),
            ": has no annotations of CLDR. Install unicode-cldr-core.");
}

// "1F680 ; fully-qualified # X E0.6 rocket" -> its sequence and name; empty for other lines.
Emoji parse_line(std::string_view line) {
  const size_t semicolon = line.find(';'), hash = line.find('#');
  if (semicolon == std::string_view::npos || hash == std::string_view::npos) return {};
  if (trimmed(line.substr(semicolon + 1, hash - semicolon - 1)) != "fully-qualified") return {};
  std::string_view rest = trimmed(line.substr(hash + 1));
  for (int word = 0; word < 2; ++word) {  // the emoji itself, the version
    rest = trimmed(rest.substr(std::min(rest.find(' '), rest.size())));
  }
  return {.sequence = parse_sequence(line.substr(0, semicolon)),
          .name = ascii(std::string(rest)),
          .keywords = {}};
}

}  // namespace

std::string Emoji::code() const {
  std::string text;
  for (const char32_t c : sequence) {
    if (c == kVariation) continue;
    std::array<char, 8> digits{};
    const auto end =
        std::to_chars(digits.data(), digits.data() + digits.size(), static_cast<uint32_t>(c), 16);
    text += (text.empty() ? "" : "-") + std::string(digits.data(), end.ptr);
  }
  return text;
}

std::vector<Emoji> read_emoji_list(const std::string& list,
                                   const std::vector<std::string>& annotations) {
  Keywords keywords;
  for (const std::string& path : annotations) read_annotations(path, keywords);
  std::ifstream file = open(list);
  constexpr std::string_view kGroup = "# group: ";
  std::vector<Emoji> all;
  bool is_flag = false;
  std::string line;
  while (std::getline(file, line)) {
    if (line.starts_with(kGroup)) is_flag = line.substr(kGroup.size()) == "Flags";
    if (is_flag || line.starts_with('#')) continue;
    Emoji emoji = parse_line(line);
    if (emoji.sequence.empty() || emoji.name.empty() || has_skin(emoji.sequence)) continue;
    const auto found = keywords.find(plain(emoji.sequence));
    if (found != keywords.end()) emoji.keywords = found->second;
    all.push_back(std::move(emoji));
  }
  EBB_CHECK(!all.empty(), FormatError, path_label(list),
            ": has no emoji, expected emoji-test.txt. Install unicode-data.");
  return all;
}

}  // namespace ebb
