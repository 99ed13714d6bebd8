#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "weights/st_dtype.h"

namespace ebb {

// The names that a pickle may hold, as tokens; the types of storage come last.
enum PickleName : int64_t {
  kOrderedDict,       // collections.OrderedDict
  kRebuildTensor,     // torch._utils._rebuild_tensor_v2
  kRebuildParameter,  // torch._utils._rebuild_parameter
  kTorchSize,         // torch.Size
  kFirstStorage,      // torch.FloatStorage, ...
};

std::optional<int64_t> find_pickle_name(std::string_view module, std::string_view name);
bool is_storage_name(int64_t name);
StDType storage_dtype(int64_t name);

// The name of an opcode in pickletools, for messages; "unknown" for a byte that is none. Of those
// that read_pickle() refuses.
const char* pickle_opcode_name(uint8_t opcode);

}  // namespace ebb
