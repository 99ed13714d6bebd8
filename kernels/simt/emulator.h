#pragma once

// The emulator's interface to the host half of kernels/simt/simt.h (implemented in emulator), and
// the settings and counters for programs that run emulated kernels. Nothing here exists in a build
// without tests.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <source_location>
#include <string>
#include <vector>

namespace ebb::simt::emulator {

// --- settings and memory, for tests and the emu backend ------------------------------------------

// In which order ready threads and the blocks of a grid run. kShuffled is random but repeatable.
enum class Order { kForward, kReverse, kShuffled };

struct Options {
  Order order = Order::kForward;
  uint32_t seed = 1;  // of kShuffled
  // Checks every memory access for bounds, races and initialization.
  bool check = false;
  // Runs the blocks at the corners and in the middle of every grid alone, and checks bounds and
  // alignment: for shapes of which a whole launch would take hours.
  bool corners = false;
};
Options& options();

struct Statistics {
  uint64_t launches = 0, blocks = 0, switches = 0, barriers = 0, collectives = 0;
  uint64_t checked_accesses = 0;
};
Statistics& statistics();

// "Device" memory: page-aligned at its end less alignment of 16, with unmapped pages around it, so
// that an overrun stops at once. Starts as NaN bytes. Under Options::check a read of bytes that
// neither a kernel nor mark_initialized() wrote is an error when track_initialization is set.
void* allocate(int64_t bytes, const char* name, bool track_initialization = false);
// The same without writing to it, of zeros that nobody may rely on: takes memory only where it is
// used, however large it is.
void* allocate_sparse(int64_t bytes, const char* name);
void release(void* data);
void mark_initialized(void* data, int64_t bytes);
// Resets a buffer to the state after allocate(): NaN bytes that count as uninitialized.
void forget(void* data);

// From here on launches are put into `steps`, with copies of their arguments, instead of being run:
// what stream capture does on a GPU. Calling a step runs its launch. Null ends it.
void record_launches(std::vector<std::function<void()>>* steps);

// --- what kernels/simt/host.h is made of ---------------------------------------------------------

using Site = std::source_location;

struct Dim3 {
  uint32_t x = 1, y = 1, z = 1;
};

struct Grid {
  const char* name;
  Dim3 grid, block;
  int64_t shared_bytes;                   // dynamic
  bool asked_for_shared;                  // for more shared memory than every launch may have
  void (*thread)(const void* arguments);  // runs one thread
  const void* arguments;                  // the kernel's arguments, readable by every thread
  size_t argument_bytes;
};
// Runs all blocks, or captures the launch. Throws DeviceError with the report of the first error.
void run(const Grid& grid);

// Reports an error of the running thread; the launch ends.
[[noreturn]] void fail(const std::string& message);

void* dynamic_shared();
// A SIMT_SHARED variable: one place per block.
struct StaticShared {
  uint64_t block = 0;
  void* data = nullptr;

  void* get(const char* name, size_t bytes, size_t alignment);
};
uint32_t shared_address(const void* p);

// kind of __syncthreads: how the predicates of the threads are joined
int block_barrier(int predicate, Site site);  // -> how many predicates were not zero
void named_barrier(int id, int threads, bool wait, Site site);
void sync_warp(uint32_t mask, Site site);

enum class Shuffle { kIndex, kXor, kUp, kDown };
void shuffle(Shuffle kind, uint32_t mask, const void* value, void* result, size_t bytes,
             int operand, int width, Site site);
uint32_t ballot(uint32_t mask, bool predicate, Site site);
uint32_t match_any(uint32_t mask, uint64_t value, Site site);
enum class Reduce { kAdd, kMin, kMax, kAnd, kOr, kXor };
uint32_t reduce(Reduce kind, uint32_t mask, uint32_t value, bool is_signed, Site site);
uint32_t active_mask();
void yield();

// An atomic operation is a read followed by a write without a switch of threads in between.
void atomic_read(const void* p, void* value, size_t bytes, Site site);
void atomic_write(void* p, const void* value, size_t bytes);
bool last_block(uint32_t* counter, uint32_t blocks, Site site);

void cp_async(void* dst, const void* src, int bytes, bool valid, Site site);
void cp_async_commit(Site site);
void cp_async_wait(int pending, Site site);

void ldmatrix(uint32_t* r, const void* row, bool transposed, Site site);
void stmatrix(const uint32_t* r, void* row, bool transposed, Site site);
enum class Format { kBf16, kF16, kTf32 };
// m16n8k16, or m16n8k8 for tf32
void mma(Format format, float* d, const uint32_t* a, const uint32_t* b, Site site);

}  // namespace ebb::simt::emulator
