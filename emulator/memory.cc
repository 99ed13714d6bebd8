#include "emulator/memory.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <unordered_map>

#include "emulator/engine.h"
#include "kernels/simt/shared_memory.h"

namespace ebb::simt::engine {
namespace {

constexpr size_t kPage = 4096;
constexpr size_t kReserved = size_t{1} << 37;  // addresses only; pages are taken as they are used
constexpr size_t kSharedStart = 1024;          // keeps the shared address 0 free
constexpr size_t kGap = 128;                   // between shared variables, for overruns
constexpr size_t kAlignment = 16;              // of a buffer's start

class Memory {
 public:
  Memory() {
    void* p = mmap(nullptr, kReserved + kArenaBytes, PROT_NONE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    EBB_CHECK(p != MAP_FAILED, DeviceError,
              "kernel emulator: cannot reserve addresses. Raise the limit of ulimit -v");
    const uintptr_t mask = kArenaBytes - 1;
    base = reinterpret_cast<char*>((reinterpret_cast<uintptr_t>(p) + mask) & ~mask);
    mprotect(base, kArenaBytes, PROT_READ | PROT_WRITE);
    cells.low = base;
    cells.bytes = kArenaBytes;
    cells.shared = true;
    cells.track_initialization = true;
    used_ = kArenaBytes + kPage;
    page_owner_.assign(used_ / kPage, nullptr);
  }

  // fill: with NaN bytes, which takes the memory.
  Buffer* allocate(size_t bytes, const char* name, bool track_initialization, bool fill) {
    const size_t pages = std::max<size_t>(1, (bytes + kPage - 1) / kPage);
    size_t offset = 0;
    if (auto& holes = holes_[pages]; !holes.empty()) {
      offset = holes.back();
      holes.pop_back();
    } else {
      offset = used_;
      used_ += (pages + 1) * kPage;  // the unmapped page behind is also the one before the next
      if (used_ > kReserved) return nullptr;
      page_owner_.resize(used_ / kPage, nullptr);
    }
    char* begin = base + offset;
    if (mprotect(begin, pages * kPage, PROT_READ | PROT_WRITE) != 0) return nullptr;
    if (fill) std::memset(begin, 0xff, pages * kPage);
    auto buffer = std::make_unique<Buffer>();
    buffer->name = name;
    buffer->bytes = bytes;
    // One of no bytes starts in its page too: release() finds the pages by the start.
    const size_t from_end = std::max(bytes, kAlignment);
    buffer->low = begin + (pages * kPage - from_end) / kAlignment * kAlignment;
    buffer->track_initialization = track_initialization;
    for (size_t i = 0; i < pages; ++i) page_owner_[offset / kPage + i] = buffer.get();
    Buffer* result = buffer.get();
    buffers[result->low] = std::move(buffer);
    return result;
  }

  void release(void* data) {
    const auto found = buffers.find(static_cast<char*>(data));
    if (found == buffers.end()) return;
    const size_t pages = std::max<size_t>(1, (found->second->bytes + kPage - 1) / kPage);
    const size_t offset = static_cast<size_t>(found->second->low - base) / kPage * kPage;
    madvise(base + offset, pages * kPage, MADV_DONTNEED);
    mprotect(base + offset, pages * kPage, PROT_NONE);
    for (size_t i = 0; i < pages; ++i) page_owner_[offset / kPage + i] = nullptr;
    holes_[pages].push_back(offset);
    buffers.erase(found);
  }

  Buffer* find(const char* p) const {
    if (p < base || p >= base + used_) return nullptr;
    Buffer* owner = page_owner_[static_cast<size_t>(p - base) / kPage];
    return owner != nullptr && owner->contains(p) ? owner : nullptr;
  }

  // The owner of the nearest page at or before p.
  const Buffer* near(const char* p) const {
    if (p < base + kArenaBytes || p >= base + used_) return nullptr;
    for (size_t page = static_cast<size_t>(p - base) / kPage, i = 0; i < 2; ++i) {
      if (page_owner_[page - i] != nullptr) return page_owner_[page - i];
    }
    const size_t next = static_cast<size_t>(p - base) / kPage + 1;
    return next < page_owner_.size() ? page_owner_[next] : nullptr;
  }

  char* base = nullptr;
  Buffer cells;
  std::vector<SharedRange> shared;  // of the running block, the dynamic part first
  std::map<char*, std::unique_ptr<Buffer>> buffers;

 private:
  size_t used_ = 0;
  std::vector<Buffer*> page_owner_;
  std::unordered_map<size_t, std::vector<size_t>> holes_;  // pages -> offsets
};

Memory& memory() {
  static Memory instance;
  return instance;
}

std::string position(const char* p, const std::string& name, const char* low, size_t bytes) {
  const int64_t offset = p - low, past = offset - static_cast<int64_t>(bytes);
  const std::string of = cat(" '", name, "' (", bytes, " bytes)");
  if (offset < 0) return cat(-offset, " bytes before", of);
  if (past >= 0) return cat(past, " bytes past the end of", of);
  return cat("byte ", offset, " of", of);
}

}  // namespace

Buffer* find_buffer(const void* p) { return memory().find(static_cast<const char*>(p)); }

std::vector<Buffer*> all_buffers() {
  std::vector<Buffer*> all;
  for (const auto& [low, buffer] : memory().buffers) all.push_back(buffer.get());
  return all;
}

std::string describe_address(const void* p) {
  const char* at = static_cast<const char*>(p);
  const Memory& m = memory();
  if (at >= m.base && at < m.base + kArenaBytes) {
    const SharedRange* best = nullptr;
    for (const SharedRange& range : m.shared) {
      if (range.low <= at && (best == nullptr || range.low > best->low)) best = &range;
    }
    if (best == nullptr) return "outside shared memory";
    return position(at, best->name, best->low, best->bytes);
  }
  if (const Buffer* near = m.near(at)) return position(at, near->name, near->low, near->bytes);
  return "an address of no buffer";
}

char* shared_arena() { return memory().base; }
Buffer& shared_cells() { return memory().cells; }

const SharedRange* find_shared(const void* p) {
  const char* at = static_cast<const char*>(p);
  for (const SharedRange& range : memory().shared) {
    if (at >= range.low && at < range.low + range.bytes) return &range;
  }
  return nullptr;
}

void shared_memory_reset() {
  Memory& m = memory();
  const size_t bytes = static_cast<size_t>(engine().grid.shared_bytes);
  size_t dirty = kSharedStart + bytes;
  for (const SharedRange& range : m.shared) {
    dirty = std::max(dirty, static_cast<size_t>(range.low - m.base) + range.bytes);
  }
  std::memset(m.base, 0xff, dirty);
  m.shared.clear();
  if (bytes > 0) m.shared.push_back({"dynamic shared memory", m.base + kSharedStart, bytes});
}

void require_shared(const void* p, size_t bytes, size_t alignment, const char* what) {
  const char* at = static_cast<const char*>(p);
  const SharedRange* range = find_shared(p);
  if (range == nullptr || at + bytes > range->low + range->bytes) {
    const std::string where =
        range == nullptr ? describe_address(p) : describe_address(range->low + range->bytes);
    fail("out of bounds: ", what, " of ", bytes, " bytes at ", to_string(engine().self().site),
         " reaches ", where, ", not shared memory");
  }
  if (reinterpret_cast<uintptr_t>(p) % alignment != 0) {
    fail("misaligned: ", what, " at ", to_string(engine().self().site), " is at ",
         describe_address(p), ", must be aligned to ", alignment, " bytes");
  }
}

namespace {

// A GPU's limits for the static and dynamic shared memory of a block, and those that a launch
// relies on.
void require_block_fits(const char* name, int64_t static_bytes) {
  const Grid& grid = engine().grid;
  const int64_t bytes = shared_bytes_of_block(static_bytes, grid.shared_bytes);
  const int64_t limit = grid.asked_for_shared ? kMaxSharedBytes : kSharedWithoutAsking;
  if (bytes > limit) {
    fail("'", name, "' brings the shared memory of the block to ", bytes, " bytes, at most ", limit,
         " are allowed", grid.asked_for_shared ? "" : " to a launch that does not ask for more");
  }
  if (grid.shared_bytes > 0 && static_bytes > kMaxStaticBesideDynamic) {
    fail("'", name, "' brings the static shared memory beside ", grid.shared_bytes,
         " bytes of dynamic to ", static_bytes, " bytes, at most ", kMaxStaticBesideDynamic,
         " are allowed (kernels/simt/shared_memory.h)");
  }
}

}  // namespace

}  // namespace ebb::simt::engine

namespace ebb::simt::emulator {

void* allocate(int64_t bytes, const char* name, bool track_initialization) {
  engine::Buffer* buffer =
      engine::memory().allocate(static_cast<size_t>(bytes), name, track_initialization, true);
  return buffer == nullptr ? nullptr : buffer->low;
}

void* allocate_sparse(int64_t bytes, const char* name) {
  engine::Buffer* buffer =
      engine::memory().allocate(static_cast<size_t>(bytes), name, false, false);
  return buffer == nullptr ? nullptr : buffer->low;
}

void release(void* data) { engine::memory().release(data); }

void mark_initialized(void* data, int64_t bytes) {
  engine::Buffer* buffer = engine::find_buffer(data);
  if (buffer == nullptr || bytes == 0) return;
  const size_t begin = static_cast<size_t>(static_cast<char*>(data) - buffer->low);
  buffer->initialized.emplace_back(begin, begin + static_cast<size_t>(bytes));
}

void forget(void* data) {
  engine::Buffer* buffer = engine::find_buffer(data);
  if (buffer == nullptr) return;
  std::memset(buffer->low, 0xff, buffer->bytes);
  buffer->cells.clear();
  buffer->initialized.clear();
}

void* dynamic_shared() { return engine::shared_arena() + engine::kSharedStart; }

void* StaticShared::get(const char* name, size_t bytes, size_t alignment) {
  engine::Engine& e = engine::engine();
  if (block == e.block_serial) return data;
  auto& shared = engine::memory().shared;
  size_t low = engine::kSharedStart, total = bytes;
  for (const engine::SharedRange& range : shared) {
    low = std::max(low, static_cast<size_t>(range.low - engine::shared_arena()) + range.bytes);
    if (range.low != dynamic_shared() || e.grid.shared_bytes == 0) total += range.bytes;
  }
  if (total > static_cast<size_t>(engine::kMaxStaticSharedBytes)) {
    engine::fail("'", name, "' brings the static shared memory of the block to ", total,
                 " bytes, at most ", engine::kMaxStaticSharedBytes, " are allowed");
  }
  engine::require_block_fits(name, static_cast<int64_t>(total));
  e.static_shared = std::max(e.static_shared, static_cast<int64_t>(total));
  alignment = std::max<size_t>(alignment, 16);
  low = (low + engine::kGap + alignment - 1) / alignment * alignment;
  data = engine::shared_arena() + low;
  std::memset(data, 0xff, bytes);
  shared.push_back({name, static_cast<char*>(data), bytes});
  block = e.block_serial;
  return data;
}

uint32_t shared_address(const void* p) {
  return static_cast<uint32_t>(static_cast<const char*>(p) - engine::shared_arena());
}

}  // namespace ebb::simt::emulator
