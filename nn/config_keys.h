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

}  // namespace ebb
