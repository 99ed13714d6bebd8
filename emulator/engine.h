#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/error.h"
#include "emulator/fiber.h"
#include "kernels/simt/emulator.h"

// The emulator's state. One block runs at a time, each of its threads on a fiber of the one
// operating system thread that launched; a thread that has to wait yields to the next ready one.
namespace ebb::simt::engine {

using emulator::Dim3;
using emulator::Grid;
using emulator::Options;
using emulator::Order;
using emulator::Site;

inline constexpr int kWarpSize = 32, kWarpGroupSize = 128, kMaxThreads = 1024, kNamedBarriers = 16;

// An operation that several threads do together: the last one to arrive runs it for all.
struct Collective {
  const char* name;      // "shuffle", for messages
  bool aligned = false;  // all lanes must run the same instruction of the source
  // arguments[lane] of every lane in the mask
  void (*run)(void* const* arguments, uint32_t mask);
};

struct AsyncCopy {
  void* dst;
  const void* src;
  int bytes;
  bool valid;
};

struct Thread {
  enum class State : uint8_t { kReady, kWarp, kWarpGroup, kBarrier, kMbarrier, kDone };

  Fiber fiber;
  Dim3 index;
  int linear = 0, lane = 0, warp = 0;
  State state = State::kReady;
  Site site;  // of the operation it waits in or did last
  const Collective* collective = nullptr;
  uint32_t mask = 0;
  void* arguments = nullptr;
  int barrier = 0;
  std::vector<AsyncCopy> open_copies;                    // cp.async since the last commit
  std::vector<std::vector<AsyncCopy>> committed_copies;  // oldest first
};

struct Barrier {
  int arrived = 0, needed = 0, predicates = 0, result = 0;
  std::vector<int> waiting;
  Site site;  // of the first arrival
};

struct Engine {
  Grid grid{};
  Dim3 block;  // index of the running block
  int64_t block_number = 0;
  uint64_t block_serial = 0;    // counts blocks of the whole process
  std::vector<Thread> threads;  // at least `count`
  int count = 0, done = 0;
  int current = -1;  // running thread, -1 outside
  Fiber main;
  std::vector<int> ready;  // a ring
  size_t ready_head = 0, ready_size = 0;
  Barrier barriers[kNamedBarriers];
  std::vector<uint32_t> warp_waiting, warp_done;  // lane masks
  int64_t static_shared = 0;  // most bytes of SIMT_SHARED variables in a block of this launch
  std::string failure;        // of the running launch
  uint64_t random = 0;

  Thread& self() { return threads[static_cast<size_t>(current)]; }
  bool in_kernel() const { return current >= 0; }
};
Engine& engine();

// The running thread waits in `state` until make_ready(thread).
void wait_in(Thread::State state);
void make_ready(int thread);

struct KernelFailure {
  std::string message;
};
template <typename... Parts>
[[noreturn]] void fail(const Parts&... parts) {
  throw KernelFailure{cat(parts...)};
}
std::string to_string(const Site& site);  // "file:line"

void run_warp(const Collective& collective, uint32_t mask, void* arguments, Site site);
// All 128 threads of the warpgroup; run() gets 128 arguments and the warpgroup's number as mask.
void run_warp_group(const Collective& collective, void* arguments, Site site);

// Called when a thread ends: an error if others wait for it.
void barrier_thread_exits();
void barriers_reset();
void mbarriers_reset();  // at the start of a block
void warp_groups_reset(int threads);
void warp_groups_at_exit();  // unfinished wgmma is an error

}  // namespace ebb::simt::engine
