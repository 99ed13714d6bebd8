#pragma once

#include <cstdint>
#include <vector>

#include "kernels/simt/hopper_emulator.h"

namespace ebb::simt::engine {

// One bulk copy that a phase of an mbarrier waits for.
struct BulkCopy {
  void* dst;
  emulator::TensorMap map;
  int32_t at[5];
  uint16_t offset[2];
  size_t bytes;  // in shared memory
};
void run_copy(const BulkCopy& copy);

// The running thread issues a copy that completes with the current phase of the barrier.
void mbarrier_add_copy(uint64_t* barrier, const BulkCopy& copy);

// Fails if an unfinished wgmma reads these bytes.
void require_unread_by_wgmma(const void* p, size_t bytes, const char* what);

}  // namespace ebb::simt::engine
