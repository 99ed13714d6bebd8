#include "kernels/attention/attention.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "base/kernel_stream.h"
#include "kernels/cpu/f32.h"
#include "kernels/cpu/parallel.h"

namespace ebb::cpu {

namespace {

void require_sizes(const AttentionSize& s, DType dtype) {
  require_f32("attention", dtype);
  EBB_CHECK(s.d >= 1 && s.d <= AttentionSize::kMaxHeadDim && s.all_keys() >= 1, ShapeError,
            "cpu kernels: attention takes heads of 1..", AttentionSize::kMaxHeadDim,
            " numbers and at least one key, got ", s.d, " and ", s.all_keys(), " keys");
}

// Rows of one image and head: token t starts at data + t * pitch.
struct Rows {
  float* data;
  int64_t pitch;

  Rows(const void* base, int64_t b, int64_t h, int64_t d, int64_t tokens, int64_t pitch_in)
      : data(const_cast<float*>(as_f32(base)) + b * tokens * pitch_in + h * d), pitch(pitch_in) {}
  float* operator[](int64_t token) const { return data + token * pitch; }
};

// All keys (or values, or their gradients) of one image and head: the extra ones first.
struct KeyRows {
  Rows extra, own;
  int64_t extra_count;

  float* operator[](int64_t j) const { return j < extra_count ? extra[j] : own[j - extra_count]; }
};

KeyRows key_rows(const AttentionSize& s, int64_t b, int64_t h, const void* extra, const void* own) {
  return {Rows(extra, b, h, s.d, s.extra, s.extra_pitch), Rows(own, b, h, s.d, s.keys, s.kv_pitch),
          s.extra};
}

float dot(const float* a, const float* b, int64_t d) {
  float sum = 0;
  for (int64_t i = 0; i < d; ++i) sum += a[i] * b[i];
  return sum;
}

void add_scaled(float* to, float factor, const float* from, int64_t d) {
  for (int64_t i = 0; i < d; ++i) to[i] += factor * from[i];
}

// s_ij for all j.
template <typename Args>
void scores(const Args& args, int64_t h, int64_t i, const float* q, const KeyRows& k, float* s) {
  const AttentionSize& size = args.size;
  const int64_t count = size.all_keys();
  for (int64_t j = 0; j < count; ++j) s[j] = args.scale * dot(q, k[j], size.d);
  if (args.bias == nullptr) return;
  const float* bias = args.bias + (h * size.queries + i) * count;
  for (int64_t j = 0; j < count; ++j) s[j] += bias[j];
}

}  // namespace

void attention_forward(const AttentionForwardArgs& args, KernelStream stream) {
  const AttentionSize& s = args.size;
  require_sizes(s, args.dtype);
  parallel_for(stream.threads, s.b * s.heads * s.queries, [&](int64_t task) {
    const int64_t i = task % s.queries, h = task / s.queries % s.heads,
                  b = task / s.queries / s.heads;
    const float* q = Rows(args.q, b, h, s.d, s.queries, s.q_pitch)[i];
    float* o = Rows(args.o, b, h, s.d, s.queries, s.o_pitch)[i];
    const KeyRows k = key_rows(s, b, h, args.extra_k, args.k);
    const KeyRows v = key_rows(s, b, h, args.extra_v, args.v);
    std::vector<float> p(static_cast<size_t>(s.all_keys()));
    scores(args, h, i, q, k, p.data());
    const float most = *std::max_element(p.begin(), p.end());
    double sum = 0;
    for (float& value : p) sum += value = std::exp(value - most);
    std::fill(o, o + s.d, 0.0f);
    const float inverse = static_cast<float>(1 / sum);
    for (int64_t j = 0; j < s.all_keys(); ++j) add_scaled(o, p[j] * inverse, v[j], s.d);
    if (args.lse != nullptr) args.lse[task] = most + static_cast<float>(std::log(sum));
  });
}

// One image and head per task: its gradients of keys and values are sums over all queries.
void attention_backward(const AttentionBackwardArgs& args, KernelStream stream) {
  const AttentionSize& s = args.size;
  require_sizes(s, args.dtype);
  parallel_for(stream.threads, s.b * s.heads, [&](int64_t task) {
    const int64_t h = task % s.heads, b = task / s.heads;
    const Rows q(args.q, b, h, s.d, s.queries, s.q_pitch);
    const Rows dq(args.dq, b, h, s.d, s.queries, s.q_pitch);
    const Rows o(args.o, b, h, s.d, s.queries, s.o_pitch);
    const Rows d_o(args.d_o, b, h, s.d, s.queries, s.o_pitch);
    const KeyRows k = key_rows(s, b, h, args.extra_k, args.k);
    const KeyRows v = key_rows(s, b, h, args.extra_v, args.v);
    const KeyRows dk = key_rows(s, b, h, args.dextra_k, args.dk);
    const KeyRows dv = key_rows(s, b, h, args.dextra_v, args.dv);
    for (int64_t j = 0; j < s.all_keys(); ++j) {
      std::fill(dk[j], dk[j] + s.d, 0.0f);
      std::fill(dv[j], dv[j] + s.d, 0.0f);
    }
    std::vector<float> p(static_cast<size_t>(s.all_keys()));
    for (int64_t i = 0; i < s.queries; ++i) {
      scores(args, h, i, q[i], k, p.data());
      const float lse = args.lse[task * s.queries + i], delta = dot(d_o[i], o[i], s.d);
      std::fill(dq[i], dq[i] + s.d, 0.0f);
      for (int64_t j = 0; j < s.all_keys(); ++j) {
        const float weight = std::exp(p[j] - lse);
        const float ds = args.scale * weight * (dot(d_o[i], v[j], s.d) - delta);
        add_scaled(dv[j], weight, d_o[i], s.d);
        add_scaled(dq[i], ds, k[j], s.d);
        add_scaled(dk[j], ds, q[i], s.d);
      }
    }
  });
}

}  // namespace ebb::cpu
