#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace ebb {

// Text from a file or the command line, safe for a terminal: control characters, invisible
// characters that reorder or hide text, backslashes and invalid UTF-8 come out escaped (\n, \x1b,
// \u{202e}). Text beyond `max_characters` is cut and marked with "...".
std::string terminal_safe(std::string_view text, size_t max_characters = 200);

// A whole message for a terminal: as above, uncut, and backslashes as they are. For text whose
// parts should be safe already.
std::string safe_message(std::string_view text);

// A path as messages show it: escaped like any text, but long enough to keep the file's name.
std::string path_label(std::string_view path);

// quoted(name): a name from a file as messages show it: "conv1.weight", quotes included. An object,
// because the call of a function of this name with a std::string would find std::quoted.
struct Quoted {
  std::string operator()(std::string_view name) const;
};
inline constexpr Quoted quoted{};  // NOLINT(readability-identifier-naming): read as a function

// "3152 bytes", "432345123 bytes (412.3 MiB)".
std::string format_bytes(uint64_t bytes);

}  // namespace ebb
