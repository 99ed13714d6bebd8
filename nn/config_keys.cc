#include "nn/config_keys.h"

#include <algorithm>

namespace ebb {

std::string found_value(const Json& json, const char* key) {
  if (!json.contains(key)) return "missing";
  const Json& value = json[key];
  if (value.is_structured()) return cat("an ", value.type_name());
  return terminal_safe(value.dump());
}

int64_t integer(const Json& json, const std::string& where, const char* key, int64_t low,
                int64_t high) {
  const bool valid = json.contains(key) && json[key].is_number_integer() &&
                     json[key].get<int64_t>() >= low && json[key].get<int64_t>() <= high;
  EBB_CHECK(valid, FormatError, where, ": model config key \"", key, "\" is ",
            found_value(json, key), ", expected ", low, "..", high);
  return json[key].get<int64_t>();
}

std::string keys_of(const Json& json, const std::vector<const char*>& keys) {
  Json known = Json::object();
  for (const char* key : keys) {
    if (!json.contains(key)) continue;
    const Json& value = json[key];
    const bool flat = std::all_of(value.begin(), value.end(),
                                  [](const Json& element) { return element.is_primitive(); });
    if (flat) known[key] = value;
  }
  return known.dump_sorted();
}

}  // namespace ebb
