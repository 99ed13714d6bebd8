#pragma once

#include <cstdint>

#include "base/dtype.h"
#include "kernels/norm/row_moments.h"
#include "kernels/pointwise/activation.h"

namespace ebb {

// BatchNorm2d (Ioffe & Szegedy 2015) on NHWC rows, with the following activation fused in:
//   y[r, c] = act(gamma[c] * (x[r, c] - mean[c]) * rstd[c] + beta[c]),  rstd = 1/sqrt(var + eps)
// rows = N*H*W. Statistics are f32, centered (shifted per chunk, merged by Chan's formula), never
// E[x^2] - E[x]^2.

// Batch statistics; biased variance normalizes, the unbiased one goes into running_var:
//   running = (1 - momentum) * running + momentum * batch.   y may be x.
// A single row has no unbiased variance (PyTorch refuses it): running_var then takes the biased 0.
struct BatchNormTrainArgs {
  int64_t rows, c;
  DType dtype;
  Activation activation;
  float eps, momentum;
  const void* x;        // [rows, C]
  const float* gamma;   // [C]
  const float* beta;    // [C]
  float* running_mean;  // [C], updated
  float* running_var;   // [C], updated
  void* y;              // [rows, C]
  float* mean;          // [C], for the backward pass
  float* rstd;          // [C], for the backward pass
  void* workspace;
  // Moments from the producer of x (ConvForwardArgs::moments); null: the statistics are read from
  // x. Chunks may have any division, but always in the same order.
  const RowMoments* moments = nullptr;  // [moment_chunks, C]
  int64_t moment_chunks = 0;
};

// Running statistics. y may be x.
struct BatchNormInferArgs {
  int64_t rows, c;
  DType dtype;
  Activation activation;
  float eps;
  const void* x;              // [rows, C]
  const float* gamma;         // [C]
  const float* beta;          // [C]
  const float* running_mean;  // [C]
  const float* running_var;   // [C]
  void* y;                    // [rows, C]
};

// Gradients of the training form, recomputing the normalized value and act' from x:
//   dz = dy * act'(z); dbeta = sum dz; dgamma = sum dz * xh;
//   dx = gamma * rstd * (dz - dbeta/rows - xh * dgamma/rows).   dx may be dy.
struct BatchNormBackwardArgs {
  int64_t rows, c;
  DType dtype;
  Activation activation;
  const void* x;       // [rows, C], the forward input
  const float* gamma;  // [C]
  const float* beta;   // [C]
  const float* mean;   // [C]
  const float* rstd;   // [C]
  const void* dy;      // [rows, C]
  void* dx;            // [rows, C]
  float* dgamma;       // [C], overwritten
  float* dbeta;        // [C], overwritten
  void* workspace;
};

// Scratch for the training and the backward form.
using BatchNormWorkspaceBytesFn = int64_t(int64_t rows, int64_t c);

}  // namespace ebb
