#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "weights/st_dtype.h"

namespace ebb {

// Layout of a file: u64 length N, little-endian | N bytes of JSON | data.
inline constexpr uint64_t kSafetensorsLengthBytes = 8;
inline constexpr uint64_t kMaxSafetensorsHeader = 100'000'000;  // of the reference implementation
inline constexpr const char* kSafetensorsMetadataKey = "__metadata__";

struct LoadLimits {
  uint64_t max_model_bytes = uint64_t{24} << 30;  // sum over the tensors of one file
};

// One tensor of a file. Its bytes are [begin, end) of the data section, row-major, little-endian.
struct TensorEntry {
  std::string name;  // any UTF-8, also control characters: print it with quoted()
  StDType dtype = StDType::kU8;
  std::vector<uint64_t> shape;  // PyTorch's order; a dimension of a tensor without elements may
                                // exceed 2^63
  uint64_t begin = 0;
  uint64_t end = 0;

  uint64_t bytes() const { return end - begin; }
};

struct SafetensorsHeader {
  std::vector<TensorEntry> entries;  // in the order of their bytes
  std::map<std::string, std::string> metadata;
};

// Parses and checks a header against the size of the data section that follows it. Accepts strict
// JSON only; the rules are in weights/README.md. `label` names the file in the FormatError.
SafetensorsHeader parse_safetensors_header(std::string_view json, uint64_t data_bytes,
                                           const LoadLimits& limits, const std::string& label);

}  // namespace ebb
