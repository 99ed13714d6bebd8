#include "diffusion/step_graphs.h"

#include <vector>

namespace ebb {

StepGraphs::StepGraphs(Context& context, int64_t numbers)
    : context_(context), numbers_(Tensor::empty(context, {numbers})) {}

Tensor StepGraphs::numbers(int64_t first, const Shape& shape) const {
  return numbers_.range(first, shape);
}

void StepGraphs::run(const Denoiser& denoiser, const Tensor& x, int kind,
                     std::span<const double> values, const std::function<void()>& work) {
  numbers_.copy_from_host(std::vector<float>(values.begin(), values.end()));
  const std::shared_ptr<const void> key = denoiser.capture_key();
  if (key == nullptr || context_.profiler() != nullptr) return work();
  kept_.try_emplace(x.raw(), x);
  graphs_.run(*context_.stream(), {key, x.raw(), kind}, work);
}

}  // namespace ebb
