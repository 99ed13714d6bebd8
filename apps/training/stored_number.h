#pragma once

#include "base/error.h"
#include "base/json.h"

namespace ebb {

// A number of a checkpoint's settings, within the range of its flag. FormatError names the key, the
// number and the range; JsonError when it is missing or none.
template <typename T>
T stored_number(const Json& json, const char* key, T low, T high) {
  const T value = json.at(key).get<T>();
  EBB_CHECK(value >= low && value <= high, FormatError, key, " is ", value, ", expected ", low,
            "..", high);
  return value;
}

// The same where older checkpoints lack it.
template <typename T>
T stored_number(const Json& json, const char* key, T low, T high, T absent) {
  return json.contains(key) ? stored_number(json, key, low, high) : absent;
}

}  // namespace ebb
