#include "kernels/attention/cpu/attention_forward.h"

#include <hwy/aligned_allocator.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/cpu/parallel.h"
#include "kernels/pointwise/activation.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/attention/cpu/attention_forward.cc"
#include <hwy/foreach_target.h>
// After foreach_target.h:
#include <hwy/highway.h>

#include "kernels/conv/cpu/conv_tile-inl.h"
#include "kernels/pointwise/cpu/activation-inl.h"

HWY_BEFORE_NAMESPACE();
namespace ebb::HWY_NAMESPACE {
namespace {

constexpr int64_t kWidth = int64_t{kTileVectors} * kLanes;
constexpr float kNegativeInfinity = -std::numeric_limits<float>::infinity();

// Keys of one step: with 64 channels their keys and values are 64 KiB.
constexpr int64_t kKeyTile = 128;
static_assert(kKeyTile % kWidth == 0);

int64_t RoundUp(int64_t count) { return cpu::ceil_div(count, kWidth) * kWidth; }

// kTileRows queries: running maximum and sum of each, and the weighted sum of values so far.
struct Strip {
  const float* row[kTileRows];
  float most[kTileRows];
  float sum[kTileRows];
  float* o;  // [d / kWidth][kTileRows][kWidth]
};

// s[kTileRows][kKeyTile] = scale * q k + bias; -infinity beyond the last of `count` keys.
void Scores(const cpu::PackedHead& head, const cpu::QueryBlock& block, const Strip& strip,
            int64_t first_query, int64_t first, int64_t count, float* s) {
  for (int64_t j = 0; j < count; j += kWidth) {
    Vector sum[kTileRows][kTileVectors];
    ZeroTile(sum);
    TileProduct(strip.row, head.k + (first + j) * head.d, head.d, sum);
    StoreTile(sum, s + j, kKeyTile);
  }
  for (int i = 0; i < kTileRows; ++i, s += kKeyTile) {
    for (int64_t j = 0; j < RoundUp(count); j += kLanes) {
      hn::Store(hn::Mul(hn::Load(kF32, s + j), hn::Set(kF32, block.scale)), kF32, s + j);
    }
    const int64_t query = std::min(first_query + i, block.count - 1);
    if (block.bias != nullptr) {
      const float* bias = block.bias + query * head.count + first;
      for (int64_t j = 0; j < count; ++j) s[j] += bias[j];
    }
    std::fill(s + count, s + RoundUp(count), kNegativeInfinity);
  }
}

// s[0 .. count) = e^(s - most), 0 where s is -infinity. Returns the sum; count: a multiple of
// kWidth.
float Exponentials(float most, int64_t count, float* s) {
  const Vector low = hn::Set(kF32, kNegativeInfinity);
  Vector sum = hn::Zero(kF32);
  for (int64_t j = 0; j < count; j += kLanes) {
    const Vector score = hn::Load(kF32, s + j);
    const Vector e = ExpNonPositive(kF32, hn::Sub(score, hn::Set(kF32, most)));
    const Vector p = hn::IfThenZeroElse(hn::Eq(score, low), e);
    hn::Store(p, kF32, s + j);
    sum = hn::Add(sum, p);
  }
  return hn::GetLane(hn::SumOfLanes(kF32, sum));
}

void ScaleRow(const cpu::PackedHead& head, int i, float factor, Strip& strip) {
  for (int64_t c = 0; c < RoundUp(head.d); c += kWidth) {
    float* o = strip.o + c * kTileRows + i * kWidth;
    for (int64_t j = 0; j < kWidth; j += kLanes) {
      hn::Store(hn::Mul(hn::Load(kF32, o + j), hn::Set(kF32, factor)), kF32, o + j);
    }
  }
}

// Scores become weights relative to the largest score so far, and the sums are made relative to it,
// too (Milakov & Gimelshein 2018).
void Weights(const cpu::PackedHead& head, int64_t count, float* s, Strip& strip) {
  for (int i = 0; i < kTileRows; ++i, s += kKeyTile) {
    Vector most = hn::Load(kF32, s);
    for (int64_t j = kLanes; j < count; j += kLanes) most = hn::Max(most, hn::Load(kF32, s + j));
    const float before = strip.most[i];
    const float now = std::max(before, hn::GetLane(hn::MaxOfLanes(kF32, most)));
    if (now > before) {
      if (before != kNegativeInfinity) {  // else both sums are 0
        const float factor = std::exp(before - now);
        strip.sum[i] *= factor;
        ScaleRow(head, i, factor, strip);
      }
      strip.most[i] = now;
    }
    // Nothing is subtracted where all keys so far are masked: -infinity stays what it is.
    strip.sum[i] += Exponentials(now == kNegativeInfinity ? 0 : now, count, s);
  }
}

// o += p v
void AddValues(const cpu::PackedHead& head, int64_t first, int64_t count, const float* p,
               Strip& strip) {
  const float* row[kTileRows];
  for (int i = 0; i < kTileRows; ++i) row[i] = p + i * kKeyTile;
  for (int64_t c = 0; c < RoundUp(head.d); c += kWidth) {
    float* o = strip.o + c * kTileRows;
    Vector sum[kTileRows][kTileVectors];
    LoadTile(o, sum);
    TileProduct(row, head.v + c * RoundUp(head.count) + first * kWidth, count, sum);
    StoreTile(sum, o, kWidth);
  }
}

void Finish(const cpu::PackedHead& head, const cpu::QueryBlock& block, int64_t first_query,
            const Strip& strip) {
  for (int i = 0; i < kTileRows && first_query + i < block.count; ++i) {
    const float inverse = 1 / strip.sum[i];
    float* to = block.o + (first_query + i) * block.o_pitch;
    for (int64_t c = 0; c < head.d; ++c) {
      to[c] = strip.o[c / kWidth * kWidth * kTileRows + i * kWidth + c % kWidth] * inverse;
    }
    if (block.lse != nullptr) block.lse[first_query + i] = strip.most[i] + std::log(strip.sum[i]);
  }
}

}  // namespace

void Attend(const cpu::PackedHead& head, const cpu::QueryBlock& block) {
  constexpr int64_t kStrips = (cpu::kQueryBlock + kTileRows - 1) / kTileRows;
  const int64_t strips = cpu::ceil_div(block.count, int64_t{kTileRows});
  const int64_t o_size = kTileRows * RoundUp(head.d);
  const auto o = hwy::AllocateAligned<float>(static_cast<size_t>(strips * o_size));
  std::fill(o.get(), o.get() + strips * o_size, 0.0f);
  Strip strip[kStrips];
  for (int64_t s = 0; s < strips; ++s) {
    for (int i = 0; i < kTileRows; ++i) {
      strip[s].row[i] = block.q + std::min(s * kTileRows + i, block.count - 1) * block.q_pitch;
      strip[s].most[i] = kNegativeInfinity;
      strip[s].sum[i] = 0;
    }
    strip[s].o = o.get() + s * o_size;
  }
  HWY_ALIGN float scores[kTileRows * kKeyTile];
  for (int64_t first = 0; first < head.count; first += kKeyTile) {
    const int64_t count = std::min(kKeyTile, head.count - first);
    for (int64_t s = 0; s < strips; ++s) {
      Scores(head, block, strip[s], s * kTileRows, first, count, scores);
      Weights(head, RoundUp(count), scores, strip[s]);
      AddValues(head, first, count, scores, strip[s]);
    }
  }
  for (int64_t s = 0; s < strips; ++s) Finish(head, block, s * kTileRows, strip[s]);
}

void PackKeys(const cpu::PackedHead& head, int64_t first, int64_t count,
              const float* const* key_rows, const float* const* value_rows) {
  float* k = head.k + first * head.d;
  for (int64_t c = 0; c < head.d; ++c, k += kWidth) {
    for (int64_t j = 0; j < count; ++j) k[j] = key_rows[j][c];
    std::fill(k + count, k + kWidth, 0.0f);
  }
  for (int64_t c = 0; c < head.d; c += kWidth) {
    float* v = head.v + c * RoundUp(head.count) + first * kWidth;
    const int64_t channels = std::min(kWidth, head.d - c);
    for (int64_t j = 0; j < count; ++j, v += kWidth) {
      std::copy(value_rows[j] + c, value_rows[j] + c + channels, v);
      std::fill(v + channels, v + kWidth, 0.0f);
    }
  }
}

int64_t PackWidth() { return kWidth; }

}  // namespace ebb::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ebb {

HWY_EXPORT(Attend);
HWY_EXPORT(PackKeys);
HWY_EXPORT(PackWidth);

namespace cpu {

int64_t pack_width() { return HWY_DYNAMIC_DISPATCH(PackWidth)(); }

AttentionShape packed_attention_shape(int64_t d, int64_t keys) {
  const int64_t width = pack_width();
  return {ceil_div(keys, width) * width, ceil_div(d, width) * width};
}

void pack_keys(const PackedHead& head, int64_t first, int64_t count, const float* const* key_rows,
               const float* const* value_rows) {
  HWY_DYNAMIC_DISPATCH(PackKeys)(head, first, count, key_rows, value_rows);
}

void attend(const PackedHead& head, const QueryBlock& block) {
  HWY_DYNAMIC_DISPATCH(Attend)(head, block);
}

}  // namespace cpu
}  // namespace ebb
#endif
