#include "emulator/mbarrier.h"

#include <unordered_map>

#include "emulator/checker.h"
#include "emulator/engine.h"
#include "emulator/memory.h"

// A phase of an mbarrier ends when all its arrivals and all the bytes it expects have come. The
// emulator carries out the phase's copies at that moment if a thread waits for it, and otherwise as
// late as it can, so that a read without a wait finds NaN bytes.
namespace ebb::simt::engine {
namespace {

struct Mbarrier {
  uint32_t arrivals = 0, pending = 0;  // per phase; still to come
  int64_t bytes = 0;                   // expected less copied
  uint32_t phase = 0;                  // number of the running phase, its parity is what waits name
  std::vector<BulkCopy> copies;
  std::vector<int> waiting;
};

std::unordered_map<uint64_t*, Mbarrier>& mbarriers() {
  static std::unordered_map<uint64_t*, Mbarrier> instance;
  return instance;
}

Mbarrier& find(uint64_t* barrier) {
  const auto found = mbarriers().find(barrier);
  if (found == mbarriers().end()) {
    fail("mbarrier at ", to_string(engine().self().site),
         " was not initialized: ", describe_address(barrier));
  }
  return found->second;
}

bool is_over(const Mbarrier& m) { return m.pending == 0 && m.bytes == 0; }

void end_phase(uint64_t* barrier, Mbarrier& m) {
  for (const BulkCopy& copy : m.copies) {
    run_copy(copy);
    check_in_flight(copy.dst, copy.bytes, false);
  }
  m.copies.clear();
  ++m.phase;
  m.pending = m.arrivals;
  for (const int thread : m.waiting) {
    check_acquired(barrier, thread);
    if (thread != engine().current) make_ready(thread);
  }
  m.waiting.clear();
}

}  // namespace

void mbarriers_reset() { mbarriers().clear(); }

void mbarrier_add_copy(uint64_t* barrier, const BulkCopy& copy) {
  Mbarrier& m = find(barrier);
  check_released(barrier);
  m.copies.push_back(copy);
  m.bytes -= static_cast<int64_t>(copy.bytes);
  if (is_over(m) && !m.waiting.empty()) end_phase(barrier, m);
}

}  // namespace ebb::simt::engine

namespace ebb::simt::emulator {

void mbarrier_init(uint64_t* barrier, uint32_t arrivals, Site site) {
  engine::engine().self().site = site;
  engine::require_shared(barrier, 8, 8, "mbarrier.init");
  engine::check_access(barrier, 8, engine::Access::kWrite, nullptr);
  engine::Mbarrier fresh;
  fresh.arrivals = fresh.pending = arrivals;
  engine::mbarriers()[barrier] = fresh;
}

void mbarrier_arrive(uint64_t* barrier, uint32_t expected_bytes, Site site) {
  engine::engine().self().site = site;
  engine::Mbarrier& m = engine::find(barrier);
  engine::check_access(barrier, 8, engine::Access::kAtomic, nullptr);
  if (engine::is_over(m)) engine::end_phase(barrier, m);  // no thread waited for the last phase
  if (m.pending == 0) {
    engine::fail("mbarrier at ", engine::to_string(site), ": more arrivals than its ", m.arrivals,
                 " while ", m.bytes, " bytes are still to come");
  }
  engine::check_released(barrier);
  m.bytes += expected_bytes;
  --m.pending;
  if (engine::is_over(m) && !m.waiting.empty()) engine::end_phase(barrier, m);
}

void mbarrier_wait(uint64_t* barrier, uint32_t parity, Site site) {
  engine::Engine& e = engine::engine();
  e.self().site = site;
  engine::Mbarrier& m = engine::find(barrier);
  engine::check_access(barrier, 8, engine::Access::kAtomic, nullptr);
  if (engine::is_over(m)) engine::end_phase(barrier, m);
  if (m.phase % 2 != parity % 2) {  // the phase of that parity is over
    engine::check_acquired(barrier, e.current);
    return;
  }
  m.waiting.push_back(e.current);
  engine::wait_in(engine::Thread::State::kMbarrier);
}

}  // namespace ebb::simt::emulator
