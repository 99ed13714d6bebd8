#include "text/prompt_text.h"

#include <unicase.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <new>

#include "base/error.h"
#include "base/text.h"
#include "base/utf8.h"

namespace ebb {
namespace {

// str.isspace() of Python: bidirectional class WS, B or S, or category Zs.
bool is_space(char32_t c) {
  return (c >= 0x09 && c <= 0x0d) || (c >= 0x1c && c <= 0x20) || c == 0x85 || c == 0xa0 ||
         c == 0x1680 || (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 || c == 0x202f ||
         c == 0x205f || c == 0x3000;
}

std::string_view strip(std::string_view text) {
  size_t begin = text.size(), end = 0;
  for (size_t at = 0; at < text.size();) {
    const CodePoint c = decode_utf8(text.substr(at));
    if (!is_space(c.value)) {
      begin = std::min(begin, at);
      end = at + c.bytes;
    }
    at += c.bytes;
  }
  return begin < end ? text.substr(begin, end - begin) : std::string_view();
}

}  // namespace

std::string lower_and_strip(std::string_view prompt) {
  EBB_CHECK(is_utf8(prompt), UsageError, "prompt ", terminal_safe(prompt),
            ": is not UTF-8. Type it in a terminal that writes UTF-8, or save its file so");
  if (prompt.empty()) return "";
  size_t size = 0;
  const std::unique_ptr<uint8_t, decltype(&std::free)> lower(
      u8_tolower(reinterpret_cast<const uint8_t*>(prompt.data()), prompt.size(), nullptr, nullptr,
                 nullptr, &size),
      &std::free);
  if (lower == nullptr) throw std::bad_alloc();
  return std::string(strip({reinterpret_cast<const char*>(lower.get()), size}));
}

}  // namespace ebb
