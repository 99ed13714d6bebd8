#pragma once

#include <string>
#include <vector>

namespace ebb {

// An emoji of Unicode, without flags and variants of skin.
struct Emoji {
  std::vector<char32_t> sequence;
  std::string name;                   // of emoji-test.txt: "snow-capped mountain"
  std::vector<std::string> keywords;  // English annotations of CLDR: "cold", "snow"

  std::string code() const;  // "1f468-200d-1f692"
};

// list: emoji-test.txt of Debian's unicode-data. annotations: en.xml of unicode-cldr-core, any
// number of files. FormatError where a file has no line of its kind.
std::vector<Emoji> read_emoji_list(const std::string& list,
                                   const std::vector<std::string>& annotations);

}  // namespace ebb
