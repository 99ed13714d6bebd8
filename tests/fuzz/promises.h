#pragma once

#include <algorithm>
#include <stdexcept>
#include <string>
#include <string_view>

namespace ebb::test {

inline void expect(bool promise, const char* text) {
  if (!promise) throw std::logic_error(text);
}

// A message about a file: one short line that is safe to print and starts with the file's name.
inline void check_message(const std::string& message, std::string_view file, size_t max_size) {
  expect(std::none_of(message.begin(), message.end(), [](unsigned char c) { return c < ' '; }),
         "a message holds control characters");
  expect(message.starts_with(file), "a message does not start with the file");
  expect(message.size() < max_size, "a message is too long");
}

}  // namespace ebb::test
