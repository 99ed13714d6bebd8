#include "base/json.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <ostream>

#include "base/error.h"

namespace ebb {
namespace {

// The library's names for its errors, which users see.
JsonError type_error(int id, const std::string& what) {
  return JsonError(cat("[json.exception.type_error.", id, "] ", what));
}

// Hands the library's events on.
class Adapter {
 public:
  explicit Adapter(JsonEvents& events) : events_(events) {}

  bool null() { return events_.null(), true; }
  bool boolean(bool value) { return events_.boolean(value), true; }
  bool number_integer(int64_t value) { return events_.number_integer(value), true; }
  bool number_unsigned(uint64_t value) { return events_.number_unsigned(value), true; }
  bool number_float(double value, const std::string&) { return events_.number_float(value), true; }
  bool string(std::string& value) { return events_.string(value), true; }
  bool binary(nlohmann::ordered_json::binary_t&) { return false; }  // not in text
  bool start_object(size_t) { return events_.start_object(), true; }
  bool key(std::string& name) { return events_.key(name), true; }
  bool end_object() { return events_.end_object(), true; }
  bool start_array(size_t) { return events_.start_array(), true; }
  bool end_array() { return events_.end_array(), true; }
  bool parse_error(size_t position, const std::string&, const nlohmann::detail::exception& error) {
    return events_.parse_error(position, error.what()), false;
  }

 private:
  JsonEvents& events_;
};

}  // namespace

void parse_json(std::string_view text, JsonEvents& events) {
  Adapter adapter(events);
  nlohmann::ordered_json::sax_parse(text.data(), text.data() + text.size(), &adapter);
}

// Builds a tree from events.
class JsonBuilder : public JsonEvents {
 public:
  explicit JsonBuilder(bool allow_exceptions) : allow_exceptions_(allow_exceptions) {}

  Json take() { return std::move(root_); }

  void null() override { add(nullptr); }
  void boolean(bool value) override { add(value); }
  void number_integer(int64_t value) override { add(value); }
  void number_unsigned(uint64_t value) override { add(value); }
  void number_float(double value) override { add(value); }
  void string(std::string& value) override { add(std::move(value)); }
  void start_object() override { open_.push_back(&add(Json::object())); }
  void start_array() override { open_.push_back(&add(Json::array())); }
  void key(std::string& name) override { key_ = std::move(name); }
  void end_object() override { open_.pop_back(); }
  void end_array() override { open_.pop_back(); }
  void parse_error(size_t, const std::string& message) override {
    if (allow_exceptions_) throw JsonError(message);
    root_ = Json(Json::Type::kDiscarded);
  }

 private:
  // The element's place: parents keep still while their last element grows.
  Json& add(Json value) {
    if (open_.empty()) return root_ = std::move(value);
    Json& parent = *open_.back();
    if (parent.is_object()) return parent[key_] = std::move(value);  // the last of a name counts
    return parent.elements_.emplace_back(std::move(value));
  }

  const bool allow_exceptions_;
  Json root_;
  std::vector<Json*> open_;  // from the outside in
  std::string key_;
};

namespace {

nlohmann::ordered_json to_library(const Json& json, bool sorted) {
  using Library = nlohmann::ordered_json;
  switch (json.type()) {
    case Json::Type::kBoolean:
      return json.get<bool>();
    case Json::Type::kInteger:
      return json.get<int64_t>();
    case Json::Type::kUnsigned:
      return json.get<uint64_t>();
    case Json::Type::kFloat:
      return json.get<double>();
    case Json::Type::kString:
      return json.get<std::string>();
    case Json::Type::kArray: {
      Library result = Library::array();
      for (const Json& element : json) result.push_back(to_library(element, sorted));
      return result;
    }
    case Json::Type::kObject: {
      auto items = json.items();
      std::vector<const std::pair<const std::string&, const Json&>*> order;
      for (const auto& item : items) order.push_back(&item);
      if (sorted) {
        std::sort(order.begin(), order.end(),
                  [](const auto* a, const auto* b) { return a->first < b->first; });
      }
      Library result = Library::object();
      for (const auto* item : order) {
        result.get_ref<Library::object_t&>().emplace_back(item->first,
                                                          to_library(item->second, sorted));
      }
      return result;
    }
    case Json::Type::kNull:
    case Json::Type::kDiscarded:
      break;
  }
  return nullptr;
}

std::string dump_library(const nlohmann::ordered_json& json, int indent, char indent_character,
                         bool ensure_ascii, nlohmann::ordered_json::error_handler_t on_error) {
  try {
    return json.dump(indent, indent_character, ensure_ascii, on_error);
  } catch (const nlohmann::detail::exception& error) {
    throw JsonError(error.what());
  }
}

}  // namespace

Json::Json(const std::map<std::string, std::string>& members) : type_(Type::kObject) {
  for (const auto& [key, value] : members) {
    keys_.push_back(key);
    elements_.emplace_back(value);
  }
}

Json::Json(std::initializer_list<Json> elements) {
  const bool pairs = std::all_of(elements.begin(), elements.end(), [](const Json& element) {
    return element.is_array() && element.size() == 2 && element[0].is_string();
  });
  type_ = pairs ? Type::kObject : Type::kArray;
  if (!pairs) {
    elements_ = elements;
    return;
  }
  for (const Json& pair : elements) add_member(pair[0].text_) = pair[1];
}

Json::Json(Json&& other) noexcept
    : type_(std::exchange(other.type_, Type::kNull)),
      number_(other.number_),
      text_(std::move(other.text_)),
      elements_(std::move(other.elements_)),
      keys_(std::move(other.keys_)) {}

Json& Json::operator=(Json other) noexcept {
  std::swap(type_, other.type_);
  std::swap(number_, other.number_);
  text_.swap(other.text_);
  elements_.swap(other.elements_);
  keys_.swap(other.keys_);
  return *this;
}

Json::~Json() {
  std::vector<Json> rest = std::move(elements_);
  while (!rest.empty()) {
    Json last = std::move(rest.back());
    rest.pop_back();
    for (Json& element : last.elements_) {
      if (!element.elements_.empty()) rest.push_back(std::move(element));
    }
    last.elements_.clear();
  }
}

Json Json::parse(std::string_view text, std::nullptr_t, bool allow_exceptions) {
  JsonBuilder builder(allow_exceptions);
  parse_json(text, builder);
  return builder.take();
}

std::string Json::dump(int indent, char indent_character, bool ensure_ascii,
                       error_handler_t on_error) const {
  return dump_library(to_library(*this, /*sorted=*/false), indent, indent_character, ensure_ascii,
                      on_error == error_handler_t::replace
                          ? nlohmann::ordered_json::error_handler_t::replace
                          : nlohmann::ordered_json::error_handler_t::strict);
}

std::string Json::dump_sorted(bool ensure_ascii) const {
  return dump_library(to_library(*this, /*sorted=*/true), -1, ' ', ensure_ascii,
                      nlohmann::ordered_json::error_handler_t::strict);
}

const char* Json::type_name() const {
  switch (type_) {
    case Type::kNull:
      return "null";
    case Type::kBoolean:
      return "boolean";
    case Type::kInteger:
    case Type::kUnsigned:
    case Type::kFloat:
      return "number";
    case Type::kString:
      return "string";
    case Type::kArray:
      return "array";
    case Type::kObject:
      return "object";
    case Type::kDiscarded:
      break;
  }
  return "discarded";
}

bool Json::is_number_unsigned() const { return type_ == Type::kUnsigned; }

size_t Json::size() const {
  if (type_ == Type::kNull) return 0;
  return is_structured() ? elements_.size() : 1;
}

void Json::push_back(Json element) {
  if (is_null()) type_ = Type::kArray;
  if (!is_array()) throw type_error(308, cat("cannot use push_back() with ", type_name()));
  elements_.push_back(std::move(element));
}

std::vector<std::pair<const std::string&, const Json&>> Json::items() const {
  std::vector<std::pair<const std::string&, const Json&>> result;
  for (size_t i = 0; i < keys_.size(); ++i) result.emplace_back(keys_[i], elements_[i]);
  return result;
}

const Json* Json::find(std::string_view key) const {
  const auto found = std::find(keys_.begin(), keys_.end(), key);
  return found == keys_.end() ? nullptr : &elements_[static_cast<size_t>(found - keys_.begin())];
}

const Json& Json::at(std::string_view key) const {
  const Json* found = find_member("at()", key);
  if (found == nullptr) {
    throw JsonError(cat("[json.exception.out_of_range.403] key '", key, "' not found"));
  }
  return *found;
}

const Json* Json::find_member(const char* asked_by, std::string_view key) const {
  if (!is_object()) {
    throw type_error(asked_by == std::string_view("at()") ? 304 : 306,
                     cat("cannot use ", asked_by, " with ", type_name()));
  }
  return find(key);
}

const Json& Json::member(std::string_view key) const {
  static const Json kMissing;
  const Json* found = find(key);
  return found == nullptr ? kMissing : *found;
}

Json& Json::add_member(std::string_view key) {
  if (is_null()) type_ = Type::kObject;
  if (!is_object()) {
    throw type_error(305, cat("cannot use operator[] with a string argument with ", type_name()));
  }
  const auto found = std::find(keys_.begin(), keys_.end(), key);
  if (found != keys_.end()) return elements_[static_cast<size_t>(found - keys_.begin())];
  keys_.emplace_back(key);
  return elements_.emplace_back();
}

bool Json::as_boolean() const {
  if (!is_boolean()) fail("boolean");
  return number_.boolean;
}

const std::string& Json::as_string() const {
  if (!is_string()) fail("string");
  return text_;
}

const std::vector<Json>& Json::as_array() const {
  if (!is_array()) fail("array");
  return elements_;
}

void Json::fail(const char* expected) const {
  throw type_error(302, cat("type must be ", expected, ", but is ", type_name()));
}

bool operator==(const Json& a, const Json& b) {
  if (a.is_number() && b.is_number()) {
    if (a.is_number_integer() && b.is_number_integer()) {
      return a.as_number<int64_t>() == b.as_number<int64_t>();
    }
    return a.as_number<double>() == b.as_number<double>();
  }
  if (a.type_ != b.type_) return false;
  if (a.is_boolean()) return a.number_.boolean == b.number_.boolean;
  return a.text_ == b.text_ && a.keys_ == b.keys_ && a.elements_ == b.elements_;
}

std::ostream& operator<<(std::ostream& out, const Json& json) { return out << json.dump(); }

}  // namespace ebb
