#include "kernels/loss/mse_loss.h"

#include "base/kernel_stream.h"
#include "kernels/cpu/f32.h"
#include "kernels/cpu/sum_chunks.h"

namespace ebb::cpu {

int64_t mse_loss_workspace_bytes(int64_t count) { return sum_chunks_bytes(count); }

void mse_loss_forward(const MseLossArgs& args, KernelStream stream) {
  require_f32("mse_loss", args.dtype);
  const float* prediction = as_f32(args.prediction);
  const float* target = as_f32(args.target);
  const auto squared_error = [&](int64_t i) {
    const double error = static_cast<double>(prediction[i]) - target[i];
    return error * error;
  };
  const double sum = sum_chunks(stream.threads, args.count, args.workspace, squared_error);
  *args.loss = static_cast<float>(sum / static_cast<double>(args.count));
}

void mse_loss_backward(const MseLossBackwardArgs& args, KernelStream stream) {
  require_f32("mse_loss", args.dtype);
  const float* prediction = as_f32(args.prediction);
  const float* target = as_f32(args.target);
  float* dprediction = as_f32(args.dprediction);
  const float scale = static_cast<float>(2.0 / static_cast<double>(args.count) * *args.dloss);
  parallel_chunks(stream.threads, args.count, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) dprediction[i] = scale * (prediction[i] - target[i]);
  });
}

}  // namespace ebb::cpu
