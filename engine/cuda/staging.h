#pragma once

#include <algorithm>
#include <cstdint>

namespace ebb {

// A long copy goes through two pinned buffers in turn: while one travels, the other is filled.
struct StagingChunk {
  int64_t offset, bytes;
  int slot;          // 0 or 1
  bool slot_in_use;  // an earlier chunk travels from this slot: wait for it first
};

inline constexpr int kStagingSlots = 2;
inline constexpr int64_t kStagingBytes = int64_t{4} << 20;  // of one slot

// Calls step(chunk) for the chunks of a copy in order. `busy` says which slots an earlier copy left
// in flight; afterwards it says so of this one.
template <typename Step>
void for_each_staging_chunk(int64_t bytes, bool (&busy)[kStagingSlots], int& next_slot,
                            const Step& step) {
  for (int64_t offset = 0; offset < bytes; offset += kStagingBytes) {
    const int slot = next_slot;
    next_slot = (next_slot + 1) % kStagingSlots;
    step(StagingChunk{offset, std::min(kStagingBytes, bytes - offset), slot, busy[slot]});
    busy[slot] = true;
  }
}

}  // namespace ebb
