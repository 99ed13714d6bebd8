#include "kernels/loss/softmax_cross_entropy.h"

#include <algorithm>
#include <cmath>

#include "base/kernel_stream.h"
#include "kernels/cpu/f32.h"
#include "kernels/cpu/parallel.h"

namespace ebb::cpu {
namespace {

// Rows of one task: a row is a handful of exponentials.
constexpr int64_t kRowChunk = 64;

template <typename Body>
void for_each_row(int threads, int64_t rows, const Body& body) {
  parallel_for(threads, ceil_div(rows, kRowChunk), [&](int64_t chunk) {
    const int64_t end = std::min((chunk + 1) * kRowChunk, rows);
    for (int64_t row = chunk * kRowChunk; row < end; ++row) body(row);
  });
}

// log of the sum of exp(z[k]). The largest logit is subtracted first, so nothing overflows; a NaN
// among the others makes the sum NaN.
double log_sum_exp(const float* z, int64_t classes) {
  const double largest = *std::max_element(z, z + classes);
  double sum = 0;
  for (int64_t k = 0; k < classes; ++k) sum += std::exp(z[k] - largest);
  return largest + std::log(sum);
}

}  // namespace

int64_t softmax_cross_entropy_workspace_bytes(int64_t rows) {
  return rows * static_cast<int64_t>(sizeof(double));
}

void softmax_cross_entropy_forward(const SoftmaxCrossEntropyArgs& args, KernelStream stream) {
  require_f32("softmax_cross_entropy", args.dtype);
  double* loss = static_cast<double*>(args.workspace);  // [rows]
  for_each_row(stream.threads, args.rows, [&](int64_t row) {
    const float* z = as_f32(args.logits) + row * args.classes;
    const float* p = as_f32(args.target) + row * args.classes;
    const double lse = log_sum_exp(z, args.classes);
    loss[row] = 0;
    for (int64_t k = 0; k < args.classes; ++k) loss[row] += p[k] * (lse - z[k]);
  });
  double sum = 0;
  for (int64_t row = 0; row < args.rows; ++row) sum += loss[row];
  *args.loss = static_cast<float>(sum / static_cast<double>(args.rows));
}

void softmax_cross_entropy_backward(const SoftmaxCrossEntropyBackwardArgs& args,
                                    KernelStream stream) {
  require_f32("softmax_cross_entropy", args.dtype);
  const double scale = static_cast<double>(*args.dloss) / static_cast<double>(args.rows);
  for_each_row(stream.threads, args.rows, [&](int64_t row) {
    const float* z = as_f32(args.logits) + row * args.classes;
    const float* p = as_f32(args.target) + row * args.classes;
    float* dz = as_f32(args.dlogits) + row * args.classes;
    const double lse = log_sum_exp(z, args.classes);
    double total = 0;
    for (int64_t k = 0; k < args.classes; ++k) total += p[k];
    for (int64_t k = 0; k < args.classes; ++k) {
      dz[k] = static_cast<float>(scale * (std::exp(z[k] - lse) * total - p[k]));
    }
  });
}

}  // namespace ebb::cpu
