#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/json.h"
#include "base/text.h"

// Reading a model's config: every FormatError names `where` (a file or flag), the key and its
// value.
namespace ebb {

// The value of a key as messages show it. A file may nest deeper than the stack, and the JSON
// library prints and copies by recursion, so that is done with plain values only.
std::string found_value(const Json& json, const char* key);

// The value's entry of a list of names.
template <typename T>
T one_of(const Json& json, const std::string& where, const char* key,
         const std::vector<std::pair<const char*, T>>& choices) {
  std::string expected;
  for (const auto& [name, value] : choices) {
    if (json.contains(key) && json[key] == name) return value;
    expected += (expected.empty() ? "" : ", ") + std::string(name);
  }
  throw FormatError(cat(where, ": model config key \"", key, "\" is ", found_value(json, key),
                        ", expected one of ", expected));
}

int64_t integer(const Json& json, const std::string& where, const char* key, int64_t low,
                int64_t high);

// The object with these of its keys, as text. Of arrays and objects, those that hold plain values.
std::string keys_of(const Json& json, const std::vector<const char*>& keys);

// Reads one key after another; a key that is missing has a default.
class ConfigKeys {
 public:
  static constexpr int64_t kMaxWidth = 1 << 20;

  ConfigKeys(const Json& json, const std::string& where) : json_(json), where_(where) {}

  const Json* find(const char* key) const { return json_.find(key); }
  // Missing or null.
  bool is_null(const char* key) const;

  template <typename... Expected>
  void check(bool condition, const char* key, Expected&&... expected) const {
    EBB_CHECK(condition, FormatError, where_, ": model config key \"", key, "\" is ",
              found_value(json_, key), ", expected ", expected...);
  }
  // Of a key that must be null or false.
  void refuse(const char* key) const;

  bool boolean(const char* key, bool missing) const;
  int64_t integer(const char* key, int64_t missing, int64_t low = 1,
                  int64_t high = kMaxWidth) const;
  double number(const char* key, double missing) const;
  std::string text(const char* key, const char* missing) const;
  // A list with a number for each of `count` things, or one number for all.
  std::vector<int64_t> integers(const char* key, int64_t missing, size_t count) const;
  std::vector<bool> booleans(const char* key, bool missing, size_t count) const;
  std::vector<std::string> texts(const char* key, std::vector<std::string> missing) const;

  // What `value`, given for the key, stands for.
  template <typename T>
  T choice(const char* key, const std::string& value,
           const std::vector<std::pair<const char*, T>>& choices) const {
    std::string expected;
    for (const auto& [name, result] : choices) {
      if (value == name) return result;
      expected += (expected.empty() ? "" : ", ") + std::string(name);
    }
    throw FormatError(cat(where_, ": model config key \"", key, "\" is ", terminal_safe(value),
                          ", which is not supported; expected ", expected));
  }
  // What the text under the key stands for.
  template <typename T>
  T named(const char* key, const char* missing,
          const std::vector<std::pair<const char*, T>>& choices) const {
    return choice<T>(key, text(key, missing), choices);
  }

 private:
  int64_t element(const char* key, const Json& value, int64_t low, int64_t high) const;

  const Json& json_;
  const std::string& where_;
};

}  // namespace ebb
