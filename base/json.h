#pragma once

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <iosfwd>
#include <map>
#include <ranges>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ebb {

// JSON as files and reports hold it. nlohmann's library reads and writes the text and shows in no
// header: parsing it takes longer than most sources do. Names and meaning are its
// nlohmann::ordered_json's.

// The text is not JSON, or a value does not have the requested type.
class JsonError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

class Json {
 public:
  using exception = JsonError;  // NOLINT(readability-identifier-naming): as nlohmann's
  enum class Type {
    kNull,
    kBoolean,
    kInteger,
    kUnsigned,
    kFloat,
    kString,
    kArray,
    kObject,
    kDiscarded
  };
  // For bytes that are not UTF-8 in dump().
  enum class error_handler_t { strict, replace };  // NOLINT(readability-identifier-naming)

  // NOLINTBEGIN(google-explicit-constructor): values convert, as with nlohmann's json
  Json(std::nullptr_t = nullptr) {}
  Json(bool value) : type_(Type::kBoolean) { number_.boolean = value; }
  template <std::signed_integral T>
  Json(T value) : type_(Type::kInteger) {
    number_.integer = value;
  }
  template <std::unsigned_integral T>
  requires(!std::same_as<T, bool>) Json(T value) : type_(Type::kUnsigned) {
    number_.unsigned_integer = value;
  }
  template <std::floating_point T>
  Json(T value) : type_(Type::kFloat) {
    number_.floating = value;
  }
  Json(const char* text) : type_(Type::kString), text_(text) {}
  Json(std::string text) : type_(Type::kString), text_(std::move(text)) {}
  Json(std::string_view text) : type_(Type::kString), text_(text) {}
  Json(const std::map<std::string, std::string>& members);
  // An array of what a vector, array or span holds.
  template <std::ranges::input_range Range>
  requires(!std::convertible_to<const Range&, std::string_view> &&
           !std::same_as<Range, std::map<std::string, std::string>> && !std::same_as<Range, Json>)
      Json(const Range& range)
      : type_(Type::kArray) {
    for (const auto& element : range) elements_.emplace_back(element);
  }
  // {{"key", value}, ...}: an object when every element is a pair that starts with a string, else
  // an array. So Json{x} is an array and Json(x) a copy.
  Json(std::initializer_list<Json> elements);
  // NOLINTEND(google-explicit-constructor)

  Json(const Json& other) = default;
  Json(Json&& other) noexcept;
  Json& operator=(Json other) noexcept;
  ~Json();  // not by recursion: a file may nest deeper than the stack

  static Json array() { return Json(Type::kArray); }
  static Json object() { return Json(Type::kObject); }

  // Throws JsonError; without exceptions, the result is neither null nor anything else.
  static Json parse(std::string_view text) { return parse(text, nullptr, true); }
  static Json parse(std::string_view text, std::nullptr_t, bool allow_exceptions);

  // indent -1: on one line. Prints, like copies, by recursion. Throws JsonError for text that is
  // not UTF-8, unless it is replaced by U+FFFD.
  std::string dump(int indent = -1, char indent_character = ' ', bool ensure_ascii = false,
                   error_handler_t on_error = error_handler_t::strict) const;
  // With the members of every object in the order of their keys.
  std::string dump_sorted(bool ensure_ascii = false) const;

  Type type() const { return type_; }
  const char* type_name() const;
  bool is_null() const { return type_ == Type::kNull; }
  bool is_boolean() const { return type_ == Type::kBoolean; }
  bool is_number_integer() const { return type_ == Type::kInteger || type_ == Type::kUnsigned; }
  bool is_number_unsigned() const;  // as nlohmann: 1 that was parsed or made of an unsigned
  bool is_number() const { return is_number_integer() || type_ == Type::kFloat; }
  bool is_string() const { return type_ == Type::kString; }
  bool is_array() const { return type_ == Type::kArray; }
  bool is_object() const { return type_ == Type::kObject; }
  bool is_structured() const { return is_array() || is_object(); }
  bool is_primitive() const { return !is_structured() && type_ != Type::kDiscarded; }

  // Elements of an array, or the values of an object in the order in which they were added.
  size_t size() const;
  bool empty() const { return size() == 0; }
  auto begin() const { return elements_.begin(); }
  auto end() const { return elements_.end(); }
  const Json& back() const { return elements_.back(); }
  void push_back(Json element);  // null becomes an array
  std::vector<std::pair<const std::string&, const Json&>> items() const;

  const Json* find(std::string_view key) const;  // nullptr: no object or no such key
  bool contains(std::string_view key) const { return find(key) != nullptr; }
  const Json& at(std::string_view key) const;  // JsonError when it is missing
  const Json& operator[](const char* key) const { return member(key); }
  const Json& operator[](const std::string& key) const { return member(key); }
  const Json& operator[](size_t index) const { return elements_.at(index); }
  const Json& operator[](int index) const { return elements_.at(static_cast<size_t>(index)); }
  Json& operator[](const char* key) { return add_member(key); }
  Json& operator[](const std::string& key) { return add_member(key); }

  // The value as a bool, a number, a string or a std::vector of these; JsonError if it is none.
  template <typename T>
  T get() const;
  template <typename T>
  void get_to(T& value) const {
    value = get<T>();
  }
  // The member of this name, or the default if there is none.
  template <typename T>
  T value(const char* key, const T& missing) const {
    const Json* found = find_member("value()", key);
    return found == nullptr ? missing : found->get<T>();
  }
  std::string value(const char* key, const char* missing) const {
    return value(key, std::string(missing));
  }

  // Numbers are equal by value, whatever their type.
  friend bool operator==(const Json& a, const Json& b);

  // Friends, so that no other type becomes JSON to be printed.
  friend std::string to_string(const Json& json) { return json.dump(); }
  friend std::ostream& operator<<(std::ostream& out, const Json& json);

 private:
  explicit Json(Type type) : type_(type) {}
  friend class JsonBuilder;

  // The key's value; null if there is none.
  const Json& member(std::string_view key) const;
  Json& add_member(std::string_view key);
  // Throws unless this is an object.
  const Json* find_member(const char* asked_by, std::string_view key) const;
  bool as_boolean() const;
  const std::string& as_string() const;
  const std::vector<Json>& as_array() const;
  template <typename T>
  T as_number() const;
  [[noreturn]] void fail(const char* expected) const;

  Type type_ = Type::kNull;
  union {
    bool boolean;
    int64_t integer;
    uint64_t unsigned_integer;
    double floating;
  } number_{.unsigned_integer = 0};
  std::string text_;
  std::vector<Json> elements_;
  std::vector<std::string> keys_;  // of an object, one for each element
};

template <typename T>
T Json::as_number() const {
  switch (type_) {
    case Type::kInteger:
      return static_cast<T>(number_.integer);
    case Type::kUnsigned:
      return static_cast<T>(number_.unsigned_integer);
    case Type::kFloat:
      return static_cast<T>(number_.floating);
    default:
      fail("number");
  }
}

template <typename T>
T Json::get() const {
  if constexpr (std::same_as<T, Json>) {
    return *this;
  } else if constexpr (std::same_as<T, bool>) {
    return as_boolean();
  } else if constexpr (std::integral<T> || std::floating_point<T>) {
    return as_number<T>();
  } else if constexpr (std::same_as<T, std::string>) {
    return as_string();
  } else {
    T values;
    for (const Json& element : as_array()) {
      values.push_back(element.template get<typename T::value_type>());
    }
    return values;
  }
}

// Parser events, in the order of the text. Every function may throw.
class JsonEvents {
 public:
  virtual ~JsonEvents() = default;

  virtual void null() = 0;
  virtual void boolean(bool value) = 0;
  virtual void number_integer(int64_t value) = 0;  // a negative one
  virtual void number_unsigned(uint64_t value) = 0;
  virtual void number_float(double value) = 0;
  virtual void string(std::string& value) = 0;
  virtual void start_object() = 0;
  virtual void key(std::string& name) = 0;
  virtual void end_object() = 0;
  virtual void start_array() = 0;
  virtual void end_array() = 0;
  // The last event. `message` is the library's, which starts with "[json.exception".
  virtual void parse_error(size_t position, const std::string& message) = 0;
};

// Strict about grammar, numbers, UTF-8 and surrogates; does not recurse. A byte order mark at the
// start is skipped.
void parse_json(std::string_view text, JsonEvents& events);

}  // namespace ebb
