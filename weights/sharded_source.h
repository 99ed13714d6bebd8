#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "weights/shard_index.h"
#include "weights/weight_source.h"

namespace ebb {

// The files that an index names, as one source. Tensors that a file holds and the index does not
// give it are left alone.
class ShardedSource final : public WeightSource {
 public:
  // Opens and checks every shard. FormatError when one is missing, damaged, or lacks a tensor.
  ShardedSource(FileReader index, const LoadLimits& limits);

  const std::string& path() const override { return index_.path(); }
  const std::string& label() const override { return index_.label(); }
  // None: what the shards carry describes each of them alone.
  const std::map<std::string, std::string>& metadata() const override { return metadata_; }
  const std::vector<TensorInfo>& tensors() const override { return tensors_; }
  std::vector<std::string> warnings() const override;
  const std::vector<std::string>& shards() const { return shard_names_; }

  NonFinite stream(std::string_view name, const Sink& sink) override;
  std::string finish() override;

 private:
  void open_shards(const LoadLimits& limits);
  void add_tensors(const ShardIndex& index, const LoadLimits& limits);
  void check_complete(const ShardIndex& index) const;

  FileReader index_;
  std::map<std::string, std::string> metadata_;
  std::vector<std::string> shard_names_;
  std::vector<std::unique_ptr<WeightSource>> shards_;
  std::vector<TensorInfo> tensors_;
  std::map<std::string, size_t, std::less<>> shard_of_;
  std::vector<std::string> warnings_;
};

}  // namespace ebb
