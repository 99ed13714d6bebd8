#include <bit>
#include <cstring>

#include "base/dtype.h"
#include "emulator/checker.h"
#include "emulator/engine.h"
#include "emulator/memory.h"
#include "emulator/number_formats.h"

// ldmatrix, stmatrix and mma.sync. Lane layouts: PTX ISA, "Matrix Fragments for mma.m16n8k16" and
// ".m16n8k8", "ldmatrix". With g = lane / 4 and t = lane % 4.
namespace ebb::simt::engine {
namespace {

struct MatrixRows {
  uint32_t* r;  // 4 registers
  const void* row;
};

// Matrix m's rows come from lanes 8m .. 8m + 7; each lane owns its access.
void as_lane(int lane, const void* row, Access access, const char* what) {
  Engine& e = engine();
  const int me = e.current;
  e.current = e.self().warp * kWarpSize + lane;
  require_shared(row, 16, 16, what);
  check_access(row, 16, access, nullptr);
  e.current = me;
}

template <bool kTransposed>
void run_ldmatrix(void* const* arguments, uint32_t) {
  for (int m = 0; m < 4; ++m) {
    uint16_t matrix[8][8];
    for (int r = 0; r < 8; ++r) {
      const void* row = static_cast<const MatrixRows*>(arguments[8 * m + r])->row;
      as_lane(8 * m + r, row, Access::kRead, "ldmatrix");
      std::memcpy(matrix[r], row, 16);
    }
    for (int lane = 0; lane < kWarpSize; ++lane) {
      const int g = lane / 4, t = lane % 4 * 2;
      const uint32_t low = kTransposed ? matrix[t][g] : matrix[g][t];
      const uint32_t high = kTransposed ? matrix[t + 1][g] : matrix[g][t + 1];
      static_cast<MatrixRows*>(arguments[lane])->r[m] = low | high << 16;
    }
  }
}
constexpr Collective kLdmatrix{"ldmatrix", true, run_ldmatrix<false>};
constexpr Collective kLdmatrixTrans{"ldmatrix.trans", true, run_ldmatrix<true>};

template <bool kTransposed>
void run_stmatrix(void* const* arguments, uint32_t) {
  for (int m = 0; m < 4; ++m) {
    uint16_t matrix[8][8];
    for (int lane = 0; lane < kWarpSize; ++lane) {
      const int g = lane / 4, t = lane % 4 * 2;
      const uint32_t pair = static_cast<const MatrixRows*>(arguments[lane])->r[m];
      (kTransposed ? matrix[t][g] : matrix[g][t]) = static_cast<uint16_t>(pair);
      (kTransposed ? matrix[t + 1][g] : matrix[g][t + 1]) = static_cast<uint16_t>(pair >> 16);
    }
    for (int r = 0; r < 8; ++r) {
      const void* row = static_cast<const MatrixRows*>(arguments[8 * m + r])->row;
      as_lane(8 * m + r, row, Access::kWrite, "stmatrix");
      std::memcpy(const_cast<void*>(row), matrix[r], 16);
    }
  }
}
constexpr Collective kStmatrix{"stmatrix", true, run_stmatrix<false>};
constexpr Collective kStmatrixTrans{"stmatrix.trans", true, run_stmatrix<true>};

struct MmaArguments {
  float* d;
  const uint32_t *a, *b;
};

// d[i][j] += sum over k of a[i][k] * b[k][j]
template <int kDepth>
void multiply(const float (&a)[16][kDepth], const float (&b)[kDepth][8], float (&d)[16][8]) {
  for (int i = 0; i < 16; ++i) {
    for (int k = 0; k < kDepth; ++k) {
      for (int j = 0; j < 8; ++j) d[i][j] += a[i][k] * b[k][j];
    }
  }
}

template <typename Visit>
void for_each_accumulator(void* const* arguments, const Visit& visit) {
  for (int lane = 0; lane < kWarpSize; ++lane) {
    const auto* m = static_cast<const MmaArguments*>(arguments[lane]);
    for (int i = 0; i < 4; ++i) visit(m->d[i], lane / 4 + i / 2 * 8, lane % 4 * 2 + i % 2);
  }
}

template <float (*kConvert)(uint32_t)>
void run_mma_16bit(void* const* arguments, uint32_t) {
  float a[16][16], b[16][8], d[16][8];
  for (int lane = 0; lane < kWarpSize; ++lane) {
    const auto* m = static_cast<const MmaArguments*>(arguments[lane]);
    const int g = lane / 4, t = lane % 4 * 2;
    for (int i = 0; i < 4; ++i) {
      const int row = g + i % 2 * 8, k = t + i / 2 * 8;
      a[row][k] = kConvert(m->a[i] & 0xffff);
      a[row][k + 1] = kConvert(m->a[i] >> 16);
    }
    for (int i = 0; i < 2; ++i) {
      b[t + i * 8][g] = kConvert(m->b[i] & 0xffff);
      b[t + i * 8 + 1][g] = kConvert(m->b[i] >> 16);
    }
  }
  for_each_accumulator(arguments, [&](float& v, int row, int column) { d[row][column] = v; });
  multiply(a, b, d);
  for_each_accumulator(arguments, [&](float& v, int row, int column) { v = d[row][column]; });
}

void run_mma_tf32(void* const* arguments, uint32_t) {
  float a[16][8], b[8][8], d[16][8];
  for (int lane = 0; lane < kWarpSize; ++lane) {
    const auto* m = static_cast<const MmaArguments*>(arguments[lane]);
    const int g = lane / 4, t = lane % 4;
    for (int i = 0; i < 4; ++i) a[g + i % 2 * 8][t + i / 2 * 4] = from_tf32(m->a[i]);
    for (int i = 0; i < 2; ++i) b[t + i * 4][g] = from_tf32(m->b[i]);
  }
  for_each_accumulator(arguments, [&](float& v, int row, int column) { d[row][column] = v; });
  multiply(a, b, d);
  for_each_accumulator(arguments, [&](float& v, int row, int column) { v = d[row][column]; });
}

constexpr Collective kMmaBf16{"mma.bf16", true, run_mma_16bit<from_bf16>};
constexpr Collective kMmaF16{"mma.f16", true, run_mma_16bit<from_f16>};
constexpr Collective kMmaTf32{"mma.tf32", true, run_mma_tf32};

constexpr uint32_t kAllLanes = 0xffffffffu;

}  // namespace
}  // namespace ebb::simt::engine

namespace ebb::simt::emulator {

void ldmatrix(uint32_t* r, const void* row, bool transposed, Site site) {
  engine::MatrixRows rows{r, row};
  engine::run_warp(transposed ? engine::kLdmatrixTrans : engine::kLdmatrix, engine::kAllLanes,
                   &rows, site);
}

void stmatrix(const uint32_t* r, void* row, bool transposed, Site site) {
  engine::MatrixRows rows{const_cast<uint32_t*>(r), row};
  engine::run_warp(transposed ? engine::kStmatrixTrans : engine::kStmatrix, engine::kAllLanes,
                   &rows, site);
}

void mma(Format format, float* d, const uint32_t* a, const uint32_t* b, Site site) {
  engine::MmaArguments arguments{d, a, b};
  const engine::Collective& collective = format == Format::kBf16  ? engine::kMmaBf16
                                         : format == Format::kF16 ? engine::kMmaF16
                                                                  : engine::kMmaTf32;
  engine::run_warp(collective, engine::kAllLanes, &arguments, site);
}

}  // namespace ebb::simt::emulator
