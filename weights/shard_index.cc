#include "weights/shard_index.h"

#include <algorithm>
#include <set>

#include "base/error.h"
#include "base/json.h"
#include "base/text.h"
#include "weights/file_kind.h"

namespace ebb {
namespace {

constexpr uint64_t kMaxBytes = uint64_t{64} << 20;
constexpr size_t kMaxDepth = 128;
constexpr const char* kWeightMap = "weight_map";

template <typename... Parts>
[[noreturn]] void fail(const std::string& label, const Parts&... parts) {
  throw FormatError(cat(label, ": ", parts...,
                        ". The index is damaged or its writer is faulty; fetch it again."));
}

// Receives the parser's events; keeps the weight map and the total size.
class IndexEvents : public JsonEvents {
 public:
  explicit IndexEvents(const std::string& label) : label_(label) {}

  void null() override { other_value("null"); }
  void boolean(bool) override { other_value("a boolean"); }
  void number_integer(int64_t) override { other_value("a number"); }
  void number_unsigned(uint64_t value) override {
    if (levels_.size() == 2 && top_key_ == "metadata" && key_ == "total_size") total_size_ = value;
    other_value("a number");
  }
  void number_float(double) override { other_value("a number"); }
  void string(std::string& value) override {
    if (!in_weight_map()) return other_value("a string");
    shard_of_[key_] = std::move(value);
  }
  void start_object() override { open(true); }
  void start_array() override { open(false); }
  void key(std::string& name) override;
  void end_object() override { levels_.pop_back(); }
  void end_array() override { levels_.pop_back(); }
  [[noreturn]] void parse_error(size_t position, const std::string& message) override {
    const std::string_view what = message;
    fail(label_, "is not valid JSON at byte ", position, " (",
         terminal_safe(what.substr(what.find("] ") + 2)), ")");
  }

  ShardIndex take();

 private:
  bool in_weight_map() const { return levels_.size() == 2 && top_key_ == kWeightMap; }
  void open(bool object);
  void other_value(const char* found) const;

  const std::string& label_;
  std::vector<std::set<std::string>> levels_;  // the keys of each open object
  std::string top_key_, key_;
  bool has_map_ = false;
  std::map<std::string, std::string> shard_of_;
  std::optional<uint64_t> total_size_;
};

void IndexEvents::open(bool object) {
  const char* found = object ? "an object" : "an array";
  if (levels_.size() == kMaxDepth) fail(label_, "nests deeper than ", kMaxDepth, " levels");
  const bool is_map = levels_.size() == 1 && top_key_ == kWeightMap && object;
  if (!is_map && !(levels_.empty() && object)) other_value(found);
  has_map_ = has_map_ || is_map;
  levels_.emplace_back();
}

void IndexEvents::key(std::string& name) {
  if (!levels_.back().insert(name).second) {
    fail(label_, "holds the duplicate name ", quoted(name), ", expected each name once");
  }
  key_ = std::move(name);
  if (levels_.size() == 1) top_key_ = key_;
}

// Values that no rule asks for are ignored.
void IndexEvents::other_value(const char* found) const {
  if (levels_.empty()) fail(label_, "holds ", found, ", expected an object with a weight_map");
  if (in_weight_map()) {
    fail(label_, "weight_map says ", found, " for tensor ", quoted(key_),
         ", expected the name of a file");
  }
  if (levels_.size() == 1 && top_key_ == kWeightMap) {
    fail(label_, "weight_map is ", found, ", expected an object");
  }
}

// The name itself, not where it leads: the files of a Hugging Face cache are links.
void check_shard_name(const std::string& name, const std::string& tensor,
                      const std::string& label) {
  const bool plain = !name.empty() && name != "." && name != ".." &&
                     name.find_first_of(std::string_view("/\\\0", 3)) == std::string::npos;
  if (!plain) {
    fail(label, "weight_map says file ", quoted(name), " for tensor ", quoted(tensor),
         ", expected a file name without directories");
  }
}

ShardIndex IndexEvents::take() {
  if (!has_map_) fail(label_, "has no weight_map, expected the names of tensors and their files");
  if (shard_of_.empty()) fail(label_, "its weight_map is empty");
  ShardIndex index;
  index.total_size = total_size_;
  std::map<std::string, size_t> numbers;
  for (const auto& [tensor, shard] : shard_of_) {
    check_shard_name(shard, tensor, label_);
    numbers.emplace(shard, 0);
  }
  for (auto& [shard, number] : numbers) {
    number = index.shards.size();
    index.shards.push_back(shard);
  }
  for (const auto& [tensor, shard] : shard_of_) index.weight_map[tensor] = numbers.at(shard);
  return index;
}

}  // namespace

ShardIndex parse_shard_index(std::string_view json, const std::string& label) {
  const size_t nul = json.find('\0');
  if (nul != std::string_view::npos) fail(label, "holds a NUL at byte ", nul, ", expected JSON");
  if (json.starts_with("\xef\xbb\xbf")) fail(label, "starts with a byte order mark, expected '{'");
  IndexEvents events(label);
  parse_json(json, events);
  return events.take();
}

ShardIndex read_shard_index(const FileReader& file) {
  constexpr const char* kWanted = "the index of sharded weights";
  refuse_other_kinds(file, kWanted, {FileKind::kJson});
  EBB_CHECK(file.size() <= kMaxBytes, FormatError, file.label(), ": holds ",
            format_bytes(file.size()), ", expected ", kWanted, " of at most ",
            format_bytes(kMaxBytes), ". Name another file.");
  std::string json(file.size(), '\0');
  file.read_at(0, json.data(), json.size());
  return parse_shard_index(json, file.label());
}

}  // namespace ebb
