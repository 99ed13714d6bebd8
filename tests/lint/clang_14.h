// Read in front of every source by tests/lint/lint.py. libstdc++ 12 has no std::source_location for
// clang 14, which lacks __builtin_source_location; this is enough of it to parse the callers.
#pragma once

#include <cstdint>
#include <version>

#if defined(__clang__) && !defined(__cpp_lib_source_location)
namespace std {
struct source_location {  // NOLINT(readability-identifier-naming)
  static constexpr source_location current() noexcept { return {}; }
  constexpr uint_least32_t line() const noexcept { return 0; }
  constexpr uint_least32_t column() const noexcept { return 0; }
  constexpr const char* file_name() const noexcept { return ""; }
  constexpr const char* function_name() const noexcept { return ""; }
};
}  // namespace std
#endif
