#include "kernels/cuda/elements.h"
#include "kernels/cuda/grid.h"
#include "kernels/cuda/reduce.h"
#include "kernels/cuda/sum.h"
#include "kernels/loss/softmax_cross_entropy.h"

namespace ebb::EBB_GPU_NAMESPACE {
namespace {

// log of the sum of exp(z[k]), in double, one row per thread: rows are short and many. A NaN among
// the logits makes it NaN.
template <class T>
SIMT_DEVICE double log_sum_exp(const T* z, int64_t classes) {
  float largest = to_float(z[0]);
  for (int64_t k = 1; k < classes; ++k) largest = fmaxf(largest, to_float(z[k]));
  double sum = 0;
  for (int64_t k = 0; k < classes; ++k) sum += exp(static_cast<double>(to_float(z[k])) - largest);
  return largest + log(sum);
}

template <class T>
struct RowLoss {
  int64_t classes;
  const T* logits;  // [rows, classes]
  const T* target;  // [rows, classes]
  SIMT_DEVICE double operator()(int64_t row) const {
    const T* z = logits + row * classes;
    const T* p = target + row * classes;
    const double lse = log_sum_exp(z, classes);
    double loss = 0;
    for (int64_t k = 0; k < classes; ++k) loss += to_float(p[k]) * (lse - to_float(z[k]));
    return loss;
  }
};

// One row per thread. dlogits may be logits: a row is read before it is written.
template <class T>
__global__ void __launch_bounds__(kThreads)
    softmax_cross_entropy_backward_kernel(SoftmaxCrossEntropyBackwardArgs args) {
  const double scale = static_cast<double>(*args.dloss) / static_cast<double>(args.rows);
  for (int64_t row = global_thread(); row < args.rows; row += global_threads()) {
    const T* z = static_cast<const T*>(args.logits) + row * args.classes;
    const T* p = static_cast<const T*>(args.target) + row * args.classes;
    T* dz = static_cast<T*>(args.dlogits) + row * args.classes;
    const double lse = log_sum_exp(z, args.classes);
    double total = 0;
    for (int64_t k = 0; k < args.classes; ++k) total += to_float(p[k]);
    for (int64_t k = 0; k < args.classes; ++k) {
      const double share = exp(static_cast<double>(to_float(z[k])) - lse);
      dz[k] = from_float<T>(static_cast<float>(scale * (share * total - to_float(p[k]))));
    }
  }
}

}  // namespace

int64_t softmax_cross_entropy_workspace_bytes(int64_t rows) { return sum_workspace_bytes(rows); }

void softmax_cross_entropy_forward(const SoftmaxCrossEntropyArgs& args, KernelStream stream) {
  for_dtype("softmax_cross_entropy", args.dtype, [&](auto type) {
    using T = decltype(type);
    const RowLoss<T> term{args.classes, static_cast<const T*>(args.logits),
                          static_cast<const T*>(args.target)};
    sum_terms("softmax_cross_entropy_forward", stream, args.rows, term,
              1.0 / static_cast<double>(args.rows), args.workspace, args.loss);
  });
}

void softmax_cross_entropy_backward(const SoftmaxCrossEntropyBackwardArgs& args,
                                    KernelStream stream) {
  for_dtype("softmax_cross_entropy", args.dtype, [&](auto type) {
    simt::launch({.name = "softmax_cross_entropy_backward",
                  .grid = dim3(blocks_for(args.rows)),
                  .block = dim3(kThreads),
                  .stream = stream},
                 softmax_cross_entropy_backward_kernel<decltype(type)>, args);
  });
}

}  // namespace ebb::EBB_GPU_NAMESPACE
