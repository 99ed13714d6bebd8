#include <algorithm>
#include <cstring>
#include <memory>
#include <mutex>
#include <new>
#include <numeric>
#include <sstream>

#include "emulator/checker.h"
#include "emulator/engine.h"
#include "emulator/launch_log.h"
#include "emulator/memory.h"

// The variables that kernels see as constants (kernels/simt/host.h); defined here without const, so
// that a switch of threads can set them.
struct EbbSimtIndex {
  unsigned x, y, z;
};
namespace ebb::emu {
// NOLINTBEGIN(readability-identifier-naming): CUDA's names.
extern EbbSimtIndex threadIdx, blockIdx, blockDim, gridDim;
EbbSimtIndex threadIdx, blockIdx, blockDim, gridDim;
// NOLINTEND(readability-identifier-naming)
}  // namespace ebb::emu

namespace ebb::simt::engine {
namespace {

EbbSimtIndex plain(Dim3 d) { return {d.x, d.y, d.z}; }

uint64_t random_below(uint64_t n) {  // xorshift64* (Vigna 2016)
  uint64_t& s = engine().random;
  s ^= s >> 12;
  s ^= s << 25;
  s ^= s >> 27;
  return (s * 0x2545F4914F6CDD1Dull >> 32) % n;
}

int next_ready() {
  Engine& e = engine();
  if (e.ready_size == 0) return -1;
  if (emulator::options().order == Order::kShuffled) {
    const size_t pick = (e.ready_head + random_below(e.ready_size)) % e.ready.size();
    std::swap(e.ready[e.ready_head], e.ready[pick]);
  }
  const int thread = e.ready[e.ready_head];
  e.ready_head = (e.ready_head + 1) % e.ready.size();
  --e.ready_size;
  return thread;
}

// Leaves the running fiber for thread `next`, or for the launcher when that is -1.
void go(Fiber& from, int next) {
  Engine& e = engine();
  ++emulator::statistics().switches;
  e.current = next;
  if (next < 0) return switch_fiber(from, e.main);
  emu::threadIdx = plain(e.self().index);
  switch_fiber(from, e.self().fiber);
}

void thread_main() {
  Engine& e = engine();
  try {
    e.grid.thread(e.grid.arguments);
    Thread& self = e.self();
    self.state = Thread::State::kDone;
    ++e.done;
    e.warp_done[static_cast<size_t>(self.warp)] |= 1u << self.lane;
    barrier_thread_exits();
  } catch (const KernelFailure& failure) {
    const Dim3 t = e.self().index;
    e.failure = cat("thread (", t.x, ", ", t.y, ", ", t.z, "): ", failure.message);
  } catch (const std::exception& error) {
    e.failure = cat("exception in a kernel: ", error.what());
  }
  go(e.self().fiber, e.failure.empty() ? next_ready() : -1);
  __builtin_unreachable();
}

std::string waits(const Thread& thread) {
  const std::string at = " at " + to_string(thread.site);
  switch (thread.state) {
    case Thread::State::kDone:
      return "ended";
    case Thread::State::kBarrier:
      return cat("wait in barrier ", thread.barrier, at);
    case Thread::State::kMbarrier:
      return "wait for an mbarrier" + at;
    default: {
      std::ostringstream mask;
      mask << std::hex << thread.mask;
      return cat("wait in ", thread.collective->name, " of lanes ", mask.str(), at);
    }
  }
}

std::string describe_deadlock() {
  const Engine& e = engine();
  std::map<std::string, int> groups;
  for (int i = 0; i < e.count; ++i) ++groups[waits(e.threads[static_cast<size_t>(i)])];
  std::string text = "deadlock:";
  for (const auto& [what, threads] : groups) text += cat(" ", threads, " threads ", what, ";");
  text.pop_back();
  return text;
}

// First, middle and last of n.
std::vector<int64_t> ends_of(int64_t n) {
  std::vector<int64_t> ends{0, n / 2, n - 1};
  ends.erase(std::unique(ends.begin(), ends.end()), ends.end());
  return ends;
}

// 0 .. n-1 in the order of the options
std::vector<int> order_of(int64_t n) {
  std::vector<int> order(static_cast<size_t>(n));
  std::iota(order.begin(), order.end(), 0);
  if (emulator::options().order == Order::kReverse) std::reverse(order.begin(), order.end());
  if (emulator::options().order == Order::kShuffled) {
    for (size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[random_below(i)]);
  }
  return order;
}

// Numbers of the blocks to run, x fastest.
std::vector<int64_t> blocks_of(Dim3 grid) {
  if (!emulator::options().corners) {
    const std::vector<int> order = order_of(int64_t{grid.x} * grid.y * grid.z);
    return {order.begin(), order.end()};
  }
  std::vector<int64_t> blocks;
  for (const int64_t z : ends_of(grid.z)) {
    for (const int64_t y : ends_of(grid.y)) {
      for (const int64_t x : ends_of(grid.x)) blocks.push_back((z * grid.y + y) * grid.x + x);
    }
  }
  return blocks;
}

void run_block() {
  Engine& e = engine();
  ++emulator::statistics().blocks;
  ++e.block_serial;
  emu::blockIdx = plain(e.block);
  shared_memory_reset();
  barriers_reset();
  mbarriers_reset();
  warp_groups_reset(e.count);
  const size_t warps = static_cast<size_t>((e.count + kWarpSize - 1) / kWarpSize);
  e.warp_waiting.assign(warps, 0);
  e.warp_done.assign(warps, 0);
  if (e.count % kWarpSize != 0) e.warp_done.back() = ~0u << e.count % kWarpSize;
  e.done = 0;
  e.ready_head = e.ready_size = 0;
  checker_block_starts();
  const Dim3 size = e.grid.block;
  for (const int i : order_of(e.count)) {
    Thread& t = e.threads[static_cast<size_t>(i)];
    const uint32_t u = static_cast<uint32_t>(i);
    t.index = {u % size.x, u / size.x % size.y, u / (size.x * size.y)};
    t.linear = i;
    t.lane = i % kWarpSize;
    t.warp = i / kWarpSize;
    t.open_copies.clear();
    t.committed_copies.clear();
    prepare(t.fiber, fiber_stack(static_cast<size_t>(i)), thread_main);
    make_ready(i);
  }
  go(e.main, next_ready());
  e.current = -1;
  if (e.failure.empty() && e.done != e.count) e.failure = describe_deadlock();
  if (e.failure.empty()) {
    try {
      warp_groups_at_exit();
    } catch (const KernelFailure& failure) {
      e.failure = failure.message;
    }
  }
}

void require_launchable(const Grid& g) {
  const int64_t threads = int64_t{g.block.x} * g.block.y * g.block.z;
  EBB_CHECK(threads >= 1 && threads <= kMaxThreads && g.block.z <= 64, DeviceError, "kernel ",
            g.name, ": ", threads, " threads per block, must be 1..", kMaxThreads,
            ". Correct the launch");
  EBB_CHECK(g.grid.x <= 0x7fffffffu && g.grid.y <= 65535 && g.grid.z <= 65535, DeviceError,
            "kernel ", g.name, ": grid ", g.grid.x, "x", g.grid.y, "x", g.grid.z,
            ", y and z must be at most 65535. Correct the launch");
  EBB_CHECK(g.shared_bytes >= 0 && g.shared_bytes <= kMaxSharedBytes, DeviceError, "kernel ",
            g.name, ": ", g.shared_bytes, " bytes of shared memory, must be at most ",
            kMaxSharedBytes, ". Correct the launch");
}

void run_grid(const Grid& g) {
  Engine& e = engine();
  require_launchable(g);
  if (g.grid.x == 0 || g.grid.y == 0 || g.grid.z == 0) return;
  ++emulator::statistics().launches;
  e.grid = g;
  e.static_shared = 0;
  e.count = static_cast<int>(g.block.x * g.block.y * g.block.z);
  if (e.threads.size() < static_cast<size_t>(e.count)) {
    e.threads.resize(static_cast<size_t>(e.count));
  }
  e.ready.resize(static_cast<size_t>(e.count) + 1);
  e.failure.clear();
  e.random = 0x9E3779B97F4A7C15ull * (emulator::options().seed + 1);
  emu::blockDim = plain(g.block);
  emu::gridDim = plain(g.grid);
  checker_launch_starts();
  for (const int64_t b : blocks_of(g.grid)) {
    const int64_t row = b / g.grid.x;
    e.block = {static_cast<uint32_t>(b % g.grid.x), static_cast<uint32_t>(row % g.grid.y),
               static_cast<uint32_t>(row / g.grid.y)};
    e.block_number = b;
    run_block();
    if (!e.failure.empty()) break;
  }
  checker_launch_ends();
  if (!emulator::options().corners) log_launch(g, e.static_shared, emulator::options().check);
  EBB_CHECK(e.failure.empty(), DeviceError, "kernel ", g.name, ", block (", e.block.x, ", ",
            e.block.y, ", ", e.block.z, "): ", e.failure);
}

}  // namespace

Engine& engine() {
  static Engine instance;
  return instance;
}

void make_ready(int thread) {
  Engine& e = engine();
  e.threads[static_cast<size_t>(thread)].state = Thread::State::kReady;
  e.ready[(e.ready_head + e.ready_size++) % e.ready.size()] = thread;
}

void wait_in(Thread::State state) {
  Thread& self = engine().self();
  self.state = state;
  const int next = next_ready();
  if (next == self.linear) {
    self.state = Thread::State::kReady;
    return;
  }
  go(self.fiber, next);
}

std::string to_string(const Site& site) { return cat(site.file_name(), ":", site.line()); }

}  // namespace ebb::simt::engine

namespace ebb::simt::emulator {

Options& options() {
  static Options instance;
  return instance;
}

Statistics& statistics() {
  static Statistics instance;
  return instance;
}

namespace {

std::mutex one_launch_at_a_time;
std::vector<std::function<void()>>* recording = nullptr;

// The launch with a copy of its arguments, aligned as tensor maps require.
std::function<void()> record(Grid grid) {
  constexpr std::align_val_t kAlignment{64};
  const std::shared_ptr<void> arguments(::operator new(grid.argument_bytes, kAlignment),
                                        [](void* data) { ::operator delete(data, kAlignment); });
  std::memcpy(arguments.get(), grid.arguments, grid.argument_bytes);
  grid.arguments = arguments.get();
  return [grid, arguments] {
    const std::lock_guard<std::mutex> lock(one_launch_at_a_time);
    engine::run_grid(grid);
  };
}

}  // namespace

void record_launches(std::vector<std::function<void()>>* steps) { recording = steps; }

void run(const Grid& grid) {
  if (recording != nullptr) {
    engine::require_launchable(grid);  // capture fails at once, too
    return recording->push_back(record(grid));
  }
  const std::lock_guard<std::mutex> lock(one_launch_at_a_time);
  engine::run_grid(grid);
}

void fail(const std::string& message) { engine::fail(message); }

void yield() {
  engine::Engine& e = engine::engine();
  engine::make_ready(e.current);
  engine::wait_in(engine::Thread::State::kReady);
}

}  // namespace ebb::simt::emulator
