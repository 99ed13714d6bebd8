#include "weights/sharded_source.h"

#include <algorithm>
#include <filesystem>

#include "base/error.h"
#include "base/text.h"
#include "weights/digest.h"
#include "weights/open_weights.h"

namespace ebb {
namespace {

namespace fs = std::filesystem;

constexpr size_t kMaxListed = 5;

uint64_t bytes_of(const TensorInfo& tensor) {
  uint64_t elements = 1;
  for (const uint64_t dim : tensor.shape) elements *= dim;
  return elements * static_cast<uint64_t>(bits_of(tensor.dtype)) / 8;
}

}  // namespace

ShardedSource::ShardedSource(FileReader index, const LoadLimits& limits)
    : index_(std::move(index)) {
  const ShardIndex content = read_shard_index(index_);
  shard_names_ = content.shards;
  open_shards(limits);
  check_complete(content);
  add_tensors(content, limits);
}

void ShardedSource::open_shards(const LoadLimits& limits) {
  const fs::path directory = fs::path(index_.path()).parent_path();
  for (size_t i = 0; i < shard_names_.size(); ++i) {
    const std::string path = (directory / shard_names_[i]).string();
    std::error_code error;
    EBB_CHECK(fs::exists(path, error), FormatError, label(), ": shard ", i + 1, " of ",
              shard_names_.size(), ", ", quoted(shard_names_[i]),
              ", is missing. Download it to the directory of the index.");
    try {
      shards_.push_back(open_weights_file(path, limits));
    } catch (const FormatError& failure) {
      throw FormatError(cat(label(), ": shard ", i + 1, " of ", shard_names_.size(),
                            " cannot be used: ", failure.what()));
    }
  }
}

// Every tensor of the index is in its shard.
void ShardedSource::check_complete(const ShardIndex& index) const {
  std::map<std::string_view, std::vector<size_t>> places;  // shards by the tensors they hold
  for (size_t i = 0; i < shards_.size(); ++i) {
    for (const TensorInfo& tensor : shards_[i]->tensors()) places[tensor.name].push_back(i);
  }
  std::string listing;
  size_t missing = 0;
  for (const auto& [name, shard] : index.weight_map) {
    const auto found = places.find(name);
    const bool anywhere = found != places.end();
    if (anywhere && std::count(found->second.begin(), found->second.end(), shard) > 0) continue;
    if (++missing > kMaxListed) continue;
    listing += cat(
        missing == 1 ? "" : ", ", quoted(name), " in ", quoted(index.shards[shard]),
        anywhere ? cat(" (it is in ", quoted(index.shards[found->second[0]]), ")") : std::string());
  }
  if (missing > kMaxListed) listing += cat(" and ", missing - kMaxListed, " more");
  EBB_CHECK(missing == 0, FormatError, label(), ": ", missing,
            " tensors are not in the shard that the index names: ", listing,
            ". Index and shards are of different models, or a shard is of an older one.");
}

void ShardedSource::add_tensors(const ShardIndex& index, const LoadLimits& limits) {
  uint64_t total = 0;
  for (size_t i = 0; i < shards_.size(); ++i) {
    for (const TensorInfo& tensor : shards_[i]->tensors()) {
      const auto wanted = index.weight_map.find(tensor.name);
      if (wanted == index.weight_map.end() || wanted->second != i) continue;
      total += bytes_of(tensor);  // of each shard at most the limit: no overflow
      shard_of_[tensor.name] = i;
      tensors_.push_back(tensor);
      EBB_CHECK(total <= limits.max_model_bytes, FormatError, label(), ": the tensors take ",
                format_bytes(total), " or more, allowed are ", format_bytes(limits.max_model_bytes),
                ". Raise --max-model-bytes if the memory is there.");
    }
  }
  if (index.total_size.value_or(total) != total) {
    warnings_.push_back(cat(label(), ": total_size is ", *index.total_size,
                            " bytes, the tensors take ", total, ". The shards are read."));
  }
}

std::vector<std::string> ShardedSource::warnings() const {
  std::vector<std::string> all = warnings_;
  for (const auto& shard : shards_) {
    const std::vector<std::string> more = shard->warnings();
    all.insert(all.end(), more.begin(), more.end());
  }
  return all;
}

NonFinite ShardedSource::stream(std::string_view name, const Sink& sink) {
  const auto found = shard_of_.find(name);
  EBB_CHECK(found != shard_of_.end(), Error, label(), ": no tensor ", quoted(name));
  return shards_[found->second]->stream(name, sink);
}

std::string ShardedSource::finish() {
  const std::string index_name = fs::path(index_.path()).filename().string();
  std::map<std::string, std::string> digests = {{index_name, sha256_hex(index_)}};
  for (size_t i = 0; i < shards_.size(); ++i) digests[shard_names_[i]] = shards_[i]->finish();
  std::string list;
  for (const auto& [name, digest] : digests) list += cat(digest, "  ", name, "\n");
  return sha256_hex(list.data(), list.size());
}

}  // namespace ebb
