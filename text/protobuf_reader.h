#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace ebb {

// Encodings of https://protobuf.dev/programming-guides/encoding; groups (3, 4) are of protobuf 1.
enum class WireType { kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5 };

// A field of a message. What it means depends on the message; each conversion throws FormatError
// when the field is of another wire type.
class ProtobufField {
 public:
  ProtobufField(std::string what, uint32_t number, WireType type, uint64_t value,
                std::string_view bytes)
      : what_(std::move(what)), number_(number), type_(type), value_(value), bytes_(bytes) {}

  uint32_t number() const { return number_; }
  bool boolean() const { return integer() != 0; }
  int64_t integer() const;         // int32, int64, enum
  float float32() const;           // float
  std::string_view bytes() const;  // string, bytes, a message; lives as long as the input

 private:
  void require(WireType type) const;

  std::string what_;
  uint32_t number_;
  WireType type_;
  uint64_t value_;
  std::string_view bytes_;
};

// Reads the fields of one message in their order. Looks at every byte once and copies none.
class ProtobufReader {
 public:
  // `what` begins messages: "spiece.model: piece 3".
  ProtobufReader(std::string_view message, std::string what)
      : left_(message), size_(message.size()), what_(std::move(what)) {}

  // Nothing at the end of the message. FormatError when it is cut short or no protobuf.
  std::optional<ProtobufField> next();

 private:
  [[noreturn]] void fail(const std::string& why) const;
  uint64_t varint();
  uint64_t fixed(size_t bytes);

  std::string_view left_;
  size_t size_;
  std::string what_;
};

}  // namespace ebb
