// Bias, residual and activation of the convolution kernels. Include after hwy/foreach_target.h.

// Per-target include guard.
#if defined(EBB_KERNELS_CPU_CONV_EPILOGUE_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef EBB_KERNELS_CPU_CONV_EPILOGUE_INL_H_
#undef EBB_KERNELS_CPU_CONV_EPILOGUE_INL_H_
#else
#define EBB_KERNELS_CPU_CONV_EPILOGUE_INL_H_
#endif

#include <cstring>

#include "kernels/conv/cpu/conv_tile-inl.h"
#include "kernels/cpu/vector_math-inl.h"
#include "kernels/pointwise/activation.h"

HWY_BEFORE_NAMESPACE();
namespace ebb::HWY_NAMESPACE {

template <Activation kActivation>
HWY_INLINE Vector Activate(Vector v) {
  if constexpr (kActivation == Activation::kGelu) return Gelu(kF32, v);
  if constexpr (kActivation == Activation::kSilu) return Silu(kF32, v);
  if constexpr (kActivation == Activation::kGeluTanh) return GeluTanh(kF32, v);
  return v;
}

// out = act(v + residual) for one vector, residual may be null.
template <Activation kActivation>
HWY_INLINE void EpilogueVector(Vector v, const float* residual, float* out) {
  if (residual != nullptr) v = hn::Add(v, hn::LoadU(kF32, residual));
  hn::StoreU(Activate<kActivation>(v), kF32, out);
}

// out[c] = act(sum[c] + bias[c] + residual[c]) for the channels of one pixel. sum is
// vector-aligned; sum and bias are readable up to the next whole vector, residual (or null) and out
// are not.
template <Activation kActivation>
HWY_INLINE void EpiloguePixel(const float* sum, const float* bias, const float* residual,
                              int64_t channels, float* out) {
  int64_t c = 0;
  for (; c + kLanes <= channels; c += kLanes) {
    const Vector v = hn::Add(hn::Load(kF32, sum + c), hn::LoadU(kF32, bias + c));
    EpilogueVector<kActivation>(v, residual == nullptr ? nullptr : residual + c, out + c);
  }
  if (c == channels) return;
  // The rest of a vector goes through a buffer, so that it is rounded as elsewhere.
  const size_t tail_bytes = static_cast<size_t>(channels - c) * sizeof(float);
  HWY_ALIGN float tail[kLanes] = {};
  if (residual != nullptr) std::memcpy(tail, residual + c, tail_bytes);
  const Vector v = hn::Add(hn::Load(kF32, sum + c), hn::LoadU(kF32, bias + c));
  EpilogueVector<kActivation>(v, residual == nullptr ? nullptr : tail, tail);
  std::memcpy(out + c, tail, tail_bytes);
}

// Output addresses of a tile's rows.
template <int kRows>
struct OutputRows {
  float* out[kRows];
  const float* residual[kRows];  // null without a residual
};

template <Activation kActivation, int kRows>
HWY_NOINLINE void EpilogueRowsAs(const float* tile, int64_t pitch, int64_t rows, const float* bias,
                                 int64_t channels, const OutputRows<kRows>& to) {
  for (int64_t i = 0; i < rows; ++i) {
    EpiloguePixel<kActivation>(tile + i * pitch, bias, to.residual[i], channels, to.out[i]);
  }
}

// EpiloguePixel for the first `rows` rows of tile [kRows][pitch].
template <int kRows>
HWY_INLINE void EpilogueRows(Activation activation, const float* tile, int64_t pitch, int64_t rows,
                             const float* bias, int64_t channels, const OutputRows<kRows>& to) {
  switch (activation) {
    case Activation::kNone:
      return EpilogueRowsAs<Activation::kNone>(tile, pitch, rows, bias, channels, to);
    case Activation::kGelu:
      return EpilogueRowsAs<Activation::kGelu>(tile, pitch, rows, bias, channels, to);
    case Activation::kSilu:
      return EpilogueRowsAs<Activation::kSilu>(tile, pitch, rows, bias, channels, to);
    case Activation::kGeluTanh:
      return EpilogueRowsAs<Activation::kGeluTanh>(tile, pitch, rows, bias, channels, to);
    case Activation::kMish:
    case Activation::kRelu:
      break;  // not fusable
  }
}

}  // namespace ebb::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
