#include "kernels/attention/attention.h"

#include <hwy/aligned_allocator.h>

#include <algorithm>
#include <vector>

#include "base/kernel_stream.h"
#include "kernels/attention/cpu/attention_backward.h"
#include "kernels/attention/cpu/attention_forward.h"
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

template <typename AnyRows>
std::vector<float*> pointers(const AnyRows& rows, int64_t count) {
  std::vector<float*> result;
  for (int64_t i = 0; i < count; ++i) result.push_back(rows[i]);
  return result;
}

}  // namespace

// Packs the keys and values of all images and heads first, so that the queries of one head can be
// divided among threads, too.
void attention_forward(const AttentionForwardArgs& args, KernelStream stream) {
  const AttentionSize& s = args.size;
  require_sizes(s, args.dtype);
  const int64_t width = pack_width(), count = s.all_keys();
  const AttentionShape padded = packed_attention_shape(s.d, count);
  const int64_t k_size = padded.padded_keys * s.d;
  const int64_t size = k_size + padded.padded_keys * padded.padded_channels;
  const auto packed = hwy::AllocateAligned<float>(static_cast<size_t>(s.b * s.heads * size));
  const auto head_of = [&](int64_t bh) {
    float* const k = packed.get() + bh * size;
    return PackedHead{s.d, count, k, k + k_size};
  };
  const int64_t tiles = ceil_div(count, width), blocks = ceil_div(s.queries, kQueryBlock);
  parallel_for(stream.threads, s.b * s.heads * tiles, [&](int64_t task) {
    const int64_t bh = task / tiles, b = bh / s.heads, h = bh % s.heads;
    const int64_t first = task % tiles * width, keys = std::min(width, count - first);
    const KeyRows k = key_rows(s, b, h, args.extra_k, args.k);
    const KeyRows v = key_rows(s, b, h, args.extra_v, args.v);
    std::vector<const float*> k_rows(static_cast<size_t>(keys)), v_rows(k_rows);
    for (int64_t j = 0; j < keys; ++j) k_rows[j] = k[first + j], v_rows[j] = v[first + j];
    pack_keys(head_of(bh), first, keys, k_rows.data(), v_rows.data());
  });
  parallel_for(stream.threads, s.b * s.heads * blocks, [&](int64_t task) {
    const int64_t bh = task / blocks, b = bh / s.heads, h = bh % s.heads;
    const int64_t first = task % blocks * kQueryBlock;
    const Rows q(args.q, b, h, s.d, s.queries, s.q_pitch);
    const Rows o(args.o, b, h, s.d, s.queries, s.o_pitch);
    attend(head_of(bh),
           {.count = std::min(kQueryBlock, s.queries - first),
            .q = q[first],
            .q_pitch = q.pitch,
            .bias = args.bias == nullptr ? nullptr : args.bias + (h * s.queries + first) * count,
            .scale = args.scale,
            .o = o[first],
            .o_pitch = o.pitch,
            .lse = args.lse == nullptr ? nullptr : args.lse + bh * s.queries + first});
  });
}

// One image and head per task: its gradients of keys and values are sums over all queries.
void attention_backward(const AttentionBackwardArgs& args, KernelStream stream) {
  const AttentionSize& s = args.size;
  require_sizes(s, args.dtype);
  parallel_for(stream.threads, s.b * s.heads, [&](int64_t task) {
    const int64_t h = task % s.heads, b = task / s.heads;
    const auto queries = [&](const void* base, int64_t pitch) {
      return pointers(Rows(base, b, h, s.d, s.queries, pitch), s.queries);
    };
    const auto keys = [&](const void* extra, const void* own) {
      return pointers(key_rows(s, b, h, extra, own), s.all_keys());
    };
    const std::vector<float*> q = queries(args.q, s.q_pitch), dq = queries(args.dq, s.q_pitch);
    const std::vector<float*> o = queries(args.o, s.o_pitch), d_o = queries(args.d_o, s.o_pitch);
    const std::vector<float*> k = keys(args.extra_k, args.k), v = keys(args.extra_v, args.v);
    const std::vector<float*> dk = keys(args.dextra_k, args.dk), dv = keys(args.dextra_v, args.dv);
    const int64_t bias_size = s.queries * s.all_keys();
    head_gradient({.d = s.d,
                   .queries = s.queries,
                   .keys = s.all_keys(),
                   .scale = args.scale,
                   .q = q.data(),
                   .k = k.data(),
                   .v = v.data(),
                   .o = o.data(),
                   .d_o = d_o.data(),
                   .bias = args.bias == nullptr ? nullptr : args.bias + h * bias_size,
                   .lse = args.lse + task * s.queries,
                   .dq = dq.data(),
                   .dk = dk.data(),
                   .dv = dv.data()});
  });
}

}  // namespace ebb::cpu
