#pragma once

#include <cstdint>
#include <initializer_list>
#include <limits>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/json.h"

namespace ebb {

// Reads the keys of a config.json. Every function takes the value of a key that is absent, and
// throws a FormatError that names file, key and value for one that is not as expected.
class ConfigReader {
 public:
  ConfigReader(const Json& json, const std::string& label) : json_(json), label_(label) {}

  bool has(const char* key) const { return find(key) != nullptr; }
  bool is_null(const char* key) const;  // or absent
  bool is_list(const char* key) const;
  bool boolean(const char* key, bool missing) const;
  int64_t integer(const char* key, int64_t missing, int64_t low, int64_t high) const;
  std::optional<int64_t> optional_integer(const char* key, int64_t low, int64_t high) const;
  double positive(const char* key, double missing) const;
  double number(const char* key, double missing) const;
  std::string text(const char* key, const std::string& missing) const;
  std::vector<std::string> texts(const char* key, const std::vector<std::string>& missing) const;
  std::vector<int64_t> integers(const char* key, const std::vector<int64_t>& missing, int64_t low,
                                int64_t high) const;
  std::vector<double> numbers(const char* key, double low, double high) const;  // absent: none
  // One number for all `count` levels, or a list of as many.
  std::vector<int64_t> per_level(const char* key, int64_t missing, size_t count, int64_t low,
                                 int64_t high) const;
  std::vector<bool> booleans_per_level(const char* key, bool missing, size_t count) const;

  // One of these strings; "null" stands for null.
  template <typename T>
  T choice(const char* key, const char* missing,
           std::initializer_list<std::pair<const char*, T>> choices) const {
    const std::string found = choice_text(key, missing);
    std::string expected;
    for (const auto& [name, value] : choices) {
      if (found == name) return value;
      expected += (expected.empty() ? "" : ", ") + std::string(name);
    }
    refuse(key, expected);
  }

  // FormatError about the value of a key.
  template <typename... Parts>
  [[noreturn]] void refuse(const char* key, const Parts&... expected) const {
    throw FormatError(cat(label_, ": key \"", key, "\" is ", value_text(key), ", expected ",
                          expected..., ". ebb does not run such a model; check the file."));
  }
  template <typename... Parts>
  void check(bool condition, const char* key, const Parts&... expected) const {
    if (!condition) refuse(key, expected...);
  }

 private:
  const Json* find(const char* key) const;  // null: absent
  std::string value_text(const char* key) const;
  std::string choice_text(const char* key, const char* missing) const;

  const Json& json_;
  const std::string& label_;
};

}  // namespace ebb
