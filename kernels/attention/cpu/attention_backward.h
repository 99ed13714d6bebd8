#pragma once

#include <cstdint>

namespace ebb::cpu {

// One image's head of attention's backward pass. Rows are given by pointers, d numbers each.
struct HeadGradient {
  int64_t d, queries, keys;
  float scale;
  const float* const* q;    // [queries]
  const float* const* k;    // [keys]
  const float* const* v;    // [keys]
  const float* const* o;    // [queries]
  const float* const* d_o;  // [queries]
  const float* bias;        // [queries][keys] or null
  const float* lse;         // [queries]
  float* const* dq;         // [queries], overwritten, as the others
  float* const* dk;         // [keys]
  float* const* dv;         // [keys]
};
void head_gradient(const HeadGradient& head);

}  // namespace ebb::cpu
