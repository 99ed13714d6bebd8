#include "apps/report/html.h"

#include <fstream>
#include <iterator>
#include <sstream>
#include <vector>

#include "base/error.h"
#include "base/text.h"

namespace ebb {

std::string escape_html(std::string_view text) {
  std::string result;
  for (const char c : text) {
    switch (c) {
      case '&':
        result += "&amp;";
        break;
      case '<':
        result += "&lt;";
        break;
      case '>':
        result += "&gt;";
        break;
      case '"':
        result += "&quot;";
        break;
      default:
        result += c;
    }
  }
  return result;
}

std::string whole_words(const std::string& command) {
  std::istringstream words(command);
  std::string result;
  for (std::string word; words >> word;) {
    result += cat(result.empty() ? "" : " ", "<span>", escape_html(word), "</span>");
  }
  return result;
}

std::string base64(std::span<const uint8_t> bytes) {
  constexpr std::string_view kDigits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string result;
  result.reserve((bytes.size() + 2) / 3 * 4);
  for (size_t at = 0; at < bytes.size(); at += 3) {
    const size_t count = std::min<size_t>(3, bytes.size() - at);
    uint32_t group = 0;
    for (size_t i = 0; i < 3; ++i) group = group << 8 | (i < count ? bytes[at + i] : 0);
    for (size_t digit = 0; digit < 4; ++digit) {
      result += digit <= count ? kDigits[group >> (18 - 6 * digit) & 63] : '=';
    }
  }
  return result;
}

std::string data_uri(const std::string& path, std::string_view type) {
  std::ifstream file(path, std::ios::binary);
  const std::vector<uint8_t> bytes{std::istreambuf_iterator<char>(file), {}};
  EBB_CHECK(file && !bytes.empty(), IoError, path_label(path), ": cannot be read.");
  return cat("data:", type, ";base64,", base64(bytes));
}

}  // namespace ebb
