#pragma once

#include <cstdint>
#include <string>
#include <vector>

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

  NonFinite read(std::string_view name, DType dtype, std::span<std::byte> dst) override;
  std::string finish() override;

 private:
  // Reads bytes [offset, offset + bytes) of the file, and hashes what is new of them.
  void read_hashed(uint64_t offset, std::byte* dst, uint64_t bytes);
  void hash_up_to(uint64_t offset);

  SafetensorsFile file_;
  std::vector<TensorInfo> tensors_;
  bool has_digest_;
  FileHashes hashes_;
  uint64_t hashed_;  // bytes of the file, from its start
};

}  // namespace ebb
