#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace ebb {

struct CodePoint {
  char32_t value = 0;
  size_t bytes = 0;  // 0 when the text does not start with well-formed UTF-8
};

// The first character of a text that is not empty. Well-formed as in Unicode 15, table 3-7: no
// overlong forms, no surrogates, at most U+10FFFF.
CodePoint decode_utf8(std::string_view text);

bool is_utf8(std::string_view text);

// Every byte that is not part of well-formed UTF-8 becomes U+FFFD. For file names and command
// lines, which may hold any bytes.
std::string replace_invalid_utf8(std::string_view text);

std::string latin1_to_utf8(std::string_view text);

}  // namespace ebb
