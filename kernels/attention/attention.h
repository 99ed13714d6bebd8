#pragma once

#include <cstdint>

#include "base/dtype.h"

namespace ebb {

// Attention over the concatenation [extra keys, own keys] (DeepFloyd IF puts the text first; with
// extra = 0 it is plain attention). Per image b and head h, with k_j and v_j the j-th of all keys:
//   s_ij = scale * <q_i, k_j> + bias[h, i, j],  o_i = sum_j softmax_j(s_ij) v_j
// Sums run in f32 with a running maximum, key tile after key tile (Dao et al. 2022): no scores are
// stored, no result depends on the batch. Tensor cores round softmax_j to the type of v. bias may
// hold -infinity (a mask), but every query must see a key.
struct AttentionSize {
  static constexpr int64_t kMaxHeadDim = 512;
  int64_t b, heads, d;           // images, heads, numbers per head
  int64_t queries, keys, extra;  // tokens; keys + extra >= 1
  // Elements from token to token; a head's numbers are adjacent and heads follow one another.
  int64_t q_pitch, kv_pitch, extra_pitch, o_pitch;

  constexpr int64_t all_keys() const { return extra + keys; }
};

struct AttentionForwardArgs {
  AttentionSize size;
  DType dtype;
  float scale;          // 1 / sqrt(d) as a rule
  const void* q;        // [B, queries, heads, D], pitch q_pitch
  const void* k;        // [B, keys, heads, D], pitch kv_pitch
  const void* v;        // [B, keys, heads, D], pitch kv_pitch
  const void* extra_k;  // [B, extra, heads, D], pitch extra_pitch, or null
  const void* extra_v;  // [B, extra, heads, D], pitch extra_pitch, or null
  const float* bias;    // [heads, queries, extra + keys] or null
  void* o;              // [B, queries, heads, D], pitch o_pitch
  float* lse;           // [B, heads, queries], log sum exp s, for the backward pass, or null
};

// With p = exp(s - lse), delta_i = <do_i, o_i>, ds_ij = p_ij (<do_i, v_j> - delta_i):
//   dv_j = sum_i p_ij do_i,  dq_i = scale sum_j ds_ij k_j,  dk_j = scale sum_i ds_ij q_i
// Gradients lie as their operands do; all are overwritten.
struct AttentionBackwardArgs {
  AttentionSize size;
  DType dtype;
  float scale;
  const void* q;
  const void* k;
  const void* v;
  const void* extra_k;
  const void* extra_v;
  const float* bias;
  const void* o;     // pitch o_pitch
  const float* lse;  // [B, heads, queries]
  const void* d_o;   // pitch o_pitch
  void* dq;          // pitch q_pitch
  void* dk;          // pitch kv_pitch
  void* dv;          // pitch kv_pitch
  void* dextra_k;    // pitch extra_pitch, or null when extra is 0
  void* dextra_v;    // pitch extra_pitch, or null when extra is 0
  void* workspace;   // attention_workspace_bytes(size)
};

// Scratch of the backward pass: delta.
constexpr int64_t attention_workspace_bytes(const AttentionSize& s) {
  return s.b * s.heads * s.queries * static_cast<int64_t>(sizeof(float));
}

}  // namespace ebb
