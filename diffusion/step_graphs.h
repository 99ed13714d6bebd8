#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <tuple>

#include "diffusion/denoiser.h"
#include "engine/graph_cache.h"

namespace ebb {

// A sampler's step as a CUDA graph, captured once and launched for every step of its kind. The
// numbers that change from step to step lie in device memory and are uploaded before each launch.
class StepGraphs {
 public:
  StepGraphs(Context& context, int64_t numbers);

  // Numbers [first, first + shape.elements()) on the device, for the work to read.
  Tensor numbers(int64_t first, const Shape& shape) const;

  // Does `work`, which updates x by the denoiser, with these numbers. Steps of one kind give the
  // device the same work. It must allocate nothing unless the denoiser does, too.
  void run(const Denoiser& denoiser, const Tensor& x, int kind, std::span<const double> values,
           const std::function<void()>& work);

  int captured_graphs() const { return graphs_.size(); }

 private:
  using Key = std::tuple<std::shared_ptr<const void>, const void*, int>;  // denoiser, x, kind

  Context& context_;
  Tensor numbers_;
  std::map<const void*, Tensor> kept_;  // every captured x: keeps its address
  GraphCache<Key> graphs_;
};

}  // namespace ebb
