#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>

#include "engine/allocator.h"

namespace ebb::test {

// Hands out memory full of NaN (every byte 0xff) with guard bytes on both sides, and never the same
// block twice in a row: a read of uninitialized memory shows as NaN, a write beyond a block as a
// damaged guard. Released blocks are poisoned too.
class PoisonAllocator final : public Allocator {
 public:
  ~PoisonAllocator() override {
    for (const auto& [data, bytes] : freed_) std::free(data - kGuardBytes);
  }

  void* allocate(int64_t bytes) override {
    const std::lock_guard lock(mutex_);
    const int64_t padded = (bytes + kAlignment - 1) / kAlignment * kAlignment;
    auto* block = static_cast<std::byte*>(
        std::aligned_alloc(kAlignment, static_cast<size_t>(padded + 2 * kGuardBytes)));
    std::memset(block, kGuard, static_cast<size_t>(padded + 2 * kGuardBytes));
    std::memset(block + kGuardBytes, kPoison, static_cast<size_t>(bytes));
    ++stats_.allocations;
    stats_.bytes_in_use += bytes;
    live_.emplace(block + kGuardBytes, bytes);
    return block + kGuardBytes;
  }

  void release(void* data, int64_t) noexcept override {
    const std::lock_guard lock(mutex_);
    const auto block = live_.find(static_cast<std::byte*>(data));
    damaged_ += guards_damaged(block->first, block->second);
    stats_.bytes_in_use -= block->second;
    std::memset(data, kPoison, static_cast<size_t>(block->second));
    freed_.insert(live_.extract(block));
  }

  std::shared_ptr<Allocator> pool() const override { return std::make_shared<PoisonAllocator>(); }
  AllocatorStats stats() const override { return stats_; }

  // Blocks with a write in front of or behind them, so far; released blocks written to afterwards.
  int64_t damaged_blocks() const {
    int64_t damaged = damaged_;
    for (const auto& [data, bytes] : live_) damaged += guards_damaged(data, bytes);
    for (const auto& [data, bytes] : freed_) damaged += !filled_with(data, bytes, kPoison);
    return damaged;
  }

 private:
  static constexpr int64_t kGuardBytes = 2 * kAlignment;
  static constexpr int kPoison = 0xff, kGuard = 0xa5;

  static bool filled_with(const std::byte* data, int64_t bytes, int value) {
    for (int64_t i = 0; i < bytes; ++i) {
      if (data[i] != static_cast<std::byte>(value)) return false;
    }
    return true;
  }
  static bool guards_damaged(const std::byte* data, int64_t bytes) {
    return !filled_with(data - kGuardBytes, kGuardBytes, kGuard) ||
           !filled_with(data + bytes, kGuardBytes, kGuard);
  }

  std::mutex mutex_;
  std::map<std::byte*, int64_t> live_, freed_;
  int64_t damaged_ = 0;
  AllocatorStats stats_;
};

}  // namespace ebb::test
