#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "diffusion/constraint.h"
#include "diffusion/denoiser.h"
#include "diffusion/image_noise.h"
#include "diffusion/noise_level.h"
#include "diffusion/objective.h"

namespace ebb {

enum class SamplerKind { kDdpm, kDdim, kDpmpp, kEuler, kHeun, kConsistency };

// The variance of the noise that a DDPM step from alpha_bar to alpha_bar' adds, with
// beta = 1 - alpha_bar / alpha_bar'. The last step to the clean image adds none.
enum class DdpmVariance {
  kFixedLarge,    // beta
  kFixedSmall,    // (1 - alpha_bar') / (1 - alpha_bar) beta, the posterior's
  kLearnedRange,  // between the logarithms of both, by the network's code v at the step's start:
                  // (v + 1) / 2 of the way from small to large (Nichol & Dhariwal 2021)
};
const char* to_string(DdpmVariance variance);  // "fixed_large", "fixed_small", "learned_range"
DdpmVariance parse_variance(const std::string& name, const std::string& flag);

// Keeps a DDPM step's estimate of the clean images in their range (kernels/sampling/threshold.h).
struct Thresholding {
  bool dynamic = false;
  double limit = 1;
  double ratio = 0.995;  // of the quantile, where dynamic

  friend bool operator==(const Thresholding&, const Thresholding&) = default;
};

// x [N, ...] in place.
void apply_threshold(Context& context, const Thresholding& thresholding, const Tensor& x);

struct SamplerSettings {
  SamplerKind kind = SamplerKind::kDdpm;
  DdpmVariance variance = DdpmVariance::kFixedLarge;  // kDdpm
  std::optional<Thresholding> thresholding = {};      // kDdpm, kConsistency
  double eta = 0;  // kDdim: 0 adds no noise, 1 as much as DDPM's fixed small
  PredictionType prediction = PredictionType::kEpsilon;
  Consistency consistency = {};  // kConsistency
};

class Sampler;

// A row of the table of samplers, in solvers.cc: all that the rest of ebb knows of one.
struct SamplerInfo {
  SamplerKind kind;
  const char* name;
  const char* title;        // as other programs call it in the text of an image
  ObjectiveType objective;  // it follows the path from noise to data of models trained as this
  int64_t steps;            // that give good images; 0: every timestep of the objective
  int64_t class_steps;      // the same for models with classes
  int64_t evaluations;      // of the model per step
  bool clips_schedule;      // runs on clipped_schedule(), not full_schedule()
  std::unique_ptr<Sampler> (*make)(Context& context, const SamplerSettings& settings,
                                   const SamplingSchedule& schedule);
};

// All samplers. Of those with one objective the first is its default.
std::span<const SamplerInfo> samplers();
const SamplerInfo& sampler_info(SamplerKind kind);

const char* to_string(SamplerKind kind);  // "ddpm", "ddim", "dpm++", "euler", "heun", "consistency"
// UsageError names `flag`.
SamplerKind parse_sampler(const std::string& name, const std::string& flag);
std::vector<std::string> sampler_names();
// "ddpm, ddim or dpm++": the samplers that fit an objective, for messages.
std::string fitting_samplers(const Objective& objective);

// True when the sampler follows the path that the objective trained.
bool fits(SamplerKind kind, const Objective& objective);
// The first sampler that fits; UsageError for an objective that cannot sample, naming `where`.
SamplerKind default_sampler(const Objective& objective, const std::string& where);
// The sampler's own number of steps, at most the timesteps of the objective.
int64_t default_steps(SamplerKind kind, const Objective& objective, bool has_classes);
// From pure noise to the clean image on the sampler's kind of schedule.
SamplingSchedule sampler_schedule(SamplerKind kind, const Objective& objective, int64_t steps);

// One update of the images by a prediction at time t:
//   x <- x_factor * x + prediction_factor * prediction + noise_factor * z,  z ~ N(0, 1),
// or with a learned variance, noise exp(log_deviation[0] + log_deviation[1] * code) * z.
struct LinearStep {
  double t = 0;  // time input of the network
  double x_factor = 1;
  double prediction_factor = 0;
  double noise_factor = 0;
  bool is_learned = false;
  double log_deviation[2] = {0, 0};
};

// The assignment's ancestral sampling: its algorithm B.2 on a full schedule with fixed large
// variance, its strided loop on the assignment's schedule with learned variance.
std::vector<LinearStep> ddpm_steps(const SamplingSchedule& schedule, DdpmVariance variance);
// DDIM (Song et al. 2021, eq. 12 and 16).
std::vector<LinearStep> ddim_steps(const SamplingSchedule& schedule, double eta);
// Steps by the predicted noise -> by what the network predicts.
std::vector<LinearStep> steps_by_prediction(std::vector<LinearStep> steps,
                                            const SamplingSchedule& schedule,
                                            PredictionType prediction);
// x += u(x, t) (t' - t).
std::vector<LinearStep> euler_steps(const SamplingSchedule& schedule);

// Takes images from noise to data, step by step.
class Sampler {
 public:
  virtual ~Sampler() = default;
  virtual int64_t steps() const = 0;
  // Advances x [N, H, W, C] in place by step `index` of 0..steps()-1. `number` is that of the noise
  // that the step draws.
  virtual void step(int64_t index, int64_t number, Denoiser& denoiser, const NoiseSource& noise,
                    const Tensor& x) = 0;
  // Number of captured graphs: one per kind of step, x and denoiser, where the device captures.
  virtual int captured_graphs() const = 0;
};

// DPM-Solver++(2M) is the multistep solver of second order for the data prediction (Lu et al. 2022,
// algorithm 2); it takes a step of first order at the start, and at an end without noise or of
// fewer than 15 steps.
std::unique_ptr<Sampler> make_sampler(Context& context, const SamplerSettings& settings,
                                      const SamplingSchedule& schedule);

// The model's estimate of the clean images from x at a level, by one evaluation.
Tensor predict_clean(Context& context, const Objective& objective, const NoiseLevel& level,
                     Denoiser& denoiser, const Tensor& x);

// RePaint's resampling (Lugmayr et al. 2022): after every `jump` steps the images get the noise of
// as many steps back, until each stretch was denoised `times` times. times 1: never.
struct Resampling {
  int64_t jump = 10;
  int64_t times = 1;
};

// The next step of the sampling loop: the sampler's step `index`, or a jump back to the noise level
// before it.
struct Step {
  int64_t index = 0;
  bool is_jump_back = false;

  friend bool operator==(const Step&, const Step&) = default;
};
std::vector<Step> plan_steps(int64_t steps, const Resampling& resampling);

// Called with the number of steps done, from 0 (x as it was at the start) to all. Returns false to
// stop before the next step.
using StepCallback = std::function<bool(int64_t steps_done, const Tensor& x)>;

// Every sampling in ebb is this loop: all steps of plan_steps() on x [N, H, W, C], in place. The
// constraint, if any, acts after each step. Returns false when the callback stopped it.
bool run_sampler(Context& context, Sampler& sampler, const SamplingSchedule& schedule,
                 const Resampling& resampling, Denoiser& denoiser, Constraint* constraint,
                 const NoiseSource& noise, const Tensor& x, const StepCallback& after_step);

}  // namespace ebb
