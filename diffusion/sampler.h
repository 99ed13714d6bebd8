#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "diffusion/denoiser.h"
#include "diffusion/image_noise.h"
#include "diffusion/objective.h"
#include "diffusion/schedule.h"

namespace ebb {

enum class SamplerKind { kDdpm, kDdim, kEuler, kHeun };

const char* to_string(SamplerKind kind);  // "ddpm", "ddim", "euler", "heun"
// UsageError names `flag`.
SamplerKind parse_sampler(const std::string& name, const std::string& flag);

// True when the sampler walks the path that the objective trained.
bool fits(SamplerKind kind, const Objective& objective);
// kDdpm or kEuler; UsageError for an objective that cannot sample, naming `where`.
SamplerKind default_sampler(const Objective& objective, const std::string& where);

// One update of the images by a prediction at time t:
//   x <- x_factor * x + prediction_factor * prediction + noise_factor * z,  z ~ N(0, 1).
struct LinearStep {
  double t = 0;  // what the network is told
  double x_factor = 1;
  double prediction_factor = 0;
  double noise_factor = 0;
};

// The assignment's algorithm B.2: ancestral sampling with variance beta_t and no noise in the last
// step, on `steps` of the schedule's timesteps.
std::vector<LinearStep> ddpm_steps(const NoiseSchedule& schedule, int64_t steps);
// DDIM with eta 0 (Song et al. 2021).
std::vector<LinearStep> ddim_steps(const NoiseSchedule& schedule, int64_t steps);
// x += u(x, i / steps) / steps.
std::vector<LinearStep> euler_steps(int64_t steps);

// Walks images from noise to data.
class Sampler {
 public:
  virtual ~Sampler() = default;
  virtual int64_t steps() const = 0;
  // Advances x [N, H, W, C] in place by step `index` of 0..steps()-1.
  virtual void step(int64_t index, Denoiser& denoiser, const ImageNoise& noise,
                    const Tensor& x) = 0;
};

// 1 <= steps, and <= the objective's timesteps where it has them.
std::unique_ptr<Sampler> make_sampler(Context& context, SamplerKind kind,
                                      const Objective& objective, int64_t steps);

// Called with the number of steps done, from 0 (x as it was at the start) to all.
using StepCallback = std::function<void(int64_t steps_done, const Tensor& x)>;

// Every sampling in ebb is this loop: all steps on x [N, H, W, C], in place.
void run_sampler(Sampler& sampler, Denoiser& denoiser, const ImageNoise& noise, const Tensor& x,
                 const StepCallback& after_step);

}  // namespace ebb
