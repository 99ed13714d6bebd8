#include "text/character_map.h"

#include <cstring>
#include <optional>

#include "base/error.h"
#include "base/utf8.h"

namespace ebb {
namespace {

constexpr size_t kUnitBytes = 4;
constexpr const char* kAdvice = ". The file is damaged; fetch it again";

// A unit of darts-clone's double array.
size_t offset_of(uint32_t unit) { return static_cast<size_t>(unit >> 10) << ((unit & 512) >> 6); }
bool has_leaf(uint32_t unit) { return (unit & 256) != 0; }
uint32_t label_of(uint32_t unit) { return unit & 0x800000ff; }
uint32_t value_of(uint32_t unit) { return unit & 0x7fffffff; }

uint32_t read_unit(std::string_view bytes) {
  uint32_t unit = 0;
  for (size_t i = 0; i < kUnitBytes; ++i) {
    unit |= static_cast<uint32_t>(static_cast<uint8_t>(bytes[i])) << (8 * i);
  }
  return unit;
}

}  // namespace

CharacterMap::CharacterMap(std::string_view charsmap, const std::string& label) : label_(label) {
  if (charsmap.empty()) return;
  const size_t trie_bytes = charsmap.size() < kUnitBytes ? 0 : read_unit(charsmap);
  EBB_CHECK(trie_bytes >= kUnitBytes && trie_bytes % kUnitBytes == 0 &&
                trie_bytes < charsmap.size() - kUnitBytes,
            FormatError, label, ": its character map of ", charsmap.size(),
            " bytes says that its trie has ", trie_bytes, kAdvice);
  charsmap.remove_prefix(kUnitBytes);
  trie_.reserve(trie_bytes / kUnitBytes);
  for (size_t i = 0; i < trie_bytes; i += kUnitBytes) {
    trie_.push_back(read_unit(charsmap.substr(i, kUnitBytes)));
  }
  pool_ = charsmap.substr(trie_bytes);
  EBB_CHECK(pool_.back() == '\0', FormatError, label,
            ": the replacements of its character map do not end", kAdvice);
}

uint32_t CharacterMap::unit(size_t position) const {
  EBB_CHECK(position < trie_.size(), FormatError, label_, ": its character map leads to unit ",
            position, " of ", trie_.size(), kAdvice);
  return trie_[position];
}

CharacterMap::Match CharacterMap::at(std::string_view text) const {
  std::optional<Match> longest;
  size_t position = trie_.empty() ? 0 : offset_of(trie_.front());
  for (size_t i = 0; i < text.size() && !trie_.empty(); ++i) {
    const auto byte = static_cast<uint8_t>(text[i]);
    position ^= byte;
    const uint32_t node = unit(position);
    if (label_of(node) != byte) break;
    position ^= offset_of(node);
    if (!has_leaf(node)) continue;
    const size_t begin = value_of(unit(position));
    EBB_CHECK(begin < pool_.size(), FormatError, label_, ": its character map leads to byte ",
              begin, " of ", pool_.size(), kAdvice);
    longest = {std::string_view(pool_.c_str() + begin), i + 1};
  }
  if (longest) return *longest;
  const CodePoint first = decode_utf8(text);
  if (first.bytes == 0) return {"\xef\xbf\xbd", 1};
  return {text.substr(0, first.bytes), first.bytes};
}

}  // namespace ebb
