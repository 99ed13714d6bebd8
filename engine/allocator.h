#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

namespace ebb {

struct AllocatorStats {
  int64_t bytes_in_use = 0;        // handed out now
  int64_t peak_bytes_in_use = 0;   // the most ever handed out at once
  int64_t bytes_reserved = 0;      // held from the system, in use or cached
  int64_t allocations = 0;         // calls of allocate()
  int64_t system_allocations = 0;  // of those, how many went to the system
};

// Gives out memory aligned to kAlignment bytes. Thread-safe.
class Allocator {
 public:
  static constexpr int64_t kAlignment = 64;

  virtual ~Allocator() = default;
  virtual void* allocate(int64_t bytes) = 0;  // DeviceError when there is none
  virtual void release(void* data, int64_t bytes) noexcept = 0;
  virtual void trim() {}  // gives cached blocks back to the system
  // An allocator with memory of its own, for captured graphs: blocks that it released are never
  // reused elsewhere, so that a launched graph still owns them. Repeating the same calls takes no
  // more memory from the system.
  virtual std::shared_ptr<Allocator> pool() const = 0;
  virtual AllocatorStats stats() const = 0;
  // Bytes that can still be allocated, cached blocks included; nothing where that is not known.
  virtual std::optional<int64_t> available() const { return {}; }
};

// Source of a caching allocator's blocks: host memory, device memory, pinned memory.
class MemorySource {
 public:
  virtual ~MemorySource() = default;
  virtual void* acquire(int64_t bytes) = 0;  // null when there is none
  virtual void give_back(void* data, int64_t bytes) noexcept = 0;
  virtual std::string describe() const = 0;                        // "host memory", for messages
  virtual std::optional<int64_t> available() const { return {}; }  // bytes; nothing: not known
};

std::unique_ptr<MemorySource> host_memory_source();

// Keeps released blocks and hands them out again for requests of nearly the same size, so that a
// training step that repeats the same allocations costs no system call and no page fault.
class CachingAllocator final : public Allocator {
 public:
  static constexpr int64_t kNoLimit = INT64_MAX;

  // limit: bytes that it takes from the source at most. Pools have the same limit, each its own.
  explicit CachingAllocator(std::shared_ptr<MemorySource> source, int64_t limit = kNoLimit);
  ~CachingAllocator() override;
  CachingAllocator(const CachingAllocator&) = delete;
  CachingAllocator& operator=(const CachingAllocator&) = delete;

  void* allocate(int64_t bytes) override;
  void release(void* data, int64_t bytes) noexcept override;
  void trim() override;
  std::shared_ptr<Allocator> pool() const override;
  AllocatorStats stats() const override;
  std::optional<int64_t> available() const override;

 private:
  void trim_locked() noexcept;
  void* acquire_locked(int64_t size);  // null when there is none

  std::shared_ptr<MemorySource> source_;
  int64_t limit_;
  mutable std::mutex mutex_;
  std::multimap<int64_t, void*> cached_;  // block size -> block
  std::map<void*, int64_t> block_bytes_;  // blocks in use -> block size
  AllocatorStats stats_;
};

}  // namespace ebb
