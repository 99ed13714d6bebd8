#include <algorithm>
#include <cstring>
#include <sstream>
#include <type_traits>

#include "emulator/checker.h"
#include "emulator/engine.h"

namespace ebb::simt::engine {
namespace {

std::string hex(uint32_t value) {
  std::ostringstream out;
  out << std::hex << value;
  return out.str();
}

bool same_place(const Site& a, const Site& b) {
  return a.line() == b.line() && a.column() == b.column();
}

std::string describe(const Thread& t) {
  return cat("lane ", t.lane, " runs ", t.collective->name, " of lanes ", hex(t.mask), " at ",
             to_string(t.site));
}

// The index of a warp's first thread.
size_t first_of(int warp) { return static_cast<size_t>(warp) * kWarpSize; }

// Whether all lanes of the mask wait in the same operation. Lanes in different ones are an error
// when the operation must be executed by the warp as a whole.
bool is_complete(const Thread& self) {
  const Engine& e = engine();
  if ((e.warp_waiting[static_cast<size_t>(self.warp)] & self.mask) != self.mask) return false;
  for (int lane = 0; lane < kWarpSize; ++lane) {
    if ((self.mask >> lane & 1) == 0) continue;
    const Thread& other = e.threads[first_of(self.warp) + static_cast<size_t>(lane)];
    const bool same = other.collective == self.collective && other.mask == self.mask;
    if (same && same_place(other.site, self.site)) continue;
    if (same || self.collective->aligned || other.collective->aligned) {
      fail("divergent warp: ", describe(self), ", ", describe(other));
    }
    return false;
  }
  return true;
}

}  // namespace

void run_warp(const Collective& collective, uint32_t mask, void* arguments, Site site) {
  Engine& e = engine();
  Thread& self = e.self();
  ++emulator::statistics().collectives;
  self.collective = &collective;
  self.mask = mask;
  self.arguments = arguments;
  self.site = site;
  if ((mask >> self.lane & 1) == 0) {
    fail(collective.name, " at ", to_string(site), ": the calling lane ", self.lane,
         " is not in the mask ", hex(mask));
  }
  uint32_t& waiting = e.warp_waiting[static_cast<size_t>(self.warp)];
  const uint32_t gone = e.warp_done[static_cast<size_t>(self.warp)] & mask;
  if (gone != 0) {
    fail(collective.name, " at ", to_string(site), ": the mask ", hex(mask),
         " names lanes that have ended or do not exist: ", hex(gone));
  }
  waiting |= 1u << self.lane;
  if (!is_complete(self)) return wait_in(Thread::State::kWarp);
  waiting &= ~mask;
  Thread* lanes = &e.threads[first_of(self.warp)];
  if (collective.run != nullptr) {
    void* all[kWarpSize];
    for (int i = 0; i < kWarpSize; ++i)
      all[i] = (mask >> i & 1) != 0 ? lanes[i].arguments : nullptr;
    collective.run(all, mask);
  }
  for (int i = 0; i < kWarpSize; ++i) {
    if ((mask >> i & 1) != 0 && i != self.lane) make_ready(lanes[i].linear);
  }
}

void run_warp_group(const Collective& collective, void* arguments, Site site) {
  Engine& e = engine();
  Thread& self = e.self();
  ++emulator::statistics().collectives;
  self.collective = &collective;
  self.mask = 0xffffffffu;
  self.arguments = arguments;
  self.site = site;
  const int group = self.linear / kWarpGroupSize, first = group * kWarpGroupSize;
  if (first + kWarpGroupSize > e.count) {
    fail(collective.name, " at ", to_string(site), ": warpgroup ", group, " has ", e.count - first,
         " threads, needs 128");
  }
  self.state = Thread::State::kWarpGroup;
  Thread* members = &e.threads[static_cast<size_t>(first)];
  for (int i = 0; i < kWarpGroupSize; ++i) {
    if (members[i].state == Thread::State::kDone) {
      fail(collective.name, " at ", to_string(site), ": thread ", members[i].linear,
           " of the warpgroup has ended");
    }
    if (members[i].state != Thread::State::kWarpGroup) {
      return wait_in(Thread::State::kWarpGroup);
    }
  }
  for (int i = 0; i < kWarpGroupSize; ++i) {
    if (members[i].collective == &collective && same_place(members[i].site, site)) continue;
    fail("divergent warpgroup: ", describe(self), ", ", describe(members[i]));
  }
  self.state = Thread::State::kReady;
  if (collective.run != nullptr) {
    void* all[kWarpGroupSize];
    for (int i = 0; i < kWarpGroupSize; ++i) all[i] = members[i].arguments;
    collective.run(all, static_cast<uint32_t>(group));
  }
  for (int i = 0; i < kWarpGroupSize; ++i) {
    if (&members[i] != &self) make_ready(members[i].linear);
  }
}

namespace {

struct ShuffleArguments {
  const void* value;
  void* result;
  size_t bytes;
  int source;
};

void run_shuffle(void* const* arguments, uint32_t mask) {
  for (int lane = 0; lane < kWarpSize; ++lane) {
    if ((mask >> lane & 1) == 0) continue;
    const auto* to = static_cast<const ShuffleArguments*>(arguments[lane]);
    if ((mask >> to->source & 1) == 0) {
      fail("shuffle at ", to_string(engine().self().site), ": lane ", lane, " reads lane ",
           to->source, ", which is not in the mask ", hex(mask));
    }
    const auto* from = static_cast<const ShuffleArguments*>(arguments[to->source]);
    std::memcpy(to->result, from->value, to->bytes);
  }
}
constexpr Collective kShuffle{"shuffle", false, run_shuffle};

// CUDA C++ Programming Guide, "Warp Shuffle Functions": sections of `width` lanes.
int source_lane(emulator::Shuffle kind, int lane, int operand, int width) {
  const int section = lane & ~(width - 1), position = lane - section;
  switch (kind) {
    case emulator::Shuffle::kIndex:
      return section + (operand & (width - 1));
    case emulator::Shuffle::kXor: {
      const int source = lane ^ operand;
      // A later section's value does not come; an earlier section's does.
      return (source & ~(width - 1)) > section ? lane : source & (kWarpSize - 1);
    }
    case emulator::Shuffle::kUp:
      return position < operand ? lane : lane - operand;
    case emulator::Shuffle::kDown:
      return position + operand >= width ? lane : lane + operand;
  }
  return lane;
}

struct Vote {
  bool predicate;
  uint32_t result;
};
void run_ballot(void* const* arguments, uint32_t mask) {
  uint32_t votes = 0;
  for (int i = 0; i < kWarpSize; ++i) {
    if ((mask >> i & 1) != 0 && static_cast<Vote*>(arguments[i])->predicate) votes |= 1u << i;
  }
  for (int i = 0; i < kWarpSize; ++i) {
    if ((mask >> i & 1) != 0) static_cast<Vote*>(arguments[i])->result = votes;
  }
}
constexpr Collective kBallot{"ballot", false, run_ballot};

struct Match {
  uint64_t value;
  uint32_t result;
};
void run_match(void* const* arguments, uint32_t mask) {
  for (int i = 0; i < kWarpSize; ++i) {
    if ((mask >> i & 1) == 0) continue;
    auto* mine = static_cast<Match*>(arguments[i]);
    mine->result = 0;
    for (int k = 0; k < kWarpSize; ++k) {
      const bool same =
          (mask >> k & 1) != 0 && static_cast<Match*>(arguments[k])->value == mine->value;
      if (same) mine->result |= 1u << k;
    }
  }
}
constexpr Collective kMatch{"match", false, run_match};

struct Reduction {
  emulator::Reduce kind;
  uint32_t value;
  bool is_signed;
  uint32_t result;
};
uint32_t reduce_two(const Reduction& how, uint32_t a, uint32_t b) {
  const bool less = how.is_signed ? static_cast<int32_t>(a) < static_cast<int32_t>(b) : a < b;
  switch (how.kind) {
    case emulator::Reduce::kAdd:
      return a + b;
    case emulator::Reduce::kMin:
      return less ? a : b;
    case emulator::Reduce::kMax:
      return less ? b : a;
    case emulator::Reduce::kAnd:
      return a & b;
    case emulator::Reduce::kOr:
      return a | b;
    case emulator::Reduce::kXor:
      return a ^ b;
  }
  return a;
}
void run_reduce(void* const* arguments, uint32_t mask) {
  const Reduction* first = nullptr;
  uint32_t total = 0;
  for (int i = 0; i < kWarpSize; ++i) {
    if ((mask >> i & 1) == 0) continue;
    const auto* r = static_cast<const Reduction*>(arguments[i]);
    total = first == nullptr ? r->value : reduce_two(*r, total, r->value);
    if (first == nullptr) first = r;
  }
  for (int i = 0; i < kWarpSize; ++i) {
    if ((mask >> i & 1) != 0) static_cast<Reduction*>(arguments[i])->result = total;
  }
}
constexpr Collective kReduce{"reduce", false, run_reduce};

void run_sync_warp(void* const*, uint32_t mask) {
  int threads[kWarpSize], count = 0;
  const int first = engine().self().warp * kWarpSize;
  for (int i = 0; i < kWarpSize; ++i) {
    if ((mask >> i & 1) != 0) threads[count++] = first + i;
  }
  check_joined(std::span<const int>(threads, static_cast<size_t>(count)), -1);
}
constexpr Collective kSyncWarp{"__syncwarp", false, run_sync_warp};

}  // namespace
}  // namespace ebb::simt::engine

namespace ebb::simt::emulator {

void sync_warp(uint32_t mask, Site site) {
  engine::run_warp(engine::kSyncWarp, mask, nullptr, site);
}

void shuffle(Shuffle kind, uint32_t mask, const void* value, void* result, size_t bytes,
             int operand, int width, Site site) {
  if (width < 1 || width > engine::kWarpSize || (width & (width - 1)) != 0) {
    engine::fail("shuffle at ", engine::to_string(site), ": width ", width,
                 ", must be a power of two up to 32");
  }
  const int lane = engine::engine().self().lane;
  engine::ShuffleArguments arguments{value, result, bytes,
                                     engine::source_lane(kind, lane, operand, width)};
  engine::run_warp(engine::kShuffle, mask, &arguments, site);
}

uint32_t ballot(uint32_t mask, bool predicate, Site site) {
  engine::Vote vote{predicate, 0};
  engine::run_warp(engine::kBallot, mask, &vote, site);
  return vote.result;
}

uint32_t match_any(uint32_t mask, uint64_t value, Site site) {
  engine::Match match{value, 0};
  engine::run_warp(engine::kMatch, mask, &match, site);
  return match.result;
}

uint32_t reduce(Reduce kind, uint32_t mask, uint32_t value, bool is_signed, Site site) {
  engine::Reduction reduction{kind, value, is_signed, 0};
  engine::run_warp(engine::kReduce, mask, &reduction, site);
  return reduction.result;
}

uint32_t active_mask() {
  const engine::Engine& e = engine::engine();
  return ~e.warp_done[static_cast<size_t>(e.threads[static_cast<size_t>(e.current)].warp)];
}

}  // namespace ebb::simt::emulator
