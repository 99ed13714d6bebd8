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

namespace {

std::string shown(const Json& value) {
  return value.is_structured() ? cat("an ", value.type_name()) : terminal_safe(value.dump());
}

template <typename Is>
bool all(const Json& list, Is is) {
  return list.is_array() && std::all_of(list.begin(), list.end(), is);
}

}  // namespace

bool ConfigKeys::is_null(const char* key) const {
  const Json* value = find(key);
  return value == nullptr || value->is_null();
}

void ConfigKeys::refuse(const char* key) const {
  const bool absent = is_null(key) || (find(key)->is_boolean() && !find(key)->get<bool>());
  EBB_CHECK(absent, FormatError, where_, ": model config key \"", key, "\" is ",
            found_value(json_, key), ", which is not supported; expected null");
}

bool ConfigKeys::boolean(const char* key, bool missing) const {
  if (find(key) == nullptr) return missing;
  check(find(key)->is_boolean(), key, "true or false");
  return find(key)->get<bool>();
}

int64_t ConfigKeys::integer(const char* key, int64_t missing, int64_t low, int64_t high) const {
  return find(key) == nullptr ? missing : element(key, *find(key), low, high);
}

int64_t ConfigKeys::element(const char* key, const Json& value, int64_t low, int64_t high) const {
  const bool valid = value.is_number_integer() && value.get<double>() >= static_cast<double>(low) &&
                     value.get<double>() <= static_cast<double>(high);
  EBB_CHECK(valid, FormatError, where_, ": model config key \"", key, "\" is ", shown(value),
            ", expected ", low, "..", high);
  return value.get<int64_t>();
}

double ConfigKeys::number(const char* key, double missing) const {
  if (find(key) == nullptr) return missing;
  check(find(key)->is_number(), key, "a number");
  return find(key)->get<double>();
}

std::string ConfigKeys::text(const char* key, const char* missing) const {
  if (find(key) == nullptr) return missing;
  check(find(key)->is_string(), key, "text");
  return find(key)->get<std::string>();
}

std::vector<int64_t> ConfigKeys::integers(const char* key, int64_t missing, size_t count) const {
  const Json* value = find(key);
  if (value == nullptr || !value->is_array()) {
    return std::vector<int64_t>(count, integer(key, missing));
  }
  check(value->size() == count, key, "a list of ", count, " numbers");
  std::vector<int64_t> list;
  for (const Json& one : *value) list.push_back(element(key, one, 1, kMaxWidth));
  return list;
}

std::vector<bool> ConfigKeys::booleans(const char* key, bool missing, size_t count) const {
  const Json* value = find(key);
  if (value == nullptr || !value->is_array()) {
    return std::vector<bool>(count, boolean(key, missing));
  }
  const bool fits = all(*value, [](const Json& one) { return one.is_boolean(); });
  check(fits && value->size() == count, key, "a list of ", count, " times true or false");
  std::vector<bool> list;
  for (const Json& one : *value) list.push_back(one.get<bool>());
  return list;
}

std::vector<std::string> ConfigKeys::texts(const char* key,
                                           std::vector<std::string> missing) const {
  const Json* value = find(key);
  if (value == nullptr) return missing;
  check(all(*value, [](const Json& one) { return one.is_string(); }), key, "a list of names");
  return value->get<std::vector<std::string>>();
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
