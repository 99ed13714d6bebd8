#include "kernels/cuda/map.h"
#include "kernels/cuda/sum.h"
#include "kernels/loss/mse_loss.h"

namespace ebb::EBB_GPU_NAMESPACE {
namespace {

template <class T>
struct SquaredError {
  const T* prediction;
  const T* target;
  SIMT_DEVICE double operator()(int64_t i) const {
    const double error =
        static_cast<double>(to_float(prediction[i])) - static_cast<double>(to_float(target[i]));
    return error * error;
  }
};

struct Gradient {
  static constexpr int kInputs = 2;
  double per_element;  // 2 / count
  const float* dloss;  // [1]
  SIMT_DEVICE float operator()(float prediction, float target) const {
    return static_cast<float>(per_element * *dloss) * (prediction - target);
  }
};

}  // namespace

int64_t mse_loss_workspace_bytes(int64_t count) { return sum_workspace_bytes(count); }

void mse_loss_forward(const MseLossArgs& args, KernelStream stream) {
  for_dtype("mse_loss", args.dtype, [&](auto type) {
    using T = decltype(type);
    const SquaredError<T> term{static_cast<const T*>(args.prediction),
                               static_cast<const T*>(args.target)};
    sum_terms("mse_loss_forward", stream, args.count, term, 1.0 / static_cast<double>(args.count),
              args.workspace, args.loss);
  });
}

void mse_loss_backward(const MseLossBackwardArgs& args, KernelStream stream) {
  for_dtype("mse_loss", args.dtype, [&](auto type) {
    using T = decltype(type);
    map<T>("mse_loss_backward", stream, args.count,
           Gradient{2.0 / static_cast<double>(args.count), args.dloss},
           static_cast<const T*>(args.prediction), static_cast<const T*>(args.target),
           static_cast<T*>(args.dprediction));
  });
}

}  // namespace ebb::EBB_GPU_NAMESPACE
