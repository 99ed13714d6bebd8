#include "base/error.h"

#include <array>
#include <charconv>

namespace ebb {
namespace {

template <typename Number, typename... Format>
void append_number(std::string& message, Number number, Format... format) {
  std::array<char, 32> digits;  // -1.23457e-308, 18446744073709551615
  const auto result =
      std::to_chars(digits.data(), digits.data() + digits.size(), number, format...);
  message.append(digits.data(), result.ptr);
}

}  // namespace

void append_to(std::string& message, std::string_view text) { message += text; }
void append_to(std::string& message, const char* text) { message += text; }
void append_to(std::string& message, char character) { message += character; }
void append_to(std::string& message, signed char character) {
  message += static_cast<char>(character);
}
void append_to(std::string& message, unsigned char character) {
  message += static_cast<char>(character);
}
void append_to(std::string& message, int number) { append_number(message, number); }
void append_to(std::string& message, unsigned number) { append_number(message, number); }
void append_to(std::string& message, long number) { append_number(message, number); }
void append_to(std::string& message, unsigned long number) { append_number(message, number); }
void append_to(std::string& message, long long number) { append_number(message, number); }
void append_to(std::string& message, unsigned long long number) { append_number(message, number); }
void append_to(std::string& message, double number) {
  append_number(message, number, std::chars_format::general, 6);
}

}  // namespace ebb
