#include <cstring>

#include "emulator/checker.h"
#include "emulator/engine.h"

namespace ebb::simt::engine {
namespace {

bool same(const Site& a, const Site& b) {
  return a.line() == b.line() && a.column() == b.column() &&
         (a.file_name() == b.file_name() || std::strcmp(a.file_name(), b.file_name()) == 0);
}

void release(int id) {
  Engine& e = engine();
  Barrier& b = e.barriers[id];
  ++emulator::statistics().barriers;
  b.result = b.predicates;
  if (static_cast<int>(b.waiting.size()) == e.count) {
    check_block_barrier();
  } else {
    check_joined(b.waiting, id);
  }
  for (const int thread : b.waiting) {
    if (thread != e.current) make_ready(thread);
  }
  b.waiting.clear();
  b.arrived = b.predicates = b.needed = 0;
}

int arrive(int id, int threads, bool wait, int predicate, Site site) {
  Engine& e = engine();
  Barrier& b = e.barriers[id];
  Thread& self = e.self();
  self.site = site;
  self.barrier = id;
  if (b.arrived == 0) {
    b.site = site;
    b.needed = threads;
  }
  ++b.arrived;
  b.predicates += predicate;
  if (wait) {
    b.waiting.push_back(e.current);
  } else {
    check_barrier_arrived(id);
  }
  if (b.arrived == b.needed) {
    release(id);
  } else if (wait) {
    wait_in(Thread::State::kBarrier);
  }
  return b.result;
}

}  // namespace

void barriers_reset() {
  for (Barrier& b : engine().barriers) {
    b.arrived = b.predicates = b.needed = 0;
    b.waiting.clear();
  }
}

void barrier_thread_exits() {
  const Barrier& b = engine().barriers[0];
  if (b.arrived > 0) {
    fail("a thread ended while ", b.arrived, " threads wait in __syncthreads() at ",
         to_string(b.site));
  }
}

}  // namespace ebb::simt::engine

namespace ebb::simt::emulator {

int block_barrier(int predicate, Site site) {
  using namespace engine;
  Engine& e = engine::engine();
  const Barrier& b = e.barriers[0];
  if (b.arrived > 0 && !same(b.site, site)) {
    engine::fail("divergent barrier: __syncthreads() at ", to_string(site), ", ", b.arrived,
                 " other threads are at ", to_string(b.site));
  }
  if (e.done > 0) {
    engine::fail("__syncthreads() at ", to_string(site), " after ", e.done,
                 " threads of the block ended");
  }
  return arrive(0, e.count, true, predicate, site);
}

void named_barrier(int id, int threads, bool wait, Site site) {
  using namespace engine;
  const Barrier& b = engine::engine().barriers[id & 15];
  if (id < 1 || id >= kNamedBarriers) {
    engine::fail("named barrier ", id, " at ", to_string(site), ": must be 1..15");
  }
  if (threads < kWarpSize || threads % kWarpSize != 0 || threads > engine::engine().count) {
    engine::fail("named barrier ", id, " at ", to_string(site), ": ", threads,
                 " threads, must be a multiple of 32 and at most the block's ",
                 engine::engine().count);
  }
  if (b.arrived > 0 && b.needed != threads) {
    engine::fail("named barrier ", id, " at ", to_string(site), " expects ", threads,
                 " threads, the one at ", to_string(b.site), " expects ", b.needed);
  }
  arrive(id, threads, wait, 0, site);
}

bool last_block(uint32_t* counter, uint32_t blocks, Site site) {
  static StaticShared place;
  auto* last = static_cast<uint32_t*>(place.get("last_block", sizeof(uint32_t), 4));
  block_barrier(0, site);
  engine::Thread& self = engine::engine().self();
  if (self.linear == 0) {
    uint32_t arrived = 0;
    engine::check_block_released(counter);
    atomic_read(counter, &arrived, sizeof(arrived), site);
    if (arrived >= blocks) {
      engine::fail("last_block at ", engine::to_string(site), ": the counter holds ", arrived,
                   ", expected less than the ", blocks, " blocks. It must start at 0");
    }
    *last = arrived == blocks - 1;
    const uint32_t now = *last != 0 ? 0 : arrived + 1;
    atomic_write(counter, &now, sizeof(now));
    if (*last != 0) engine::check_block_acquired(counter);
  }
  block_barrier(0, site);
  return *last != 0;
}

void atomic_read(const void* p, void* value, size_t bytes, Site site) {
  engine::engine().self().site = site;
  engine::check_access(p, bytes, engine::Access::kAtomic, nullptr);
  __builtin_memcpy(value, p, bytes);
}

void atomic_write(void* p, const void* value, size_t bytes) { __builtin_memcpy(p, value, bytes); }

}  // namespace ebb::simt::emulator
