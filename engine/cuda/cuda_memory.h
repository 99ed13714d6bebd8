#pragma once

#include <memory>

#include "engine/allocator.h"

namespace ebb {

// Memory of GPU `device`.
std::unique_ptr<MemorySource> cuda_memory_source(int device);

// Host memory that the GPU copies from and to without a detour.
std::unique_ptr<MemorySource> pinned_memory_source();

}  // namespace ebb
