#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace ebb {

// Replaces the beginning of a text: the normalization rules (NFKC and more) that SentencePiece
// compiles into a double-array trie (Yata's darts-clone) and a pool of replacements.
class CharacterMap {
 public:
  // The replacement for the beginning of a text, and how many of its bytes that is. It may be
  // empty and lives as long as the map and the text.
  struct Match {
    std::string_view replacement;
    size_t bytes = 0;
  };

  CharacterMap() = default;  // replaces nothing but what is not UTF-8
  // NormalizerSpec.precompiled_charsmap. FormatError, with `label`, when its sizes do not fit.
  CharacterMap(std::string_view charsmap, const std::string& label);

  // The match of the longest rule that fits; else the first character as it is, or U+FFFD for a
  // byte that begins no UTF-8. `text` is not empty. FormatError when the trie leads out of itself.
  Match at(std::string_view text) const;

 private:
  uint32_t unit(size_t position) const;

  std::string label_;
  std::vector<uint32_t> trie_;
  std::string pool_;  // ends in NUL
};

}  // namespace ebb
