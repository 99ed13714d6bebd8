#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "diffusion/conditioner.h"
#include "diffusion/model.h"
#include "diffusion/sampler.h"
#include "image/image.h"

namespace ebb {

// Message about a model of a second stage, behind its name.
inline constexpr const char* kEnlarges =
    "enlarges images, it makes none from noise alone. Use ebb upscale, or a model of a first "
    "stage.";

// Sampler settings of a pipeline.
struct PipelineOptions {
  std::string sampler = {};   // "ddpm", "ddim", "dpm++", "euler", "heun"; empty: by model
  int64_t steps = 0;          // 0: by sampler, model and preset
  std::string variance = {};  // of ddpm: "fixed_large", "fixed_small", "learned_range"; empty: by
                              // model and schedule
  std::optional<double> eta = {};  // of ddim, 0..1: 0 (nullopt) adds no noise
  // A name of preset_names(), for ddpm; empty: for models that predict a variance and steps 0
  // "course", else "pipeline".
  std::string preset = {};
  // Instead of steps and preset: the timesteps to run from noise to data, descending, as given to
  // set_timesteps() of diffusers; of consistency models numbers on their ramp, such as 22, 0.
  std::vector<int64_t> timesteps = {};
  int64_t batch_size = 64;  // images computed at once
  // Requests bring the smaller images, in their guidance (diffusion/upscale.h).
  bool enlarges = false;
  // Null: by the model, for models whose condition is a class.
  std::shared_ptr<Conditioner> conditioner = {};
  // Put before the names of fields in error messages: "--" where they are flags.
  std::string field_prefix = {};
};

// Images to generate. Image i has seed `seed + i` and is bitwise the same in any batch.
struct GenerateRequest {
  // For models with a condition, one per image or one for all: prompts, which for a model of
  // classes name one ("7", "seven", "a photo of a seven"), or the numbers of conditions, which are
  // the classes themselves (kNoClass: none). Both empty: none.
  std::vector<std::string> prompts = {};
  std::vector<int64_t> labels = {};
  int64_t images = 0;           // 0: one per prompt or label, at least one
  double guidance_scale = 5;    // 1: the condition alone; ignored without one
  int64_t negative = kNoClass;  // the condition to guide away from
  uint64_t seed = 0;

  // Replaces prompts, labels and guidance_scale. Its conditions hold all images, or one for all.
  Guidance guidance = {};
  SamplingSchedule schedule = {};  // replaces the pipeline's
  Resampling resampling = {};
  // Undefined: from pure noise. Else clean images [images, H, W, C] or [1, H, W, C] in the model's
  // range, which get the noise of the schedule's first level.
  Tensor start = {};
  std::shared_ptr<Constraint> constraint = {};  // may be null
  // Replaces the noise of the seeds: that of all images, which must be one batch. May be null.
  std::shared_ptr<const NoiseSource> noise = {};
};

// The state of images [first_image, first_image + N) after `step` of `steps` steps. Step 0 is the
// state before the first.
struct GenerateStep {
  int64_t first_image;
  int64_t step;
  int64_t steps;    // of every image: sampler steps and jumps back
  const Tensor& x;  // [N, H, W, C] on the pipeline's device; overwritten by the next step
  // Estimates the clean images [N, H, W, C] from x: clean_estimate() of one more evaluation of the
  // model, run when called and not otherwise. Changes no later result. Valid during the callback.
  const std::function<Tensor()>& clean_estimate;
};

// Called after every step, batch by batch. Returns false to stop.
using GenerateCallback = std::function<bool(const GenerateStep& step)>;

// A model ready to generate images. Not safe for concurrent calls.
class Pipeline {
 public:
  // UsageError names the option that does not fit the model, or the model when it cannot sample.
  // The context must outlive the pipeline.
  Pipeline(Context& context, Model model, PipelineOptions options = {});

  // The images, each [H, W, C] of the model; values beyond its range are clamped. Stopped by the
  // callback, it returns the images of the batches that were complete, which may be none.
  // UsageError or ShapeError names the field of the request that does not fit; DivergedError when a
  // value is not finite.
  std::vector<Image> generate(const GenerateRequest& request,
                              const GenerateCallback& on_step = nullptr) const;
  // The same as the model makes them: values [images, H, W, C], neither clamped nor checked.
  std::vector<float> generate_values(const GenerateRequest& request,
                                     const GenerateCallback& on_step = nullptr) const&;
  // The same for the last request, which leaves the pipeline without weights: each is freed as soon
  // as it is packed.
  std::vector<float> generate_values(const GenerateRequest& request,
                                     const GenerateCallback& on_step = nullptr) &&;

  const Model& model() const { return model_; }
  Shape image_shape() const { return model_.network.sample().shape; }  // [H, W, C]
  SamplerKind sampler() const { return sampler_; }
  // The schedule of requests that give none. UsageError for more steps than the model has
  // timesteps.
  SamplingSchedule schedule() const;
  // The guidance and the schedule that a request leads to.
  Guidance guidance(const GenerateRequest& request) const;
  SamplingSchedule schedule(const GenerateRequest& request) const;
  // Steps per image of a request: sampler steps and jumps back.
  int64_t step_count(const GenerateRequest& request) const;

  // The condition that a prompt names. UsageError names `field` (nullptr: "prompts") when the model
  // has no such condition.
  int64_t label_of(const std::string& prompt, const char* field = nullptr) const;

 private:
  std::string field(const char* name) const { return options_.field_prefix + name; }
  std::string model_name() const;
  void check_network() const;
  void check_options() const;
  void check_preset() const;
  void check_timesteps() const;
  SamplingSchedule preset_schedule() const;
  SamplingSchedule listed_schedule() const;
  std::vector<int64_t> labels(const GenerateRequest& request) const;
  int64_t image_count(const GenerateRequest& request) const;
  SamplerSettings settings(const SamplingSchedule& schedule) const;
  std::vector<float> run(const GenerateRequest& request, TensorMap params,
                         const GenerateCallback& on_step) const;

  Context& context_;
  Model model_;
  PipelineOptions options_;
  std::shared_ptr<Conditioner> conditioner_;  // null: none, or one that the requests bring
  SamplerKind sampler_;
  std::string preset_;  // empty: of another sampler
};

// values [images, H, W, C] in `range` -> images; values beyond it are clamped. shape: [H, W, C].
std::vector<Image> to_images(std::span<const float> values, const Shape& shape, DataRange range);

}  // namespace ebb
