#include "diffusion/generate.h"

#include <algorithm>

#include "nn/param_collector.h"

namespace ebb {
namespace {

Tensor start_of(Context& context, const GenerateRequest& request, int64_t first, int64_t count,
                const ImageNoise& noise, const Shape& image) {
  const Tensor eps = Tensor::empty(context, with_batch(count, image));
  noise.start(eps);
  if (!request.start.defined()) return eps;
  return add_noise(context, request.schedule.front(),
                   select_images(context, request.start, first, count), eps);
}

}  // namespace

int64_t move_count(const GenerateRequest& request) {
  return static_cast<int64_t>(plan_moves(step_count(request.schedule), request.resampling).size());
}

std::vector<float> generate(Context& context, const Network& network, TensorMap params,
                            const GenerateRequest& request, const GenerateCallback& after_move) {
  std::unique_ptr<NetworkDenoiser> denoiser;
  std::unique_ptr<Sampler> sampler;
  Tensor x;
  std::vector<float> values;
  for (int64_t first = 0; first < request.images; first += request.batch_size) {
    const int64_t count = std::min(request.batch_size, request.images - first);
    // Weights are packed, memory is planned and steps are recorded once for all batches of a size.
    if (denoiser == nullptr || denoiser->images() != count) {
      denoiser = nullptr;
      const bool is_last = (request.images - first) % count == 0;  // no smaller batch follows
      denoiser = std::make_unique<NetworkDenoiser>(
          context, network, is_last ? std::move(params) : params, count, request.guidance);
      sampler = make_sampler(context, request.sampler, request.schedule);
      x = Tensor::empty(context, with_batch(count, network.sample().shape));
    }
    denoiser->select(first);
    const ImageNoise noise(context, request.first_seed + static_cast<uint64_t>(first));
    x.copy_from(start_of(context, request, first, count, noise, network.sample().shape));
    if (request.constraint != nullptr) request.constraint->begin(first, count);
    run_sampler(context, *sampler, request.schedule, request.resampling, *denoiser,
                request.constraint.get(), noise, x, [&](int64_t moves_done, const Tensor& state) {
                  after_move(first, moves_done, state);
                });
    const std::vector<float> batch = x.to_host();
    values.insert(values.end(), batch.begin(), batch.end());
  }
  return values;
}

}  // namespace ebb
