#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "weights/in_order_reader.h"
#include "weights/safetensors.h"
#include "weights/weight_source.h"

namespace ebb {

// One safetensors file. Each byte is hashed once, in the file's order: tensors may be read in any
// order, but bytes that were passed over come from the file twice.
class SafetensorsSource final : public WeightSource {
 public:
  explicit SafetensorsSource(SafetensorsFile file);

  const std::string& path() const override { return file_.file().path(); }
  const std::string& label() const override { return file_.label(); }
  const std::map<std::string, std::string>& metadata() const override { return file_.metadata(); }
  const std::vector<TensorInfo>& tensors() const override { return tensors_; }

  NonFinite stream(std::string_view name, const Sink& sink) override;
  std::string finish() override;

 private:
  void hash(const std::byte* data, uint64_t bytes);

  SafetensorsFile file_;
  std::vector<TensorInfo> tensors_;             // in the order of the file's entries
  std::map<std::string_view, size_t> by_name_;  // index of a tensor
  bool has_digest_;
  FileHashes hashes_;
  InOrderReader reader_;
};

}  // namespace ebb
