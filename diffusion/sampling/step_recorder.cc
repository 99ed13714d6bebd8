#include "diffusion/sampling/step_recorder.h"

#include <vector>

namespace ebb {

StepRecorder::StepRecorder(Context& context, int64_t numbers)
    : context_(context), numbers_(Tensor::empty(context, {numbers})) {}

Tensor StepRecorder::numbers(int64_t first, const Shape& shape) const {
  return numbers_.range(first, shape);
}

void StepRecorder::run(const Denoiser& denoiser, const Tensor& x, int kind,
                       std::span<const double> values, const std::function<void()>& work) {
  numbers_.copy_from_host(std::vector<float>(values.begin(), values.end()));
  const uint64_t id = denoiser.recording_id();
  if (id == 0 || context_.profiler() != nullptr) return work();
  kept_.try_emplace(x.raw(), x);
  recordings_.run(*context_.queue(), {id, x.raw(), kind}, work);
}

}  // namespace ebb
