#include "diffusion/pipeline.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "base/text.h"
#include "diffusion/consistency.h"
#include "diffusion/presets.h"
#include "nn/param_collector.h"

namespace ebb {
namespace {

// The index into the schedule of the noise level after k steps of the plan.
size_t level_after(const std::vector<Step>& plan, int64_t k) {
  if (k == 0) return 0;
  const Step& last = plan[static_cast<size_t>(k - 1)];
  return static_cast<size_t>(last.is_jump_back ? last.index : last.index + 1);
}

// One request on its way: what all its batches share.
class GenerateRun {
 public:
  GenerateRun(Context& context, const Model& model, TensorMap params,
              const GenerateRequest& request, SamplingSchedule schedule, Guidance guidance,
              const SamplerSettings& settings)
      : context_(context),
        model_(model),
        params_(std::move(params)),
        request_(request),
        schedule_(std::move(schedule)),
        guidance_(std::move(guidance)),
        settings_(settings),
        plan_(plan_steps(ebb::step_count(schedule_), request.resampling)) {}

  // Images [first, first + count): their values are appended. is_last_size: no smaller batch
  // follows. False when the callback stopped.
  bool run_batch(int64_t first, int64_t count, bool is_last_size, const GenerateCallback& on_step,
                 std::vector<float>& values) {
    prepare(count, is_last_size);
    denoiser_->select(first);
    const ImageNoise of_seeds(context_, request_.seed + static_cast<uint64_t>(first));
    const NoiseSource& noise = request_.noise != nullptr ? *request_.noise : of_seeds;
    x_.copy_from(start(first, count, noise));
    if (request_.constraint != nullptr) {
      request_.constraint->begin(first, count);
      request_.constraint->at_start(x_);
    }
    const auto after_step = [&](int64_t done, const Tensor& x) {
      if (on_step == nullptr) return true;
      const std::function<Tensor()> estimate = [&] { return clean_image(done, x); };
      return on_step({.first_image = first,
                      .step = done,
                      .steps = static_cast<int64_t>(plan_.size()),
                      .x = x,
                      .clean_estimate = estimate});
    };
    if (!run_sampler(context_, *sampler_, schedule_, request_.resampling, *denoiser_,
                     request_.constraint.get(), noise, x_, after_step)) {
      return false;
    }
    const std::vector<float> batch = x_.to_host();
    values.insert(values.end(), batch.begin(), batch.end());
    return true;
  }

 private:
  // Weights are packed, memory is planned and steps are captured once for all batches of a size.
  void prepare(int64_t count, bool is_last_size) {
    if (denoiser_ != nullptr && denoiser_->images() == count) return;
    denoiser_ = nullptr;
    denoiser_ = std::make_unique<NetworkDenoiser>(
        context_, model_.network, is_last_size ? std::move(params_) : params_, count, guidance_);
    sampler_ = make_sampler(context_, settings_, schedule_);
    x_ = Tensor::empty(context_, with_batch(count, model_.network.sample().shape));
  }

  Tensor start(int64_t first, int64_t count, const NoiseSource& noise) const {
    const Tensor eps = Tensor::empty(context_, x_.shape());
    noise.start(eps);
    const NoiseLevel& first_level = schedule_.front();
    if (!request_.start.defined() && first_level.one_minus_alpha_bar > 1) {  // of kConsistency
      combine(context_, std::array{eps}, coefficients(context_, std::array{first_level.noise()}),
              eps);
    }
    if (!request_.start.defined()) return eps;
    return add_noise(context_, first_level, select_images(context_, request_.start, first, count),
                     eps);
  }

  Tensor clean_image(int64_t done, const Tensor& x) {
    const NoiseLevel& level = schedule_[level_after(plan_, done)];
    return predict_clean(context_, model_.objective, level, *denoiser_, x);
  }

  Context& context_;
  const Model& model_;
  TensorMap params_;
  const GenerateRequest& request_;
  SamplingSchedule schedule_;
  Guidance guidance_;
  SamplerSettings settings_;
  std::vector<Step> plan_;
  std::unique_ptr<NetworkDenoiser> denoiser_;
  std::unique_ptr<Sampler> sampler_;
  Tensor x_;  // [count, H, W, C]
};

}  // namespace

Pipeline::Pipeline(Context& context, Model model, PipelineOptions options)
    : context_(context),
      model_(std::move(model)),
      options_(std::move(options)),
      conditioner_(options_.conditioner),
      sampler_(default_sampler(model_.objective, cat(field("model"), " ", model_name()))) {
  if (!options_.sampler.empty()) sampler_ = parse_sampler(options_.sampler, field("sampler"));
  check_network();
  check_options();
  if (conditioner_ == nullptr && class_count(model_.network) > 0) {
    conditioner_ = make_conditioner(context_, model_.network, model_name());
  }
  if (sampler_ != SamplerKind::kDdpm) return;
  preset_ = options_.preset;
  if (!preset_.empty()) {
    check_preset();
    return;
  }
  const bool is_course =
      options_.steps == 0 && options_.timesteps.empty() && predicts_variance(model_.network);
  preset_ = is_course ? kCoursePreset : kPipelinePreset;
}

void Pipeline::check_preset() const {
  const std::string flag = cat(field("preset"), " ", terminal_safe(preset_));
  std::string expected;
  bool is_known = false;
  for (const std::string& name : preset_names()) {
    is_known |= name == preset_;
    expected += cat(expected.empty() ? "" : ", ", name);
  }
  EBB_CHECK(is_known, UsageError, flag, ": must be one of ", expected);
  EBB_CHECK(preset_ == kPipelinePreset || options_.steps == 0, UsageError, field("steps"), " ",
            options_.steps, ": has no meaning with ", flag, ", a list of timesteps. Leave it out.");
  const std::span<const int64_t> list = preset_timesteps(preset_);
  EBB_CHECK(list.empty() || list.front() < model_.objective.timesteps, UsageError, flag,
            ": starts at timestep ", list.front(), ", but ", model_name(), " has ",
            model_.objective.timesteps, ". Use --preset pipeline.");
}

void Pipeline::check_network() const {
  for (const NetworkInput& input : model_.network.inputs) {
    EBB_CHECK(input.role != InputRole::kLowRes || options_.enlarges, UsageError, field("model"),
              " ", model_name(), ": ", kEnlarges);
    if (input.role != InputRole::kTime || input.dtype == DType::kF32) continue;
    const Objective& objective = model_.objective;
    EBB_CHECK(objective.type == ObjectiveType::kDdpm && objective.timesteps <= input.classes,
              UsageError, field("model"), " ", model_name(), ": has a learned embedding of ",
              input.classes, " timesteps, but its scheduler is ", to_string(objective.type), " of ",
              objective.timesteps, ". Use the scheduler that it was trained with.");
  }
}

std::string Pipeline::model_name() const {
  return model_.path.empty() ? "the model" : path_label(model_.path);
}

void Pipeline::check_options() const {
  EBB_CHECK(fits(sampler_, model_.objective), UsageError, field("sampler"), " ", options_.sampler,
            ": ", model_name(), " was trained as ", to_string(model_.objective.type), ". Use ",
            fitting_samplers(model_.objective), ".");
  if (!options_.variance.empty()) {
    EBB_CHECK(sampler_ == SamplerKind::kDdpm, UsageError, field("variance"), " ", options_.variance,
              ": applies to the sampler ddpm, this is ", to_string(sampler_), ". Leave it out.");
    const DdpmVariance variance = parse_variance(options_.variance, field("variance"));
    EBB_CHECK(variance != DdpmVariance::kLearnedRange || predicts_variance(model_.network),
              UsageError, field("variance"), " ", options_.variance, ": ", model_name(),
              " predicts no variance. Use fixed_large or fixed_small.");
  }
  EBB_CHECK(options_.preset.empty() || sampler_ == SamplerKind::kDdpm, UsageError, field("preset"),
            " ", options_.preset, ": applies to the sampler ddpm, this is ", to_string(sampler_),
            ". Leave it out.");
  EBB_CHECK(!options_.eta || sampler_ == SamplerKind::kDdim, UsageError, field("eta"), " ",
            *options_.eta, ": applies to the sampler ddim, this is ", to_string(sampler_),
            ". Leave it out or choose ddim.");
  EBB_CHECK(!options_.eta || (*options_.eta >= 0 && *options_.eta <= 1), UsageError, field("eta"),
            " ", *options_.eta, ": must be 0..1");
  EBB_CHECK(options_.steps >= 0, UsageError, field("steps"), " ", options_.steps,
            ": must be positive, or 0 for the sampler's own number");
  EBB_CHECK(options_.batch_size >= 1, UsageError, field("batch-size"), " ", options_.batch_size,
            ": must be at least 1");
  if (!options_.timesteps.empty()) check_timesteps();
}

void Pipeline::check_timesteps() const {
  const std::string flag = field("timestep-list");
  const Objective& objective = model_.objective;
  EBB_CHECK(objective.type == ObjectiveType::kDdpm || objective.type == ObjectiveType::kConsistency,
            UsageError, flag, ": ", model_name(), " was trained as ", to_string(objective.type),
            ", which has no timesteps. Use ", field("steps"), ".");
  EBB_CHECK(options_.steps == 0, UsageError, field("steps"), " ", options_.steps,
            ": has no meaning with ", flag, ". Leave it out.");
  EBB_CHECK(options_.preset.empty() || options_.preset == kPipelinePreset, UsageError, flag,
            ": has no meaning with ", field("preset"), " ", options_.preset, ". Leave one out.");
  for (size_t i = 0; i < options_.timesteps.size(); ++i) {
    const int64_t t = options_.timesteps[i];
    EBB_CHECK(t >= 0 && t < objective.timesteps, UsageError, flag, ": ", t, " must be 0..",
              objective.timesteps - 1, ", a timestep of ", model_name());
    EBB_CHECK(i == 0 || t < options_.timesteps[i - 1], UsageError, flag, ": ", t, " after ",
              options_.timesteps[i - 1], ", but timesteps descend, from noise to the image.");
  }
}

SamplingSchedule Pipeline::schedule() const {
  const int64_t most = model_.objective.timesteps;
  const bool has_timesteps = model_.objective.type == ObjectiveType::kDdpm ||
                             model_.objective.type == ObjectiveType::kConsistency;
  EBB_CHECK(!has_timesteps || options_.steps <= most, UsageError, field("steps"), " ",
            options_.steps, ": must be 1..", most, ", the timesteps of ", model_name());
  if (!options_.timesteps.empty()) return listed_schedule();
  if (sampler_ == SamplerKind::kDdpm) return preset_schedule();
  const bool has_classes = class_count(model_.network) > 0;
  const int64_t steps =
      options_.steps > 0 ? options_.steps : default_steps(sampler_, model_.objective, has_classes);
  return sampler_schedule(sampler_, model_.objective, steps);
}

SamplingSchedule Pipeline::listed_schedule() const {
  if (model_.objective.type != ObjectiveType::kConsistency) {
    return timesteps_schedule(model_.objective, options_.timesteps);
  }
  // Their places on the ramp ascend, whatever the order of the list.
  return consistency_schedule(model_.objective,
                              std::vector(options_.timesteps.rbegin(), options_.timesteps.rend()));
}

SamplingSchedule Pipeline::preset_schedule() const {
  const Objective& objective = model_.objective;
  if (preset_ == kCoursePreset) return assignment_schedule(objective);
  const std::span<const int64_t> list = preset_timesteps(preset_);
  if (!list.empty()) return timesteps_schedule(objective, list);
  // Steps of the pipelines that predict a variance.
  constexpr int64_t kPipelineSteps = 100;
  const int64_t own = predicts_variance(model_.network)
                          ? std::min(kPipelineSteps, objective.timesteps)
                          : objective.timesteps;
  const int64_t steps = options_.steps > 0 ? options_.steps : own;
  if (!model_.sampling.spacing) return sampler_schedule(sampler_, objective, steps);
  return spaced_schedule(objective, steps, *model_.sampling.spacing, model_.sampling.steps_offset);
}

SamplingSchedule Pipeline::schedule(const GenerateRequest& request) const {
  return request.schedule.empty() ? schedule() : request.schedule;
}

int64_t Pipeline::step_count(const GenerateRequest& request) const {
  const int64_t steps = ebb::step_count(schedule(request));
  return static_cast<int64_t>(plan_steps(steps, request.resampling).size());
}

SamplerSettings Pipeline::settings(const SamplingSchedule& schedule) const {
  SamplerSettings settings{.kind = sampler_,
                           .thresholding = {},
                           .eta = options_.eta.value_or(0),
                           .prediction = model_.objective.prediction,
                           .consistency = model_.objective.consistency};
  if (preset_ != kCoursePreset) settings.thresholding = model_.sampling.thresholding;
  if (!options_.variance.empty()) {
    settings.variance = parse_variance(options_.variance, field("variance"));
  } else if (model_.sampling.variance) {
    settings.variance = *model_.sampling.variance;
  } else if (predicts_variance(model_.network)) {
    settings.variance = DdpmVariance::kLearnedRange;
  } else if (schedule.back().one_minus_alpha_bar != 0) {
    // A schedule that ends in a noisy state keeps the noise of its last step: with wide strides and
    // the large variance that is visible.
    settings.variance = DdpmVariance::kFixedSmall;
  }
  return settings;
}

int64_t Pipeline::label_of(const std::string& prompt, const char* name) const {
  const std::string where = field(name == nullptr ? "prompts" : name);
  EBB_CHECK(conditioner_ != nullptr, UsageError, where, " ", terminal_safe(prompt), ": ",
            model_name(), " takes no class. Use another model.");
  return conditioner_->find(prompt, where);
}

int64_t Pipeline::image_count(const GenerateRequest& request) const {
  EBB_CHECK(request.images >= 0, UsageError, field("images"), " ", request.images,
            ": must not be negative");
  const auto conditions =
      static_cast<int64_t>(std::max(request.prompts.size(), request.labels.size()));
  return request.images > 0 ? request.images : std::max<int64_t>(conditions, 1);
}

// One per image.
std::vector<int64_t> Pipeline::labels(const GenerateRequest& request) const {
  EBB_CHECK(request.prompts.empty() || request.labels.empty(), UsageError, field("prompts"),
            ": given together with labels. Give one of them.");
  const char* name = request.labels.empty() ? "prompts" : "labels";
  std::vector<int64_t> labels = request.labels;
  for (const std::string& prompt : request.prompts) labels.push_back(label_of(prompt));
  const auto images = static_cast<size_t>(image_count(request));
  if (labels.empty()) labels = {kNoClass};
  EBB_CHECK(labels.size() == 1 || labels.size() == images, UsageError, field(name), ": ",
            labels.size(), " for ", images, " images. Give one for each image, or one for all.");
  const int64_t known = class_count(model_.network);
  const bool is_class = known > 0 || conditioner_ == nullptr;
  for (const int64_t label : labels) {
    EBB_CHECK(!is_class || label == kNoClass || (label >= 0 && label < known), UsageError,
              field(name), " ", label, ": ", model_name(), " has ", known, " classes, expected ",
              known == 0 ? "no label" : cat("0..", known - 1));
  }
  if (labels.size() == 1) labels.assign(images, labels.front());
  return labels;
}

Guidance Pipeline::guidance(const GenerateRequest& request) const {
  if (!request.guidance.empty()) return request.guidance;
  const NetworkInput* condition = model_.network.input(InputRole::kCondition);
  EBB_CHECK(condition == nullptr || conditioner_ != nullptr, UsageError, field("model"), " ",
            model_name(), ": is conditioned on ", condition->shape,
            ", expected a class. Give the request its guidance.");
  EBB_CHECK(std::isfinite(request.guidance_scale), UsageError, field("guidance-scale"), " ",
            request.guidance_scale, ": must be finite");
  const std::vector<int64_t> conditions = labels(request);
  if (conditioner_ == nullptr) return {GuidanceTerm{}};
  return guidance_by(*conditioner_, conditions,
                     conditioner_->has_none() ? request.guidance_scale : 1, request.negative);
}

std::vector<float> Pipeline::generate_values(const GenerateRequest& request,
                                             const GenerateCallback& on_step) const& {
  return run(request, model_.params, on_step);
}

std::vector<float> Pipeline::generate_values(const GenerateRequest& request,
                                             const GenerateCallback& on_step) && {
  return run(request, std::move(model_.params), on_step);
}

std::vector<float> Pipeline::run(const GenerateRequest& request, TensorMap params,
                                 const GenerateCallback& on_step) const {
  const int64_t images = image_count(request);
  if (request.start.defined()) {
    const Shape given = request.start.shape();
    EBB_CHECK(given == with_batch(images, image_shape()) || given == with_batch(1, image_shape()),
              ShapeError, field("start"), ": is ", given, ", expected ",
              with_batch(images, image_shape()), " or one image for all");
  }
  EBB_CHECK(request.noise == nullptr || images <= options_.batch_size, Error,
            "pipeline: noise for ", images, " images in batches of ", options_.batch_size);
  const SamplingSchedule schedule = this->schedule(request);
  GenerateRun run(context_, model_, std::move(params), request, schedule, guidance(request),
                  settings(schedule));
  std::vector<float> values;
  for (int64_t first = 0; first < images; first += options_.batch_size) {
    const int64_t count = std::min(options_.batch_size, images - first);
    const bool is_last_size = (images - first) % count == 0;
    if (!run.run_batch(first, count, is_last_size, on_step, values)) break;
  }
  return values;
}

std::vector<Image> Pipeline::generate(const GenerateRequest& request,
                                      const GenerateCallback& on_step) const {
  return to_images(generate_values(request, on_step), image_shape(), model_.objective.data_range);
}

std::vector<Image> to_images(std::span<const float> values, const Shape& shape, DataRange range) {
  const auto elements = static_cast<size_t>(shape.elements());
  std::vector<Image> images;
  for (size_t first = 0; first < values.size(); first += elements) {
    images.push_back(image_from_floats(values.subspan(first, elements), static_cast<int>(shape[1]),
                                       static_cast<int>(shape[0]), static_cast<int>(shape[2]),
                                       range));
  }
  return images;
}

}  // namespace ebb
