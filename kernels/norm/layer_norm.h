#pragma once

#include <cstdint>

#include "base/dtype.h"
#include "base/kernel_stream.h"

namespace ebb {

// LayerNorm over the last dimension (Ba, Kiros & Hinton 2016; PyTorch's nn.LayerNorm, with
// elementwise_affine=False or bias=False where gamma or beta is null):
//   y[r, c] = xh * gamma[c] + beta[c],  xh = (x[r, c] - mean[r]) * rstd[r],
//   rstd = 1 / sqrt(var + eps), var biased, over the C numbers of a row
// Statistics are centered (two passes) and summed in double, so a large common offset costs no
// accuracy. y may be x.
struct LayerNormForwardArgs {
  int64_t rows, c;
  DType dtype;
  float eps;
  const void* x;       // [rows, C]
  const float* gamma;  // [C] or null for 1
  const float* beta;   // [C] or null for 0
  void* y;             // [rows, C]
  float* mean;         // [rows] for the backward pass, or null
  float* rstd;         // [rows] for the backward pass, or null
};

// With g = dy * gamma, means over c:
//   dx = rstd * (g - mean of g - xh * mean of g * xh),
//   dgamma = sum over rows of dy * xh, dbeta = sum over rows of dy.
// Sums are in double, in an order that the shape decides. dx may be dy.
struct LayerNormBackwardArgs {
  int64_t rows, c;
  DType dtype;
  const void* x;       // [rows, C], the forward input
  const float* gamma;  // [C] or null for 1
  const float* mean;   // [rows]
  const float* rstd;   // [rows]
  const void* dy;      // [rows, C]
  void* dx;            // [rows, C]
  float* dgamma;       // [C], overwritten, or null
  float* dbeta;        // [C], overwritten, or null
  void* workspace;     // layer_norm_workspace_bytes(rows, c)
};

// Scratch of the backward pass: dbeta and dgamma of every chunk of rows
// (kernels/norm/row_chunks.h), [chunks, 2, C] in double.
using LayerNormWorkspaceBytesFn = int64_t(int64_t rows, int64_t c);

}  // namespace ebb
