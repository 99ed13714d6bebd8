#include "weights/safetensors_header.h"

#include <algorithm>
#include <set>
#include <tuple>

#include "base/error.h"
#include "base/json.h"
#include "base/text.h"

namespace ebb {
namespace {

constexpr size_t kMaxDepth = 128;
constexpr size_t kMaxRank = 16;
constexpr const char* kAdvice =
    " The file is damaged or its writer is faulty; download it again or export it with a current "
    "safetensors library.";

template <typename... Parts>
[[noreturn]] void fail(const std::string& label, const Parts&... parts) {
  throw FormatError(cat(label, ": ", parts..., ".", kAdvice));
}

// Receives the parser's events. Nesting, duplicate names and types are checked here.
class HeaderEvents : public JsonEvents {
 public:
  explicit HeaderEvents(const std::string& label) : label_(label) {}

  SafetensorsHeader take() { return std::move(header_); }

  void null() override {
    if (place() == Place::kTop && key_ == kSafetensorsMetadataKey) return;
    other_value("null");
  }
  void boolean(bool) override { other_value("a boolean"); }
  void number_integer(int64_t) override { other_value("a negative number"); }
  void number_float(double) override { other_value("no plain integer below 2^64"); }
  void number_unsigned(uint64_t value) override;
  void string(std::string& value) override;
  void start_object() override { open(true); }
  void start_array() override { open(false); }
  void key(std::string& name) override;
  void end_object() override;
  void end_array() override;
  [[noreturn]] void parse_error(size_t position, const std::string& message) override;

 private:
  enum class Place { kOutside, kTop, kMetadata, kTensor, kShape, kOffsets, kIgnored };
  struct Level {
    Place place;
    std::set<std::string> keys;
  };

  Place place() const { return levels_.empty() ? Place::kOutside : levels_.back().place; }
  TensorEntry& tensor() { return header_.entries.back(); }
  bool is_tensor_field() const {
    return key_ == "dtype" || key_ == "shape" || key_ == "data_offsets";
  }

  void open(bool object);
  Place place_inside(bool object);
  void begin_tensor();
  void finish_tensor();
  // A value that no rule needs: an error, unless it is in a field that readers ignore.
  void other_value(const char* found);

  const std::string& label_;
  SafetensorsHeader header_;
  std::vector<Level> levels_;
  std::string key_;
  std::vector<uint64_t> offsets_;
  bool has_dtype_ = false;
  bool has_shape_ = false;
  bool has_offsets_ = false;
};

void HeaderEvents::number_unsigned(uint64_t value) {
  if (place() == Place::kShape) {
    if (tensor().shape.size() == kMaxRank) {
      fail(label_, "tensor ", quoted(tensor().name), ": shape has more than ", kMaxRank,
           " dimensions");
    }
    tensor().shape.push_back(value);
    return;
  }
  if (place() == Place::kOffsets) {
    if (offsets_.size() == 2) {
      fail(label_, "tensor ", quoted(tensor().name),
           ": data_offsets holds more than 2 numbers, expected [begin, end]");
    }
    offsets_.push_back(value);
    return;
  }
  other_value("a number");
}

void HeaderEvents::string(std::string& value) {
  if (place() == Place::kMetadata) {
    header_.metadata[key_] = std::move(value);
    return;
  }
  if (place() == Place::kTensor && key_ == "dtype") {
    const auto dtype = parse_st_dtype(value);
    if (!dtype) {
      fail(label_, "tensor ", quoted(tensor().name), ": dtype ", quoted(value),
           " is unknown, expected one of the 22 of safetensors 0.8 such as F32, F16 or BF16");
    }
    tensor().dtype = *dtype;
    has_dtype_ = true;
    return;
  }
  other_value("a string");
}

void HeaderEvents::key(std::string& name) {
  if (!levels_.back().keys.insert(name).second) {
    const char* where = place() == Place::kTop ? "header" : "an object of the header";
    fail(label_, where, " holds the duplicate name ", quoted(name), ", expected each name once");
  }
  key_ = std::move(name);
}

void HeaderEvents::open(bool object) {
  if (levels_.size() == kMaxDepth) {
    fail(label_, "header nests deeper than ", kMaxDepth, " levels, expected 3");
  }
  levels_.push_back({place_inside(object), {}});
}

HeaderEvents::Place HeaderEvents::place_inside(bool object) {
  const char* found = object ? "an object" : "an array";
  switch (place()) {
    case Place::kOutside:
      if (object) return Place::kTop;
      break;
    case Place::kTop:
      if (object && key_ == kSafetensorsMetadataKey) return Place::kMetadata;
      if (object) {
        begin_tensor();
        return Place::kTensor;
      }
      break;
    case Place::kTensor:
      if (!object && key_ == "shape") {
        has_shape_ = true;
        return Place::kShape;
      }
      if (!object && key_ == "data_offsets") {
        has_offsets_ = true;
        return Place::kOffsets;
      }
      break;
    default:
      break;
  }
  other_value(found);
  return Place::kIgnored;
}

void HeaderEvents::end_array() {
  if (place() == Place::kOffsets && offsets_.size() != 2) {
    fail(label_, "tensor ", quoted(tensor().name), ": data_offsets holds ", offsets_.size(),
         " numbers, expected [begin, end]");
  }
  levels_.pop_back();
}

void HeaderEvents::end_object() {
  if (place() == Place::kTensor) finish_tensor();
  levels_.pop_back();
}

void HeaderEvents::begin_tensor() {
  header_.entries.emplace_back();
  tensor().name = key_;
  offsets_.clear();
  has_dtype_ = has_shape_ = has_offsets_ = false;
}

void HeaderEvents::finish_tensor() {
  const char* missing = !has_dtype_     ? "dtype"
                        : !has_shape_   ? "shape"
                        : !has_offsets_ ? "data_offsets"
                                        : nullptr;
  if (missing != nullptr) {
    fail(label_, "tensor ", quoted(tensor().name), " has no ", missing,
         ", expected dtype, shape and data_offsets");
  }
  tensor().begin = offsets_[0];
  tensor().end = offsets_[1];
}

void HeaderEvents::other_value(const char* found) {
  switch (place()) {
    case Place::kOutside:
      fail(label_, "header is ", found, ", expected a JSON object");
    case Place::kTop:
      if (key_ == kSafetensorsMetadataKey) {
        fail(label_, "__metadata__ is ", found, ", expected an object of strings");
      }
      fail(label_, "tensor ", quoted(key_), " is ", found,
           ", expected an object with dtype, shape and data_offsets");
    case Place::kMetadata:
      fail(label_, "__metadata__ entry ", quoted(key_), " is ", found, ", expected a string");
    case Place::kTensor:
      if (is_tensor_field()) {
        fail(label_, "tensor ", quoted(tensor().name), ": ", key_, " is ", found, ", expected ",
             key_ == "dtype" ? "a string" : "a list of integers");
      }
      return;
    case Place::kShape:
    case Place::kOffsets:
      fail(label_, "tensor ", quoted(tensor().name), ": ", key_, " holds ", found,
           ", expected integers from 0 to 2^64 - 1");
    case Place::kIgnored:
      return;
  }
}

void HeaderEvents::parse_error(size_t position, const std::string& message) {
  const std::string_view what = message;
  const std::string_view detail = what.substr(what.find("] ") + 2);  // behind "[json...101] "
  fail(label_, "header is not valid JSON at its byte ", position, " (", terminal_safe(detail), ")");
}

// Bytes of a tensor with this shape, by checked arithmetic.
uint64_t required_bytes(const TensorEntry& entry, const std::string& label) {
  uint64_t bits = 0;
  uint64_t elements = 1;
  bool overflow = false;
  for (const uint64_t dim : entry.shape) {
    overflow = overflow || __builtin_mul_overflow(elements, dim, &elements);
  }
  overflow = overflow ||
             __builtin_mul_overflow(elements, static_cast<uint64_t>(bits_of(entry.dtype)), &bits);
  if (overflow) {
    fail(label, "tensor ", quoted(entry.name), ": the shape asks for more than 2^64 bits");
  }
  if (bits % 8 != 0) {
    fail(label, "tensor ", quoted(entry.name), ": ", elements, " elements of ",
         to_string(entry.dtype), " are ", bits, " bits, expected whole bytes");
  }
  return bits / 8;
}

// Tensors must fill the data section from its start, one behind the other.
void check_entry(const TensorEntry& entry, uint64_t expected_begin, const std::string& label) {
  if (entry.end < entry.begin) {
    fail(label, "tensor ", quoted(entry.name), ": data_offsets [", entry.begin, ", ", entry.end,
         "] run backwards");
  }
  if (entry.begin != expected_begin) {
    fail(label, "tensor ", quoted(entry.name), ": starts at data byte ", entry.begin, ", expected ",
         expected_begin, " where the tensor before it ends (no gap, no overlap)");
  }
  const uint64_t required = required_bytes(entry, label);
  if (entry.bytes() != required) {
    fail(label, "tensor ", quoted(entry.name), ": data_offsets span ", entry.bytes(),
         " bytes, expected ", required, " for its shape and dtype ", to_string(entry.dtype));
  }
}

void check_layout(SafetensorsHeader& header, uint64_t data_bytes, const LoadLimits& limits,
                  const std::string& label) {
  auto& entries = header.entries;
  std::sort(entries.begin(), entries.end(), [](const TensorEntry& a, const TensorEntry& b) {
    return std::tie(a.begin, a.end, a.name) < std::tie(b.begin, b.end, b.name);
  });
  uint64_t total = 0;
  for (const TensorEntry& entry : entries) {
    check_entry(entry, total, label);
    total = entry.end;
  }
  EBB_CHECK(total <= limits.max_model_bytes, FormatError, label, ": the tensors take ",
            format_bytes(total), ", allowed are ", format_bytes(limits.max_model_bytes),
            ". Raise --max-model-bytes if the memory is there.");
  if (total > data_bytes) {
    const auto cut = std::find_if(entries.begin(), entries.end(),
                                  [&](const TensorEntry& e) { return e.end > data_bytes; });
    throw FormatError(cat(label, ": header says ", format_bytes(total), " of data, file holds ",
                          data_bytes, " (tensor ", quoted(cut->name), ", bytes ", cut->begin, "..",
                          cut->end, "). The download looks incomplete; fetch it again."));
  }
  if (total < data_bytes) {
    fail(label, "file holds ", format_bytes(data_bytes - total),
         " behind the last tensor, expected its end at data byte ", total);
  }
}

// Flaws that the JSON parser would accept: it stops at a NUL and skips a byte order mark.
void check_raw_text(std::string_view json, const std::string& label) {
  const size_t nul = json.find('\0');
  if (nul != std::string_view::npos) {
    fail(label, "header holds a NUL at its byte ", nul, ", expected JSON padded with spaces");
  }
  if (json.starts_with("\xef\xbb\xbf")) {
    fail(label, "header starts with a byte order mark, expected '{'");
  }
}

}  // namespace

SafetensorsHeader parse_safetensors_header(std::string_view json, uint64_t data_bytes,
                                           const LoadLimits& limits, const std::string& label) {
  check_raw_text(json, label);
  HeaderEvents events(label);
  parse_json(json, events);
  SafetensorsHeader header = events.take();
  check_layout(header, data_bytes, limits, label);
  return header;
}

}  // namespace ebb
