#include "nn/config_reader.h"

#include <algorithm>
#include <cmath>

#include "base/text.h"

namespace ebb {
namespace {

constexpr size_t kMaxListed = 20;  // elements of a list in a message

bool is_in(const Json& value, int64_t low, int64_t high) {
  if (!value.is_number_integer()) return false;
  if (value.type() == Json::Type::kUnsigned && value.get<uint64_t>() > INT64_MAX) return false;
  const auto number = value.get<int64_t>();
  return number >= low && number <= high;
}

// A file may nest deeper than the stack, and the JSON library prints by recursion.
std::string print(const Json& value) {
  if (value.is_primitive())
    return terminal_safe(value.dump(-1, ' ', true, Json::error_handler_t::replace));
  if (value.is_object()) return "an object";
  std::string text;
  for (size_t i = 0; i < std::min(value.size(), kMaxListed); ++i) {
    text += (i == 0 ? "" : ", ") + (value[i].is_primitive() ? print(value[i]) : "...");
  }
  return "[" + text + (value.size() > kMaxListed ? ", ...]" : "]");
}

}  // namespace

const Json* ConfigReader::find(const char* key) const { return json_.find(key); }

std::string ConfigReader::value_text(const char* key) const {
  const Json* value = find(key);
  return value == nullptr ? "absent" : print(*value);
}

bool ConfigReader::is_null(const char* key) const {
  const Json* value = find(key);
  return value == nullptr || value->is_null();
}

bool ConfigReader::is_list(const char* key) const {
  const Json* value = find(key);
  return value != nullptr && value->is_array();
}

bool ConfigReader::boolean(const char* key, bool missing) const {
  const Json* value = find(key);
  if (value == nullptr) return missing;
  check(value->is_boolean(), key, "true or false");
  return value->get<bool>();
}

int64_t ConfigReader::integer(const char* key, int64_t missing, int64_t low, int64_t high) const {
  const Json* value = find(key);
  if (value == nullptr) return missing;
  check(is_in(*value, low, high), key, low, "..", high);
  return value->get<int64_t>();
}

std::optional<int64_t> ConfigReader::optional_integer(const char* key, int64_t low,
                                                      int64_t high) const {
  if (is_null(key)) return std::nullopt;
  return integer(key, 0, low, high);
}

double ConfigReader::number(const char* key, double missing) const {
  const Json* value = find(key);
  if (value == nullptr) return missing;
  check(value->is_number() && std::isfinite(value->get<double>()), key, "a number");
  return value->get<double>();
}

double ConfigReader::positive(const char* key, double missing) const {
  const double value = number(key, missing);
  check(value > 0, key, "a number above 0");
  return value;
}

std::string ConfigReader::text(const char* key, const std::string& missing) const {
  const Json* value = find(key);
  if (value == nullptr) return missing;
  check(value->is_string(), key, "a string");
  return value->get<std::string>();
}

std::vector<std::string> ConfigReader::texts(const char* key,
                                             const std::vector<std::string>& missing) const {
  const Json* value = find(key);
  if (value == nullptr) return missing;
  check(value->is_array(), key, "a list of strings");
  std::vector<std::string> result;
  for (const Json& element : *value) {
    check(element.is_string(), key, "a list of strings");
    result.push_back(element.get<std::string>());
  }
  return result;
}

std::vector<int64_t> ConfigReader::integers(const char* key, const std::vector<int64_t>& missing,
                                            int64_t low, int64_t high) const {
  const Json* value = find(key);
  if (value == nullptr) return missing;
  check(value->is_array(), key, "a list of integers");
  std::vector<int64_t> result;
  for (const Json& element : *value) {
    check(is_in(element, low, high), key, "integers of ", low, "..", high);
    result.push_back(element.get<int64_t>());
  }
  return result;
}

std::vector<double> ConfigReader::numbers(const char* key, double low, double high) const {
  const Json* value = find(key);
  if (value == nullptr) return {};
  check(value->is_array(), key, "a list of numbers");
  std::vector<double> result;
  for (const Json& element : *value) {
    const bool valid =
        element.is_number() && element.get<double>() >= low && element.get<double>() <= high;
    check(valid, key, "numbers of ", low, "..", high);
    result.push_back(element.get<double>());
  }
  return result;
}

std::vector<int64_t> ConfigReader::per_level(const char* key, int64_t missing, size_t count,
                                             int64_t low, int64_t high) const {
  if (!is_list(key)) return std::vector<int64_t>(count, integer(key, missing, low, high));
  std::vector<int64_t> list = integers(key, {}, low, high);
  check(list.size() == count, key, "as many entries as block_out_channels, ", count);
  return list;
}

std::vector<bool> ConfigReader::booleans_per_level(const char* key, bool missing,
                                                   size_t count) const {
  if (!is_list(key)) return std::vector<bool>(count, boolean(key, missing));
  std::vector<bool> list;
  for (const Json& element : *find(key)) {
    check(element.is_boolean(), key, "a list of true and false");
    list.push_back(element.get<bool>());
  }
  check(list.size() == count, key, "as many entries as block_out_channels, ", count);
  return list;
}

std::string ConfigReader::choice_text(const char* key, const char* missing) const {
  const Json* value = find(key);
  if (value == nullptr) return missing;
  if (value->is_null()) return "null";
  check(value->is_string(), key, "a string");
  return value->get<std::string>();
}

}  // namespace ebb
