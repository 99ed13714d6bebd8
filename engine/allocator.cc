#include "engine/allocator.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cstdlib>

#include "base/available_memory.h"
#include "base/error.h"
#include "base/text.h"

namespace ebb {
namespace {

// Kernels touch more pages of 4 KiB than the processor's TLB holds. Blocks that span huge pages
// request them; the remainder at the end stays in small pages.
constexpr int64_t kHugePage = int64_t{2} << 20;

class HostMemorySource final : public MemorySource {
 public:
  void* acquire(int64_t bytes) override {
    if (bytes < kHugePage) {
      return std::aligned_alloc(Allocator::kAlignment, static_cast<size_t>(bytes));
    }
    return map_pages(static_cast<size_t>(bytes));
  }
  // Freed pages go back to the system at once, whereas malloc keeps those below others in use.
  void give_back(void* data, int64_t bytes) noexcept override {
    if (bytes < kHugePage) return std::free(data);
    munmap(data, static_cast<size_t>(bytes));
  }
  std::string describe() const override { return "host memory"; }
  std::optional<int64_t> available() const override { return available_memory(); }

 private:
  // Pages from a border of huge pages on; what the search for it leaves is unmapped again.
  static void* map_pages(size_t bytes) {
    void* const mapped = mmap(nullptr, bytes + kHugePage, PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapped == MAP_FAILED) return nullptr;
    char* const begin = static_cast<char*>(mapped);
    const size_t before = (kHugePage - reinterpret_cast<uintptr_t>(begin) % kHugePage) % kHugePage;
    char* const data = begin + before;
    const size_t page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
    char* const end = data + (bytes + page - 1) / page * page;
    if (before > 0) munmap(begin, before);
    if (begin + bytes + kHugePage > end) {
      munmap(end, static_cast<size_t>(begin + bytes + kHugePage - end));
    }
    madvise(data, bytes / kHugePage * kHugePage, MADV_HUGEPAGE);  // advice: may fail
    return data;
  }
};

// Block sizes step by 1/8 of a power of two, so that a cached block wastes at most 12.5 %.
int64_t block_size(int64_t bytes) {
  const int64_t wanted = std::max(bytes, Allocator::kAlignment);
  const int64_t step =
      std::max(Allocator::kAlignment,
               static_cast<int64_t>(std::bit_floor(static_cast<uint64_t>(wanted)) / 8));
  return (wanted + step - 1) / step * step;
}

}  // namespace

std::unique_ptr<MemorySource> host_memory_source() { return std::make_unique<HostMemorySource>(); }

CachingAllocator::CachingAllocator(std::shared_ptr<MemorySource> source, int64_t limit)
    : source_(std::move(source)), limit_(limit) {}

CachingAllocator::~CachingAllocator() { trim_locked(); }

void* CachingAllocator::allocate(int64_t bytes) {
  EBB_CHECK(bytes >= 0 && bytes < (int64_t{1} << 60), DeviceError, "allocation of ", bytes,
            " bytes: not a possible size");
  const int64_t size = block_size(bytes);
  const std::lock_guard lock(mutex_);
  ++stats_.allocations;
  void* data = nullptr;
  if (auto found = cached_.find(size); found != cached_.end()) {
    data = found->second;
    cached_.erase(found);
  } else {
    data = acquire_locked(size);
    if (data == nullptr) {
      trim_locked();
      data = acquire_locked(size);
    }
    EBB_CHECK(data != nullptr || limit_ == kNoLimit, DeviceError, "out of memory: need ",
              format_bytes(bytes), " more, ", format_bytes(stats_.bytes_in_use),
              " in use of --memory-limit ", format_bytes(limit_),
              ". Use a smaller --batch-size or a smaller model, or raise the limit");
    EBB_CHECK(data != nullptr, DeviceError, "out of ", source_->describe(), ": need ", bytes,
              " bytes more, ", stats_.bytes_in_use,
              " bytes in use. Use a smaller --batch-size or a smaller model");
    ++stats_.system_allocations;
    stats_.bytes_reserved += size;
  }
  block_bytes_.emplace(data, size);
  stats_.bytes_in_use += size;
  stats_.peak_bytes_in_use = std::max(stats_.peak_bytes_in_use, stats_.bytes_in_use);
  return data;
}

void* CachingAllocator::acquire_locked(int64_t size) {
  return size > limit_ - stats_.bytes_reserved ? nullptr : source_->acquire(size);
}

std::optional<int64_t> CachingAllocator::available() const {
  const AllocatorStats now = stats();
  std::optional<int64_t> bytes = source_->available();
  if (bytes) *bytes += now.bytes_reserved - now.bytes_in_use;
  if (limit_ == kNoLimit) return bytes;
  const int64_t left = limit_ - now.bytes_in_use;
  return std::min(bytes.value_or(left), left);
}

void CachingAllocator::release(void* data, int64_t) noexcept {
  if (data == nullptr) return;
  const std::lock_guard lock(mutex_);
  const auto block = block_bytes_.find(data);
  stats_.bytes_in_use -= block->second;
  cached_.emplace(block->second, data);
  block_bytes_.erase(block);
}

void CachingAllocator::trim() {
  const std::lock_guard lock(mutex_);
  trim_locked();
}

void CachingAllocator::trim_locked() noexcept {
  for (const auto& [size, data] : cached_) {
    source_->give_back(data, size);
    stats_.bytes_reserved -= size;
  }
  cached_.clear();
}

std::shared_ptr<Allocator> CachingAllocator::pool() const {
  return std::make_shared<CachingAllocator>(source_, limit_);
}

AllocatorStats CachingAllocator::stats() const {
  const std::lock_guard lock(mutex_);
  return stats_;
}

}  // namespace ebb
