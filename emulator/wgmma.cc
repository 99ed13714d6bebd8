#include <algorithm>
#include <cstring>
#include <limits>
#include <memory>

#include "emulator/checker.h"
#include "emulator/engine.h"
#include "emulator/mbarrier.h"
#include "emulator/memory.h"
#include "emulator/number_formats.h"
#include "kernels/simt/matrix_descriptor.h"

// wgmma with both operands in shared memory. The product is computed in wgmma_wait, as late as the
// program allows; until then the accumulators are NaN and the operands must stay.
//
// Layouts (PTX ISA, "Asynchronous Warpgroup Level Matrix"): element (row, k) of a K-major operand
// lies at row / 8 * group + row % 8 * 128 + k * size; element (row, k) of an MN-major one, whose
// rows run along the 128 bytes, at k / 8 * group + k % 8 * 128 + row / 64 * block + row % 64 *
// size. Address bits 4..6 are then swizzled with bits 7..9.
namespace ebb::simt::engine {
namespace {

using emulator::Format;

struct WgmmaArguments {
  Format format;
  int n;
  bool mn_major;
  float* d;
  uint64_t a, b;
  bool accumulate;
};

// The accumulators of one tile while products for it are under way.
struct Accumulators {
  float* d[kWarpGroupSize];  // of each thread
  float values[64][256];
  int n = 0, pending = 0;
};

struct Product {
  WgmmaArguments arguments;
  std::shared_ptr<Accumulators> accumulators;
  Site site;
};

struct WarpGroup {
  std::vector<Product> open;
  std::vector<std::vector<Product>> committed;
  std::vector<std::shared_ptr<Accumulators>> busy;
  bool fenced = false;
};

std::vector<WarpGroup>& groups() {
  static std::vector<WarpGroup> instance;
  return instance;
}

int depth_of(Format format) { return format == Format::kTf32 ? 8 : 16; }

class Operand {
 public:
  Operand(uint64_t descriptor, const WgmmaArguments& m)
      : start_(static_cast<uint32_t>(descriptor & 0x3fff) << 4),
        block_(static_cast<uint32_t>(descriptor >> 16 & 0x3fff) << 4),
        group_(static_cast<uint32_t>(descriptor >> 32 & 0x3fff) << 4),
        format_(m.format),
        mn_major_(m.mn_major) {
    if (descriptor >> 62 != 1) fail("wgmma: a descriptor without 128-byte swizzle");
  }

  const char* address(int row, int k) const {
    const uint32_t size = format_ == Format::kTf32 ? 4 : 2;
    const uint32_t line = static_cast<uint32_t>(mn_major_ ? k : row);
    const uint32_t along = static_cast<uint32_t>(mn_major_ ? row : k);
    uint32_t at = start_ + line / 8 * group_ + line % 8 * 128;
    at += mn_major_ ? along / 64 * block_ + along % 64 * size : along * size;
    return shared_arena() + swizzle_128(at);
  }

  float value(int row, int k) const {
    uint32_t bits = 0;
    std::memcpy(&bits, address(row, k), format_ == Format::kTf32 ? 4 : 2);
    return format_ == Format::kBf16  ? from_bf16(bits)
           : format_ == Format::kF16 ? from_f16(bits)
                                     : from_tf32(bits);
  }

  // Calls visit(16-byte chunk) for all that `rows` rows cover.
  template <typename Visit>
  void for_each_chunk(int rows, const Visit& visit) const {
    const int per_chunk = format_ == Format::kTf32 ? 4 : 8, depth = depth_of(format_);
    for (int row = 0; row < rows; row += mn_major_ ? per_chunk : 1) {
      for (int k = 0; k < depth; k += mn_major_ ? 1 : per_chunk) visit(address(row, k));
    }
  }

 private:
  uint32_t start_, block_, group_;
  Format format_;
  bool mn_major_;
};

template <typename Visit>
void for_each_operand_chunk(const WgmmaArguments& m, const Visit& visit) {
  Operand(m.a, m).for_each_chunk(64, visit);
  Operand(m.b, m).for_each_chunk(m.n, visit);
}

// Row and column of accumulator i of a thread of the warpgroup.
int row_of(int thread, int i) { return thread / 32 * 16 + thread % 32 / 4 + i / 2 % 2 * 8; }
int column_of(int thread, int i) { return i / 4 * 8 + thread % 4 * 2 + i % 2; }

// Takes over the accumulators of the tile, or finds them if an earlier product has them already.
std::shared_ptr<Accumulators> take_accumulators(WarpGroup& wg, void* const* arguments) {
  const auto& first = *static_cast<const WgmmaArguments*>(arguments[0]);
  for (const auto& busy : wg.busy) {
    if (busy->d[0] == first.d) return busy;
  }
  auto taken = std::make_shared<Accumulators>();
  taken->n = first.n;
  for (int t = 0; t < kWarpGroupSize; ++t) {
    taken->d[t] = static_cast<const WgmmaArguments*>(arguments[t])->d;
    for (int i = 0; i < first.n / 2; ++i) {
      taken->values[row_of(t, i)][column_of(t, i)] = taken->d[t][i];
      taken->d[t][i] = std::numeric_limits<float>::quiet_NaN();
    }
  }
  wg.busy.push_back(taken);
  return taken;
}

void give_back_accumulators(WarpGroup& wg, const std::shared_ptr<Accumulators>& a) {
  for (int t = 0; t < kWarpGroupSize; ++t) {
    for (int i = 0; i < a->n / 2; ++i) a->d[t][i] = a->values[row_of(t, i)][column_of(t, i)];
  }
  std::erase(wg.busy, a);
}

// The products read their operands as a group. The checker takes the group's first thread for the
// reader; check_done_for() passes on to the others that it is done.
void read_as_first_thread(uint32_t group, const char* chunk) {
  Engine& e = engine();
  const int me = e.current;
  e.current = static_cast<int>(group) * kWarpGroupSize;
  require_shared(chunk, 16, 16, "wgmma operand");
  check_access(chunk, 16, Access::kRead, nullptr);
  e.current = me;
}

void run_issue(void* const* arguments, uint32_t group) {
  WarpGroup& wg = groups()[group];
  const auto& first = *static_cast<const WgmmaArguments*>(arguments[0]);
  const Site site = engine().self().site;
  if (!wg.fenced) {
    fail("wgmma at ", to_string(site), ": no wgmma_fence() since the last wait");
  }
  for (int t = 0; t < kWarpGroupSize; ++t) {
    const auto& m = *static_cast<const WgmmaArguments*>(arguments[t]);
    if (m.a != first.a || m.b != first.b || m.accumulate != first.accumulate) {
      fail("wgmma at ", to_string(site), ": threads 0 and ", t,
           " of the warpgroup have different operands");
    }
  }
  for_each_operand_chunk(first, [&](const char* chunk) { read_as_first_thread(group, chunk); });
  Product product{first, take_accumulators(wg, arguments), site};
  ++product.accumulators->pending;
  wg.open.push_back(std::move(product));
}
constexpr Collective kIssue{"wgmma", true, run_issue};

void compute(const Product& p) {
  const WgmmaArguments& m = p.arguments;
  const int depth = depth_of(m.format);
  static float a[64][16], b[16][256];
  const Operand first(m.a, m), second(m.b, m);
  for (int k = 0; k < depth; ++k) {
    for (int i = 0; i < 64; ++i) a[i][k] = first.value(i, k);
    for (int j = 0; j < m.n; ++j) b[k][j] = second.value(j, k);
  }
  for (int i = 0; i < 64; ++i) {
    float(&d)[256] = p.accumulators->values[i];
    if (!m.accumulate) std::fill(d, d + m.n, 0.0f);
    for (int k = 0; k < depth; ++k) {
      for (int j = 0; j < m.n; ++j) d[j] += a[i][k] * b[k][j];
    }
  }
}

void run_fence(void* const*, uint32_t group) { groups()[group].fenced = true; }
constexpr Collective kFence{"wgmma.fence", true, run_fence};

void run_commit(void* const*, uint32_t group) {
  WarpGroup& wg = groups()[group];
  wg.committed.push_back(std::move(wg.open));
  wg.open.clear();
}
constexpr Collective kCommit{"wgmma.commit_group", true, run_commit};

void run_wait(void* const* arguments, uint32_t group) {
  WarpGroup& wg = groups()[group];
  const int pending = *static_cast<const int*>(arguments[0]);
  while (static_cast<int>(wg.committed.size()) > pending) {
    for (const Product& p : wg.committed.front()) {
      for_each_operand_chunk(p.arguments,
                             [&](const char* chunk) { read_as_first_thread(group, chunk); });
      compute(p);
      if (--p.accumulators->pending == 0) give_back_accumulators(wg, p.accumulators);
    }
    wg.committed.erase(wg.committed.begin());
  }
  wg.fenced = false;
  check_done_for(static_cast<int>(group) * kWarpGroupSize, kWarpGroupSize);
}
constexpr Collective kWait{"wgmma.wait_group", true, run_wait};

template <typename Visit>
void for_each_unfinished(const Visit& visit) {
  for (const WarpGroup& wg : groups()) {
    for (const auto& group : wg.committed) {
      for (const Product& p : group) visit(p);
    }
    for (const Product& p : wg.open) visit(p);
  }
}

}  // namespace

void warp_groups_reset(int threads) {
  groups().assign(static_cast<size_t>((threads + kWarpGroupSize - 1) / kWarpGroupSize), {});
}

void warp_groups_at_exit() {
  for_each_unfinished(
      [](const Product& p) { fail("wgmma at ", to_string(p.site), " was never waited for"); });
}

void require_unread_by_wgmma(const void* p, size_t bytes, const char* what) {
  const char* low = static_cast<const char*>(p);
  for_each_unfinished([&](const Product& product) {
    for_each_operand_chunk(product.arguments, [&](const char* chunk) {
      if (chunk + 16 <= low || chunk >= low + bytes) return;
      fail(what, " at ", to_string(engine().self().site), " overwrites ", describe_address(chunk),
           ", which the unfinished wgmma at ", to_string(product.site), " reads");
    });
  });
}

}  // namespace ebb::simt::engine

namespace ebb::simt::emulator {

void wgmma(Format format, int n, bool mn_major, float* d, uint64_t a, uint64_t b, bool accumulate,
           Site site) {
  engine::WgmmaArguments arguments{format, n, mn_major, d, a, b, accumulate};
  engine::run_warp_group(engine::kIssue, &arguments, site);
}
void wgmma_fence(Site site) { engine::run_warp_group(engine::kFence, nullptr, site); }
void wgmma_commit(Site site) { engine::run_warp_group(engine::kCommit, nullptr, site); }
void wgmma_wait(int pending, Site site) { engine::run_warp_group(engine::kWait, &pending, site); }

}  // namespace ebb::simt::emulator
