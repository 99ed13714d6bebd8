#include "kernels/attention/cpu/attention_backward.h"

#include <hwy/aligned_allocator.h>

#include <algorithm>
#include <limits>

#include "kernels/cpu/parallel.h"
#include "kernels/pointwise/activation.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/attention/cpu/attention_backward.cc"
#include <hwy/foreach_target.h>
// After foreach_target.h:
#include <hwy/highway.h>

#include "kernels/conv/cpu/conv_tile-inl.h"
#include "kernels/pointwise/cpu/activation-inl.h"

HWY_BEFORE_NAMESPACE();
namespace ebb::HWY_NAMESPACE {
namespace {

using cpu::HeadGradient;

constexpr int64_t kWidth = int64_t{kTileVectors} * kLanes;
// Queries at a time: with 512 keys their weights, gradients and the transposes of both are 384 KiB.
constexpr int64_t kBlock = 48;
static_assert(kBlock % kTileRows == 0);

int64_t RoundUp(int64_t count, int64_t to) { return cpu::ceil_div(count, to) * to; }

using Buffer = hwy::AlignedFreeUniquePtr<float[]>;

Buffer Zeros(int64_t count) {
  Buffer buffer = hwy::AllocateAligned<float>(static_cast<size_t>(count));
  std::fill(buffer.get(), buffer.get() + count, 0.0f);
  return buffer;
}

// Rows [first, first + count) as the columns of a product's right side: [count / W][d][W].
void PackColumns(const float* const* rows, int64_t count, int64_t d, float* to) {
  for (int64_t j = 0; j < count; ++j) {
    float* column = to + j / kWidth * d * kWidth + j % kWidth;
    for (int64_t c = 0; c < d; ++c) column[c * kWidth] = rows[j][c];
  }
}

// The same rows as the rows of a right side: [d / W][depth][W].
void PackRows(const float* const* rows, int64_t count, int64_t d, int64_t depth, float* to) {
  for (int64_t c = 0; c < d; ++c) {
    float* channel = to + c / kWidth * depth * kWidth + c % kWidth;
    for (int64_t j = 0; j < count; ++j) channel[j * kWidth] = rows[j][c];
  }
}

// c[rows][c_pitch] += a b; rows: a multiple of kTileRows; columns and c_pitch: of kWidth.
void AddProduct(const float* const* a, int64_t rows, const float* b, int64_t depth, int64_t columns,
                float* c, int64_t c_pitch) {
  for (int64_t i = 0; i < rows; i += kTileRows) {
    const float* row[kTileRows];
    for (int k = 0; k < kTileRows; ++k) row[k] = a[i + k];
    for (int64_t j = 0; j < columns; j += kWidth) {
      float* to = c + i * c_pitch + j;
      Vector sum[kTileRows][kTileVectors];
      EBB_UNROLL for (int k = 0; k < kTileRows; ++k) {
        EBB_UNROLL for (int v = 0; v < kTileVectors; ++v) {
          sum[k][v] = hn::Load(kF32, to + k * c_pitch + v * kLanes);
        }
      }
      TileProduct(row, b + j * depth, depth, sum);
      StoreTile(sum, to, c_pitch);
    }
  }
}

// Row pointers, the last one again up to a multiple of kTileRows.
struct RowList {
  const float* row[kBlock];

  RowList(const float* const* rows, int64_t count) {
    for (int64_t i = 0; i < kBlock; ++i) row[i] = rows[std::min(i, count - 1)];
  }
};

// The products of one head; each buffer lives as long as they do.
class Head {
 public:
  explicit Head(const HeadGradient& head)
      : head_(head),
        keys_(RoundUp(head.keys, kWidth)),
        key_rows_(RoundUp(head.keys, kTileRows)),
        channels_(RoundUp(head.d, kWidth)),
        k_columns_(Zeros(keys_ * head.d)),
        v_columns_(Zeros(keys_ * head.d)),
        k_rows_(Zeros(channels_ * head.keys)),
        dk_(Zeros(key_rows_ * channels_)),
        dv_(Zeros(key_rows_ * channels_)),
        p_(Zeros(kBlock * keys_)),
        ds_(Zeros(kBlock * keys_)),
        transposed_(Zeros(key_rows_ * kBlock)),
        queries_(Zeros(channels_ * kBlock)),
        dq_(Zeros(kBlock * channels_)) {
    PackColumns(head.k, head.keys, head.d, k_columns_.get());
    PackColumns(head.v, head.keys, head.d, v_columns_.get());
    PackRows(head.k, head.keys, head.d, head.keys, k_rows_.get());
  }

  void Block(int64_t first) {
    const int64_t count = std::min(kBlock, head_.queries - first);
    const int64_t rows = RoundUp(count, kTileRows);
    std::fill(p_.get(), p_.get() + rows * keys_, 0.0f);
    std::fill(ds_.get(), ds_.get() + rows * keys_, 0.0f);
    const RowList q(head_.q + first, count), d_o(head_.d_o + first, count);
    AddProduct(q.row, rows, k_columns_.get(), head_.d, keys_, p_.get(), keys_);
    AddProduct(d_o.row, rows, v_columns_.get(), head_.d, keys_, ds_.get(), keys_);
    for (int64_t i = 0; i < count; ++i) Weights(first + i, i);
    QueryGradients(first, count, rows);
    KeyGradients(head_.d_o + first, count, p_.get(), dv_.get());
    KeyGradients(head_.q + first, count, ds_.get(), dk_.get());
  }

  void Finish() const {
    for (int64_t j = 0; j < head_.keys; ++j) {
      std::copy_n(dk_.get() + j * channels_, head_.d, head_.dk[j]);
      std::copy_n(dv_.get() + j * channels_, head_.d, head_.dv[j]);
    }
  }

 private:
  // Products become weights and gradients of the scores, with their factor.
  void Weights(int64_t query, int64_t i) {
    float *const p = p_.get() + i * keys_, *const ds = ds_.get() + i * keys_;
    float delta = 0;
    for (int64_t c = 0; c < head_.d; ++c) delta += head_.d_o[query][c] * head_.o[query][c];
    for (int64_t j = 0; j < keys_; j += kLanes) {
      hn::Store(hn::Mul(hn::Load(kF32, p + j), hn::Set(kF32, head_.scale)), kF32, p + j);
    }
    if (head_.bias != nullptr) {
      const float* bias = head_.bias + query * head_.keys;
      for (int64_t j = 0; j < head_.keys; ++j) p[j] += bias[j];
    }
    constexpr float kNegativeInfinity = -std::numeric_limits<float>::infinity();
    std::fill(p + head_.keys, p + keys_, kNegativeInfinity);
    const Vector masked = hn::Set(kF32, kNegativeInfinity), lse = hn::Set(kF32, head_.lse[query]);
    for (int64_t j = 0; j < keys_; j += kLanes) {
      const Vector score = hn::Load(kF32, p + j);
      const Vector e = ExpNonPositive(kF32, hn::Sub(score, lse));
      const Vector weight = hn::IfThenZeroElse(hn::Eq(score, masked), e);
      const Vector change = hn::Sub(hn::Load(kF32, ds + j), hn::Set(kF32, delta));
      const Vector factor = hn::Mul(hn::Set(kF32, head_.scale), weight);
      hn::Store(weight, kF32, p + j);
      hn::Store(hn::Mul(factor, change), kF32, ds + j);
    }
  }

  void QueryGradients(int64_t first, int64_t count, int64_t rows) {
    const float* row[kBlock];
    for (int64_t i = 0; i < rows; ++i) row[i] = ds_.get() + std::min(i, count - 1) * keys_;
    std::fill(dq_.get(), dq_.get() + rows * channels_, 0.0f);
    AddProduct(row, rows, k_rows_.get(), head_.keys, channels_, dq_.get(), channels_);
    for (int64_t i = 0; i < count; ++i) {
      std::copy_n(dq_.get() + i * channels_, head_.d, head_.dq[first + i]);
    }
  }

  // to[keys][channels] += the transpose of weights[count][keys] times the rows.
  void KeyGradients(const float* const* rows, int64_t count, const float* weights, float* to) {
    PackRows(rows, count, head_.d, count, queries_.get());
    for (int64_t j = 0; j < head_.keys; ++j) {
      for (int64_t i = 0; i < count; ++i) {
        transposed_.get()[j * kBlock + i] = weights[i * keys_ + j];
      }
    }
    for (int64_t j = 0; j < key_rows_; j += kTileRows) {
      const float* row[kTileRows];
      for (int k = 0; k < kTileRows; ++k) row[k] = transposed_.get() + (j + k) * kBlock;
      AddProduct(row, kTileRows, queries_.get(), count, channels_, to + j * channels_, channels_);
    }
  }

  const HeadGradient& head_;
  int64_t keys_, key_rows_, channels_;  // rounded up
  Buffer k_columns_, v_columns_, k_rows_, dk_, dv_, p_, ds_, transposed_, queries_, dq_;
};

}  // namespace

void Gradient(const HeadGradient& head) {
  Head products(head);
  for (int64_t first = 0; first < head.queries; first += kBlock) products.Block(first);
  products.Finish();
}

}  // namespace ebb::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ebb {

HWY_EXPORT(Gradient);

namespace cpu {

void head_gradient(const HeadGradient& head) { HWY_DYNAMIC_DISPATCH(Gradient)(head); }

}  // namespace cpu
}  // namespace ebb
#endif
