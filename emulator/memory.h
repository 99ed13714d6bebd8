#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

// The emulated device's memory: one reserved range of addresses that begins with the block's shared
// memory and continues with the buffers of emulator::allocate(), each between unmapped pages.
namespace ebb::simt::engine {

inline constexpr int64_t kMaxSharedBytes = 227 << 10;  // dynamic and static together, sm_90
inline constexpr int64_t kMaxStaticSharedBytes = 48 << 10;
inline constexpr int64_t kArenaBytes = 256 << 10;  // what a matrix descriptor can address

// The checker's state for one cell of memory. Threads are numbered within their block; epochs count
// the block-wide barriers of the whole process, clocks the smaller synchronizations of a thread
// within an epoch (checker.cc).
struct Cell {
  uint32_t write_epoch = 0, read_epoch = 0;
  uint16_t writer = 0, write_clock = 0;                 // writer with the flags below
  uint16_t reader[2] = {0, 0}, read_clock[2] = {0, 0};  // the last two readers of read_epoch

  static constexpr uint16_t kAtomic = 0x8000, kInFlight = 0x4000, kThread = 0x3fff;
};

struct Buffer {
  std::string name;
  char* low = nullptr;
  size_t bytes = 0;
  bool shared = false;
  bool track_initialization = false;
  // Cells of 1 << cell_shift bytes: coarse as long as all accesses are.
  int cell_shift = 2;
  std::vector<Cell> cells;
  std::vector<std::pair<size_t, size_t>> initialized;  // [begin, end) not yet in the cells

  char* high() const { return low + bytes; }
  bool contains(const void* p) const {
    return static_cast<const char*>(p) >= low && static_cast<const char*>(p) < high();
  }
};

// The buffer that holds p, or null.
Buffer* find_buffer(const void* p);
std::vector<Buffer*> all_buffers();
// "3 bytes past the end of 'y' (1024 bytes)"
std::string describe_address(const void* p);

// Start of the arena, aligned to its size.
char* shared_arena();
// Cells of the whole arena.
Buffer& shared_cells();
// The SIMT_SHARED or dynamic variable that holds p, or null.
struct SharedRange {
  std::string name;
  char* low;
  size_t bytes;
};
const SharedRange* find_shared(const void* p);
// Lays out and fills with NaN bytes the shared memory of a new block.
void shared_memory_reset();

// Fails unless [p, p + bytes) is shared memory and p is aligned; `what` names the instruction.
void require_shared(const void* p, size_t bytes, size_t alignment, const char* what);

}  // namespace ebb::simt::engine
