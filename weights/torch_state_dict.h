#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "weights/pickle.h"
#include "weights/torch_file.h"

namespace ebb {

// Place of a storage in the file.
struct StoredBytes {
  uint64_t begin = 0;
  uint64_t bytes = 0;
};

// FormatError, beginning with `where`, when the file has no storage of that key.
using FindStorage = std::function<StoredBytes(std::string_view key, const std::string& where)>;

// The tensors of a pickle's state_dict: the top-level dict, or the one it holds under a usual key
// (state_dict, model, ...). Other values are ignored. Fills tensors, container and warnings.
TorchFile read_state_dict(const Pickle& pickle, const FindStorage& find_storage,
                          const std::string& label, const LoadLimits& limits);

}  // namespace ebb
