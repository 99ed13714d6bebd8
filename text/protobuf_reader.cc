#include "text/protobuf_reader.h"

#include <bit>

#include "base/error.h"

namespace ebb {
namespace {

constexpr int kMaxVarintBytes = 10;
constexpr uint64_t kMaxFieldNumber = (1u << 29) - 1;

}  // namespace

void ProtobufField::require(WireType type) const {
  EBB_CHECK(type_ == type, FormatError, what_, ": field ", number_, " has wire type ",
            static_cast<int>(type_), ", expected ", static_cast<int>(type),
            ". The file is damaged or of another kind; fetch it again");
}

int64_t ProtobufField::integer() const {
  require(WireType::kVarint);
  return static_cast<int64_t>(value_);
}

float ProtobufField::float32() const {
  require(WireType::kFixed32);
  return std::bit_cast<float>(static_cast<uint32_t>(value_));
}

std::string_view ProtobufField::bytes() const {
  require(WireType::kBytes);
  return bytes_;
}

void ProtobufReader::fail(const std::string& why) const {
  throw FormatError(cat(what_, ": byte ", size_ - left_.size(), ": ", why,
                        ". The file is damaged or of another kind; fetch it again"));
}

uint64_t ProtobufReader::varint() {
  uint64_t value = 0;
  for (int i = 0; i < kMaxVarintBytes; ++i) {
    if (left_.empty()) fail("a number is cut short");
    const auto byte = static_cast<uint8_t>(left_.front());
    left_.remove_prefix(1);
    value |= static_cast<uint64_t>(byte & 0x7f) << (7 * i);
    if ((byte & 0x80) == 0) return value;
  }
  fail("a number is longer than ten bytes");
}

uint64_t ProtobufReader::fixed(size_t bytes) {
  if (left_.size() < bytes) fail("a number is cut short");
  uint64_t value = 0;
  for (size_t i = 0; i < bytes; ++i) {
    value |= static_cast<uint64_t>(static_cast<uint8_t>(left_[i])) << (8 * i);
  }
  left_.remove_prefix(bytes);
  return value;
}

std::optional<ProtobufField> ProtobufReader::next() {
  if (left_.empty()) return std::nullopt;
  const uint64_t tag = varint();
  const uint64_t number = tag >> 3;
  if (number == 0 || number > kMaxFieldNumber) fail(cat("field number ", number));
  const auto type = static_cast<WireType>(tag & 7);
  uint64_t value = 0;
  std::string_view bytes;
  switch (type) {
    case WireType::kVarint:
      value = varint();
      break;
    case WireType::kFixed64:
      value = fixed(8);
      break;
    case WireType::kFixed32:
      value = fixed(4);
      break;
    case WireType::kBytes:
      value = varint();
      if (value > left_.size()) {
        fail(cat("field ", number, " of ", value, " bytes, ", left_.size(), " are left"));
      }
      bytes = left_.substr(0, value);
      left_.remove_prefix(value);
      break;
    default:
      fail(cat("wire type ", tag & 7, " of field ", number));
  }
  return ProtobufField(what_, static_cast<uint32_t>(number), type, value, bytes);
}

}  // namespace ebb
