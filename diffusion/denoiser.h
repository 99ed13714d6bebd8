#pragma once

#include <vector>

#include "engine/executor.h"
#include "nn/network.h"

namespace ebb {

// Predicts from noisy images what its model was trained for: the noise or the velocity.
class Denoiser {
 public:
  virtual ~Denoiser() = default;
  // x [N, H, W, C], t [1, 1] -> [N, H, W, C], overwritten by the next call.
  virtual const Tensor& predict(const Tensor& x, const Tensor& t) = 0;
};

// One question to a network about the same images: a condition per image, and how much the answer
// counts in the sum over branches.
struct Branch {
  Tensor condition;  // [N, classes]; undefined when the network takes none
  double weight = 1;
};

// Classifier-free guidance (Ho & Salimans 2022): uncond + scale * (cond - uncond). Scale 1 is the
// condition alone and asks once.
std::vector<Branch> guided(const Tensor& cond, const Tensor& uncond, double scale);

// The weighted sum of a network's answers. All branches are one run of the graph, in which x keeps
// batch N and t batch 1: what depends on x alone or on t alone is computed once for all branches.
class NetworkDenoiser final : public Denoiser {
 public:
  NetworkDenoiser(Context& context, const Network& network, const TensorMap& params, int64_t images,
                  const std::vector<Branch>& branches);

  const Tensor& predict(const Tensor& x, const Tensor& t) override;

 private:
  Context& context_;
  Executor executor_;
  Tensor weights_;     // [branches]
  Tensor prediction_;  // [N, H, W, C]; undefined when the executor's output is the prediction
};

}  // namespace ebb
