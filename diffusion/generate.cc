#include "diffusion/generate.h"

#include <algorithm>

#include "nn/param_collector.h"

namespace ebb {
namespace {

// One-hot rows [N, classes]; a row of zeros for kNoClass.
Tensor one_hot(Context& context, std::span<const int64_t> labels, int64_t classes) {
  std::vector<float> rows(labels.size() * static_cast<size_t>(classes), 0.0f);
  for (size_t i = 0; i < labels.size(); ++i) {
    if (labels[i] != kNoClass) rows[i * static_cast<size_t>(classes) + labels[i]] = 1;
  }
  return Tensor::from_host(context, {static_cast<int64_t>(labels.size()), classes},
                           std::span<const float>(rows));
}

std::vector<Branch> branches_for(Context& context, const Network& network,
                                 std::span<const int64_t> labels, double cfg_scale) {
  if (!network.has_input("c")) return {Branch{}};
  const int64_t classes = network.inputs.back().shape[0];
  const std::vector<int64_t> none(labels.size(), kNoClass);
  return guided(one_hot(context, labels, classes), one_hot(context, none, classes), cfg_scale);
}

}  // namespace

std::vector<float> generate(Context& context, const Network& network, const Objective& objective,
                            const TensorMap& params, const GenerateRequest& request,
                            const GenerateCallback& after_step) {
  const auto sampler = make_sampler(context, request.sampler, objective, request.steps);
  const auto images = static_cast<int64_t>(request.classes.size());
  std::vector<float> values;
  for (int64_t first = 0; first < images; first += request.batch_size) {
    const int64_t count = std::min(request.batch_size, images - first);
    const auto labels = std::span(request.classes).subspan(first, count);
    NetworkDenoiser denoiser(context, network, params, count,
                             branches_for(context, network, labels, request.cfg_scale));
    const ImageNoise noise(context, request.first_seed + static_cast<uint64_t>(first));
    const Tensor x = Tensor::empty(context, with_batch(count, network.inputs[0].shape));
    noise.start(x);
    run_sampler(*sampler, denoiser, noise, x, [&](int64_t steps_done, const Tensor& state) {
      after_step(first, steps_done, state);
    });
    const std::vector<float> batch = x.to_host();
    values.insert(values.end(), batch.begin(), batch.end());
  }
  return values;
}

}  // namespace ebb
