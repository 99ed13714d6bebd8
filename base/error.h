#pragma once

#include <ebb/error.h>

#include <concepts>
#include <string>
#include <string_view>

namespace ebb {

// Appends a value to a message as std::ostream writes it: numbers of type double with six
// significant digits. Without streams, because messages are everywhere and each stream costs time
// to compile.
void append_to(std::string& message, std::string_view text);
void append_to(std::string& message, const char* text);
void append_to(std::string& message, char character);
void append_to(std::string& message, signed char character);
void append_to(std::string& message, unsigned char character);
void append_to(std::string& message, int number);
void append_to(std::string& message, unsigned number);
void append_to(std::string& message, long number);
void append_to(std::string& message, unsigned long number);
void append_to(std::string& message, long long number);
void append_to(std::string& message, unsigned long long number);
void append_to(std::string& message, double number);

// A type of ours, e.g. Shape.
template <typename T>
requires requires(const T& value) {
  { to_string(value) } -> std::convertible_to<std::string_view>;
}
void append_to(std::string& message, const T& value) {
  append_to(message, std::string_view(to_string(value)));
}

// Its arguments as one string.
template <typename... Parts>
std::string cat(const Parts&... parts) {
  std::string message;
  (append_to(message, parts), ...);
  return message;
}

}  // namespace ebb

// Always on. EBB_CHECK(n > 0, UsageError, "--steps ", n, ": must be 1..1000").
#define EBB_CHECK(condition, ErrorType, ...)                    \
  do {                                                          \
    if (!(condition)) throw ErrorType(::ebb::cat(__VA_ARGS__)); \
  } while (false)
