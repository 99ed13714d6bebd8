#include "base/text.h"

#include <array>
#include <cstdio>

#include "base/utf8.h"

namespace ebb {
namespace {

constexpr size_t kMaxPath = 4096;  // PATH_MAX

// C1 controls and the format characters that hide, reorder or join their neighbors.
bool is_invisible(char32_t c) {
  return (c >= 0x7f && c < 0xa0) || c == 0xad || c == 0x61c || (c >= 0x200b && c <= 0x200f) ||
         (c >= 0x2028 && c <= 0x202e) || (c >= 0x2060 && c <= 0x206f) || c == 0xfeff ||
         (c >= 0xfff9 && c <= 0xfffb) || (c >= 0xe0000 && c <= 0xe007f);
}

std::string escape(const char* format, uint32_t value) {
  std::array<char, 16> buffer{};
  std::snprintf(buffer.data(), buffer.size(), format, value);
  return buffer.data();
}

std::string show(CodePoint c, std::string_view raw) {
  if (c.bytes == 0) return escape("\\x%02x", static_cast<uint8_t>(raw[0]));
  switch (c.value) {
    case '\n':
      return "\\n";
    case '\r':
      return "\\r";
    case '\t':
      return "\\t";
    case '\\':
      return "\\\\";
    default:
      break;
  }
  if (c.value < 0x20) return escape("\\x%02x", c.value);
  if (is_invisible(c.value)) return escape("\\u{%x}", c.value);
  return std::string(raw.substr(0, c.bytes));
}

}  // namespace

std::string terminal_safe(std::string_view text, size_t max_characters) {
  std::string out;
  size_t characters = 0;
  while (!text.empty()) {
    const CodePoint c = decode_utf8(text);
    const std::string piece = show(c, text);
    const bool as_is = c.bytes > 0 && piece == text.substr(0, c.bytes);
    characters += as_is ? 1 : piece.size();
    if (characters > max_characters) return out + "...";
    out += piece;
    text.remove_prefix(c.bytes == 0 ? 1 : c.bytes);
  }
  return out;
}

std::string safe_message(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const CodePoint c = decode_utf8(text);
    out += c.value == '\\' ? "\\" : show(c, text);
    text.remove_prefix(c.bytes == 0 ? 1 : c.bytes);
  }
  return out;
}

std::string path_label(std::string_view path) {
  return path.empty() ? "(empty file name)" : terminal_safe(path, kMaxPath);
}

std::string Quoted::operator()(std::string_view name) const {
  return '"' + terminal_safe(name) + '"';
}

std::string format_bytes(uint64_t bytes) {
  std::string text = std::to_string(bytes) + (bytes == 1 ? " byte" : " bytes");
  constexpr std::array<const char*, 6> kUnits = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  double scaled = static_cast<double>(bytes);
  size_t unit = 0;
  for (scaled /= 1024; scaled >= 1024 && unit + 1 < kUnits.size(); ++unit) scaled /= 1024;
  if (bytes < 10 * 1024) return text;
  std::array<char, 32> buffer{};
  std::snprintf(buffer.data(), buffer.size(), " (%.1f %s)", scaled, kUnits[unit]);
  return text + buffer.data();
}

}  // namespace ebb
