#pragma once

#include <cstring>
#include <map>
#include <string>
#include <vector>

#include "weights/weight_source.h"

namespace ebb::test {

// Weights without a file: element i of every tensor is i. Keeps the requests.
class FakeWeights final : public WeightSource {
 public:
  struct Read {
    std::string name;
    DType dtype;
    const std::byte* dst;

    bool operator==(const Read&) const = default;
  };

  explicit FakeWeights(std::vector<TensorInfo> tensors) : tensors_(std::move(tensors)) {}

  std::map<std::string, NonFinite> non_finite;  // what reading a tensor reports

  const std::vector<Read>& reads() const { return reads_; }
  int finished() const { return finished_; }

  const std::string& path() const override { return path_; }
  const std::string& label() const override { return path_; }
  const std::map<std::string, std::string>& metadata() const override { return metadata_; }
  const std::vector<TensorInfo>& tensors() const override { return tensors_; }

  NonFinite stream(std::string_view name, const Sink&) override {
    return non_finite[std::string(name)];
  }
  NonFinite read(std::string_view name, DType dtype, std::span<std::byte> dst) override {
    reads_.push_back({std::string(name), dtype, dst.data()});
    const auto size = static_cast<size_t>(size_of(dtype));
    for (size_t i = 0; i * size < dst.size(); ++i) {
      const auto value = static_cast<float>(i);
      const uint16_t bits = dtype == DType::kF16 ? f32_to_f16(value) : f32_to_bf16(value);
      std::memcpy(
          dst.data() + i * size,
          dtype == DType::kF32 ? static_cast<const void*>(&value) : static_cast<const void*>(&bits),
          size);
    }
    return non_finite[std::string(name)];
  }
  std::string finish() override {
    ++finished_;
    return std::string(64, 'f');
  }

 private:
  std::string path_ = "m.safetensors";
  std::vector<TensorInfo> tensors_;
  std::map<std::string, std::string> metadata_;
  std::vector<Read> reads_;
  int finished_ = 0;
};

}  // namespace ebb::test
