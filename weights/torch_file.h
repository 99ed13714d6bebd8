#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/file.h"
#include "weights/safetensors_header.h"
#include "weights/st_dtype.h"

namespace ebb {

// A tensor of a file of torch.save(): a view of a storage, which other tensors may share.
struct TorchTensor {
  std::string name;
  StDType dtype = StDType::kF32;
  std::vector<uint64_t> shape;
  std::vector<uint64_t> stride;  // elements
  uint64_t begin = 0;            // byte of the file where its first element is
  uint64_t index = 0;            // in the dict, which has a module's tensors as it created them

  uint64_t elements() const;
  bool is_contiguous() const;  // row-major without gaps
};

// Bytes [begin, end) of the file have this CRC-32; 0 when its writer did not compute it.
struct TorchChecksum {
  std::string member;
  uint64_t begin = 0;
  uint64_t end = 0;
  uint32_t crc = 0;
};

// The weights of a .pt, .pth or .bin file, checked: the ZIP form or the one of PyTorch before 1.6.
// Nothing of it is executed, and only the list of tensors is read. Rules: weights/README.md.
struct TorchFile {
  std::vector<TorchTensor> tensors;      // by position
  std::vector<TorchChecksum> checksums;  // of all members, by position
  std::vector<std::string> warnings;
  std::string container;  // the key of the top-level dict that holds the tensors, or empty
};

TorchFile read_torch_file(const FileReader& file, const LoadLimits& limits);

}  // namespace ebb
