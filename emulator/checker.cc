#include "emulator/checker.h"

#include <dlfcn.h>

#include <algorithm>
#include <unordered_map>

#include "emulator/memory.h"
#include "emulator/report.h"

// Each cell of memory (memory.h) remembers its last writer and its last two readers. An access is
// ordered after an earlier one when
//   - that was in an earlier launch, or in an earlier block and the memory is shared memory, or in
//     a block that released to this one through last_block()
//   - it was before the last barrier of the whole block: barriers start a new epoch
//   - the same thread did it, or one whose clock at that time this thread has joined since: a
//     __syncwarp, named barrier or mbarrier joins vector clocks
// Anything else is a race if one of the two writes, whatever the order they happened to run in.
// With two readers per cell a race may be missed, but none is invented.
namespace ebb::simt::engine {
namespace {

using Clocks = std::vector<uint16_t>;  // one per thread of the block

struct Checker {
  bool on = false;
  bool bounds = false;  // these and alignment, whether `on` or not
  int threads = 0;
  uint32_t epoch = 1, launch_epoch = 1, block_epoch = 1;  // 1: written by the host
  std::vector<uint16_t> clock;                            // of each thread, within the epoch
  Clocks seen;                       // [threads, threads]: row t holds what t has joined
  std::vector<uint32_t> seen_epoch;  // rows are of this epoch, or empty
  std::unordered_map<int, Clocks> barrier_past;
  std::unordered_map<const void*, Clocks> object_past;
  // Blocks of this launch in the order they ran, and how they are ordered.
  std::vector<uint32_t> block_starts;
  struct Release {
    size_t block;
    uint32_t epoch;
  };
  std::unordered_map<const void*, std::vector<Release>> block_releases;
  std::unordered_map<size_t, uint32_t> acquired_blocks;  // by the running block: up to this epoch
};

Checker& checker() {
  static Checker instance;
  return instance;
}

void start_epoch(Checker& c) {
  ++c.epoch;
  std::fill(c.clock.begin(), c.clock.end(), uint16_t{1});
}

uint16_t* row(Checker& c, int thread) {
  const size_t t = static_cast<size_t>(thread), n = static_cast<size_t>(c.threads);
  uint16_t* r = c.seen.data() + t * n;
  if (c.seen_epoch[t] != c.epoch) {
    std::fill(r, r + n, uint16_t{0});
    c.seen_epoch[t] = c.epoch;
  }
  r[t] = c.clock[t];
  return r;
}

void join(uint16_t* into, const uint16_t* from, int threads) {
  for (int i = 0; i < threads; ++i) into[i] = std::max(into[i], from[i]);
}

void advance(Checker& c, int thread) {
  if (++c.clock[static_cast<size_t>(thread)] == 0xffff) {
    fail(
        "more than 65534 warp synchronizations between two __syncthreads(); the checker cannot "
        "count that far");
  }
}

bool block_is_acquired(const Checker& c, uint32_t epoch) {
  const auto after = std::upper_bound(c.block_starts.begin(), c.block_starts.end(), epoch);
  const size_t block = static_cast<size_t>(after - c.block_starts.begin()) - 1;
  const auto found = c.acquired_blocks.find(block);
  return found != c.acquired_blocks.end() && epoch <= found->second;
}

// One access of the running thread to one buffer.
class CheckedAccess {
 public:
  CheckedAccess(Checker& checker, Buffer& buffer, Access access, const void* code)
      : c_(checker),
        buffer_(buffer),
        access_(access),
        code_(code),
        me_(static_cast<uint16_t>(engine().current)),
        clock_(checker.clock[me_]) {}

  void cell(Cell& cell, const char* p) {
    const bool atomic = access_ == Access::kAtomic, write = access_ != Access::kRead;
    if ((cell.writer & Cell::kInFlight) != 0 && cell.write_epoch >= c_.block_epoch) {
      race("access to bytes of an asynchronous copy that is still in flight", p, cell.write_epoch,
           cell.writer);
    }
    if (cell.write_epoch != 0 && !(atomic && (cell.writer & Cell::kAtomic) != 0) &&
        !ordered(cell.write_epoch, cell.writer & Cell::kThread, cell.write_clock)) {
      race(write ? "write after an unordered write" : "read of an unordered write", p,
           cell.write_epoch, cell.writer);
    }
    if (write) {
      for (int i = 0; i < 2 && cell.read_epoch != 0; ++i) {
        if (!ordered(cell.read_epoch, cell.reader[i], cell.read_clock[i])) {
          race("write after an unordered read", p, cell.read_epoch, cell.reader[i]);
        }
      }
      cell.write_epoch = c_.epoch;
      cell.writer = static_cast<uint16_t>(me_ | (atomic ? Cell::kAtomic : 0));
      cell.write_clock = clock_;
      return;
    }
    const uint32_t first_write = buffer_.shared ? c_.block_epoch : 1;
    if (buffer_.track_initialization && cell.write_epoch < first_write) {
      fail("read of uninitialized memory at ", code_position(code_), ": ", describe_address(p));
    }
    if (cell.read_epoch != c_.epoch) {
      cell.read_epoch = c_.epoch;
      cell.reader[0] = cell.reader[1] = me_;
      cell.read_clock[0] = cell.read_clock[1] = clock_;
    } else if (cell.reader[0] == me_) {
      cell.read_clock[0] = clock_;
    } else {
      cell.reader[1] = me_;
      cell.read_clock[1] = clock_;
    }
  }

 private:
  bool ordered(uint32_t epoch, uint16_t thread, uint16_t clock) {
    if (epoch < c_.launch_epoch) return true;
    if (epoch < c_.block_epoch) return buffer_.shared || block_is_acquired(c_, epoch);
    if (epoch < c_.epoch || thread == me_) return true;
    if (seen_ == nullptr) seen_ = row(c_, me_);
    return seen_[thread] >= clock;
  }

  [[noreturn]] void race(const char* what, const char* p, uint32_t epoch, uint16_t thread) const {
    fail("data race: ", what, " at ", code_position(code_), ", ", describe_address(p),
         ", against thread ", thread & Cell::kThread,
         epoch < c_.block_epoch ? " of another block" : "");
  }

  Checker& c_;
  Buffer& buffer_;
  Access access_;
  const void* code_;
  uint16_t me_, clock_;
  const uint16_t* seen_ = nullptr;
};

// Splits every cell of the buffer, so that accesses of 1 << shift bytes have cells of their own.
void refine(Buffer& b, int shift) {
  const size_t copies = size_t{1} << (b.cell_shift - shift);
  std::vector<Cell> finer(b.cells.size() * copies);
  for (size_t i = 0; i < finer.size(); ++i) finer[i] = b.cells[i / copies];
  b.cells = std::move(finer);
  b.cell_shift = shift;
}

void prepare_cells(Buffer& b) {
  const size_t unit = size_t{1} << b.cell_shift;
  if (b.cells.empty()) b.cells.assign((b.bytes + unit - 1) / unit, Cell{});
  for (const auto& [begin, end] : b.initialized) {
    if ((begin | end) % (size_t{1} << b.cell_shift) != 0) refine(b, 0);
    for (size_t i = begin >> b.cell_shift; i < end >> b.cell_shift; ++i) {
      b.cells[i] = Cell{};
      b.cells[i].write_epoch = 1;
    }
  }
  b.initialized.clear();
}

// Memory of the program that kernels may read: their arguments and constants.
bool is_readable_elsewhere(const char* p) {
  const Engine& e = engine();
  const char* arguments = static_cast<const char*>(e.grid.arguments);
  if (p >= arguments && p < arguments + e.grid.argument_bytes) return true;
  Dl_info info;
  return dladdr(p, &info) != 0;
}

const char* verb(Access access) {
  return access == Access::kRead ? "read" : access == Access::kWrite ? "write" : "atomic operation";
}

}  // namespace

void check_access(const void* address, size_t bytes, Access access, const void* code) {
  Checker& c = checker();
  if (!c.bounds || !engine().in_kernel()) return;
  const char* p = static_cast<const char*>(address);
  if (engine().self().fiber.stack.contains(p)) return;
  ++emulator::statistics().checked_accesses;

  Buffer* buffer = nullptr;
  size_t limit = 0;  // bytes from p to the end of what holds it
  if (shared_cells().contains(p)) {
    if (const SharedRange* range = find_shared(p)) {
      buffer = &shared_cells();
      limit = static_cast<size_t>(range->low + range->bytes - p);
    }
  } else if ((buffer = find_buffer(p)) != nullptr) {
    limit = static_cast<size_t>(buffer->high() - p);
  } else if (access == Access::kRead && is_readable_elsewhere(p)) {
    return;
  }
  if (buffer == nullptr || limit < bytes) {
    fail("out of bounds: ", bytes, "-byte ", verb(access), " at ", code_position(code), ", ",
         describe_address(buffer == nullptr ? p : p + limit));
  }
  const size_t alignment = std::min<size_t>(bytes & (~bytes + 1), 16);
  if (reinterpret_cast<uintptr_t>(p) % alignment != 0) {
    fail("misaligned: ", bytes, "-byte ", verb(access), " at ", code_position(code), ", ",
         describe_address(p));
  }
  if (!c.on) return;
  const size_t offset = static_cast<size_t>(p - buffer->low);
  const size_t unit = (offset | bytes) & 3;
  if (const int shift = unit == 0 ? 2 : unit == 2 ? 1 : 0; shift < buffer->cell_shift) {
    refine(*buffer, shift);
  }
  CheckedAccess check(c, *buffer, access, code);
  const size_t first = offset >> buffer->cell_shift;
  const size_t last = (offset + bytes - 1) >> buffer->cell_shift;
  for (size_t i = first; i <= last; ++i) {
    check.cell(buffer->cells[i], buffer->low + (i << buffer->cell_shift));
  }
}

void check_in_flight(const void* p, size_t bytes, bool in_flight) {
  if (!checker().on) return;
  Buffer& b = shared_cells();
  const size_t offset = static_cast<size_t>(static_cast<const char*>(p) - b.low);
  for (size_t i = offset >> b.cell_shift; i <= (offset + bytes - 1) >> b.cell_shift; ++i) {
    uint16_t& writer = b.cells[i].writer;
    writer =
        static_cast<uint16_t>(in_flight ? writer | Cell::kInFlight : writer & ~Cell::kInFlight);
  }
}

void checker_launch_starts() {
  Checker& c = checker();
  c.on = emulator::options().check && !emulator::options().corners;
  c.bounds = emulator::options().check || emulator::options().corners;
  if (!c.on) {
    // Writes of this launch are not tracked, so nothing is known about them later.
    for (Buffer* b : all_buffers()) b->track_initialization = false;
    return;
  }
  const size_t n = static_cast<size_t>(engine().count);
  c.threads = engine().count;
  c.clock.assign(n, 1);
  c.seen.assign(n * n, 0);
  c.seen_epoch.assign(n, 0);
  c.launch_epoch = ++c.epoch;
  c.block_starts.clear();
  c.block_releases.clear();
  for (Buffer* b : all_buffers()) prepare_cells(*b);
  prepare_cells(shared_cells());
}

void checker_launch_ends() { checker().on = checker().bounds = false; }

void checker_block_starts() {
  Checker& c = checker();
  if (!c.on) return;
  start_epoch(c);
  c.block_epoch = c.epoch;
  c.block_starts.push_back(c.epoch);
  c.acquired_blocks.clear();
  c.barrier_past.clear();
  c.object_past.clear();
}

void check_block_barrier() {
  if (checker().on) start_epoch(checker());
}

void check_joined(std::span<const int> threads, int barrier) {
  Checker& c = checker();
  if (!c.on) return;
  Clocks all(static_cast<size_t>(c.threads), 0);
  if (const auto past = c.barrier_past.find(barrier); past != c.barrier_past.end()) {
    all = std::move(past->second);
    c.barrier_past.erase(past);
  }
  for (const int t : threads) join(all.data(), row(c, t), c.threads);
  for (const int t : threads) {
    std::copy(all.begin(), all.end(), row(c, t));
    advance(c, t);
  }
}

namespace {

void release_to(Clocks& past) {
  Checker& c = checker();
  const int me = engine().current;
  past.resize(static_cast<size_t>(c.threads));
  join(past.data(), row(c, me), c.threads);
  advance(c, me);
}

}  // namespace

void check_barrier_arrived(int barrier) {
  if (checker().on) release_to(checker().barrier_past[barrier]);
}

void check_released(const void* object) {
  if (checker().on) release_to(checker().object_past[object]);
}

void check_acquired(const void* object, int thread) {
  Checker& c = checker();
  if (!c.on) return;
  const auto past = c.object_past.find(object);
  if (past != c.object_past.end()) join(row(c, thread), past->second.data(), c.threads);
}

void check_done_for(int first, int count) {
  Checker& c = checker();
  if (!c.on) return;
  const size_t reader = static_cast<size_t>(first);
  for (int t = first; t < first + count; ++t) {
    uint16_t* seen = row(c, t);
    seen[reader] = std::max(seen[reader], c.clock[reader]);
  }
  advance(c, first);
}

void check_block_released(const void* counter) {
  Checker& c = checker();
  if (c.on) c.block_releases[counter].push_back({c.block_starts.size() - 1, c.epoch});
}

void check_block_acquired(const void* counter) {
  Checker& c = checker();
  if (!c.on) return;
  for (const Checker::Release& release : c.block_releases[counter]) {
    uint32_t& epoch = c.acquired_blocks[release.block];
    epoch = std::max(epoch, release.epoch);
  }
}

}  // namespace ebb::simt::engine
