#include "diffusion/compare_run.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "base/json.h"
#include "base/text.h"
#include "diffusion/compare_layers.h"
#include "diffusion/consistency.h"
#include "diffusion/pipeline.h"
#include "diffusion/presets.h"
#include "diffusion/upscale.h"
#include "nn/config_reader.h"
#include "nn/param_collector.h"

namespace ebb {
namespace {

constexpr size_t kListedNames = 20;
constexpr const char* kOutput = "output";

// The part of a reference that is no tensor.
struct RunSettings {
  bool is_course = false;
  double guidance_scale = 1;
  int64_t noise_level = 0;
};

RunSettings read_settings(const ReferenceFile& reference) {
  const auto stored = reference.metadata().find("reference");
  if (stored == reference.metadata().end()) return {};
  const std::string label = cat(reference.label(), ": metadata \"reference\"");
  const Json json = Json::parse(stored->second, nullptr, /*allow_exceptions=*/false);
  EBB_CHECK(json.is_object(), FormatError, label, " is ", quoted(stored->second),
            ", expected a JSON object with mode, guidance_scale and noise_level.");
  const ConfigReader reader(json, label);
  return {.is_course = reader.choice<bool>("mode", kPipelinePreset,
                                           {{kPipelinePreset, false}, {kCoursePreset, true}}),
          .guidance_scale = reader.number("guidance_scale", 1),
          .noise_level = reader.integer("noise_level", 0, 0, kMaxTimesteps - 1)};
}

// Noise that was saved.
class SavedNoise final : public NoiseSource {
 public:
  // start [N, H, W, C], steps [S * N, H, W, C] or undefined.
  SavedNoise(Tensor start, Tensor steps, std::string where)
      : start_(std::move(start)), steps_(std::move(steps)), where_(std::move(where)) {}

  void start(const Tensor& x) const override { x.copy_from(start_); }
  void step(int64_t index, const Tensor& z) const override {
    const int64_t first = index * z.elements();
    EBB_CHECK(steps_.defined() && first + z.elements() <= steps_.elements(), FormatError, where_,
              ": no noise for step ", index,
              ". Add it to the tensor \"input.noise\" [S, N, C, H, W].");
    z.copy_from(steps_.range(first, z.shape()));
  }
  void reference(int64_t, const Tensor&) const override {
    throw Error("compare: a run with a known image");
  }

 private:
  Tensor start_, steps_;
  std::string where_;
};

// One reference with the model for its sizes.
class ReferenceRun {
 public:
  ReferenceRun(Context& context, const ReferenceFile& reference, Model model)
      : context_(context),
        reference_(reference),
        settings_(read_settings(reference)),
        model_(std::move(model)) {
    check_objective();
    images_ = static_cast<int64_t>(reference.input_shape("x_T").at(0));
    model_.network = fit_to_reference(model_.network, reference, "x_T");
    schedule_ = schedule();
    check_names();
  }

  std::vector<LayerComparison> compare(const CompareRequest& request) {
    GenerateRequest run{
        .images = images_, .guidance = guidance(), .schedule = schedule_, .noise = noise()};
    PipelineOptions options{.batch_size = images_, .enlarges = true};
    if (!is_consistency()) options.preset = settings_.is_course ? kCoursePreset : kPipelinePreset;
    Pipeline pipeline(context_, std::move(model_), std::move(options));
    std::vector<LayerComparison> result;
    const auto compare = [&](const std::string& name, const Tensor& x) {
      if (!compared_.contains(name)) return;
      result.push_back(compare_tensor(name, x, reference_.output_values(name, x.shape())));
    };
    const auto after_step = [&](const GenerateStep& step) {
      if (step.step > 0) compare(cat("x.", step.step - 1), step.x);
      if (step.step == step.steps) compare(kOutput, step.x);
      if (step.step > 0 && request.on_progress) request.on_progress(step.step, step.steps);
      return true;
    };
    std::move(pipeline).generate_values(run, after_step);
    return result;
  }

 private:
  bool is_consistency() const { return model_.objective.type == ObjectiveType::kConsistency; }

  void check_objective() const {
    const bool is_ddpm = model_.objective.type == ObjectiveType::kDdpm;
    EBB_CHECK(is_ddpm || is_consistency(), UsageError, path_label(model_.path), ": was trained as ",
              to_string(model_.objective.type),
              ", expected ddpm or consistency for a reference of a sampling run.");
    EBB_CHECK(is_ddpm || !settings_.is_course, FormatError, reference_.label(),
              ": metadata \"reference\" has mode \"course\", which consistency models do not run.");
  }

  int64_t steps() const { return step_count(schedule_); }

  SamplingSchedule schedule() const {
    const std::vector<double> times = reference_.input_numbers("timesteps");
    const size_t least = settings_.is_course ? 2 : 1;
    EBB_CHECK(reference_.input_shape("timesteps").size() == 1 && times.size() >= least, FormatError,
              reference_.label(), ": tensor \"input.timesteps\" is ",
              shape_text(reference_.input_shape("timesteps")), ", expected at least ", least,
              " timesteps in a row.");
    return is_consistency() ? consistency_times(times) : ddpm_times(times);
  }

  // A whole number below `most`.
  int64_t timestep(double time, int64_t most) const {
    EBB_CHECK(time == std::floor(time) && time >= 0 && time < static_cast<double>(most),
              FormatError, reference_.label(), ": tensor \"input.timesteps\" holds ", time,
              ", expected timesteps of 0..", most - 1, ". Use a reference of this model.");
    return static_cast<int64_t>(time);
  }

  SamplingSchedule ddpm_times(const std::vector<double>& times) const {
    std::vector<int64_t> list;
    for (const double time : times) {
      list.push_back(timestep(time, model_.objective.timesteps));
      EBB_CHECK(list.size() == 1 || list[list.size() - 2] > list.back(), FormatError,
                reference_.label(), ": tensor \"input.timesteps\" goes from ",
                list[list.size() - 2], " to ", list.back(), ", expected that timesteps descend.");
    }
    SamplingSchedule schedule = timesteps_schedule(model_.objective, list);
    if (settings_.is_course) {
      schedule.pop_back();
    } else if (list.back() > 0) {
      // diffusers adds noise after every timestep but 0, also where the list ends above it, with
      // its least variance for that of the clean image.
      schedule.back().one_minus_alpha_bar = 1e-20;
    }
    return schedule;
  }

  SamplingSchedule consistency_times(std::vector<double> times) const {
    const bool are_indices = std::all_of(times.begin(), times.end(), [&](double time) {
      return time == std::floor(time) && time >= 0 &&
             time < static_cast<double>(model_.objective.timesteps);
    });
    std::vector<int64_t> list;
    if (are_indices) {
      std::sort(times.begin(), times.end());
      for (const double time : times) list.push_back(static_cast<int64_t>(time));
      return consistency_schedule(model_.objective, list);
    }
    SamplingSchedule schedule;
    for (const double time : times) {
      const double sigma = std::exp(time / 250);
      schedule.push_back(
          {.alpha_bar = 1, .one_minus_alpha_bar = sigma * sigma, .time = time, .timestep = -1});
    }
    schedule.push_back({});
    return schedule;
  }

  void check_names() {
    static const std::set<std::string> kInputs = {
        "x_T",          "noise", "timesteps",    "encoder_hidden_states",
        "class_labels", "image", "upscale_noise"};
    for (const std::string& name : reference_.inputs()) {
      EBB_CHECK(kInputs.contains(name), FormatError, reference_.label(), ": tensor ",
                quoted("input." + name), " is no input of a sampling run.");
    }
    std::set<std::string> known = {kOutput};
    for (int64_t k = 0; k < steps(); ++k) known.insert(cat("x.", k));
    std::vector<std::string> strangers;
    for (const std::string& name : reference_.outputs()) {
      if (!known.contains(name)) strangers.push_back(name);
      compared_.insert(name);
    }
    EBB_CHECK(strangers.empty(), FormatError, reference_.label(), ": ",
              name_list(strangers, kListedNames), " is not part of the run, which has x.0 to x.",
              steps() - 1, " and output.");
    EBB_CHECK(!compared_.empty(), FormatError, reference_.label(),
              ": no tensors but inputs, expected states of the run to compare with.");
  }

  // Rows of an input of the network: f32, or ids.
  Tensor rows(const NetworkInput& input) const {
    const std::vector<uint64_t>& stored = reference_.input_shape(input.name);
    const auto count = stored.empty() ? 0 : static_cast<int64_t>(stored[0]);
    EBB_CHECK(count == images_ || count == 2 * images_, FormatError, reference_.label(),
              ": tensor \"input.", input.name, "\" is ", shape_text(stored), ", expected ", images_,
              " or ", 2 * images_, " rows for ", images_, " images.");
    return read_input(context_, reference_, input, count);
  }

  // The conditions of one half: 0 those to lead away from, 1 the wanted ones.
  TensorMap condition(int half) const {
    TensorMap result;
    for (const NetworkInput& input : model_.network.inputs) {
      const bool is_given = reference_.has_input(input.name);
      if (input.role != InputRole::kCondition || (is_noise_level(input) && !is_given)) continue;
      const Tensor all = rows(input);
      const int64_t first = all.shape()[0] > images_ ? half * images_ : 0;
      result[input.name] = select_images(context_, all, first, images_);
    }
    return result;
  }

  TensorMap low_res() const {
    const NetworkInput* input = model_.network.input(InputRole::kLowRes);
    if (input == nullptr) return {};
    const std::vector<uint64_t>& small = reference_.input_shape("image");
    EBB_CHECK(small.size() == 4 && static_cast<int64_t>(small[0]) == images_ &&
                  static_cast<int64_t>(small[1]) == input->shape[2] && small[2] > 0 && small[3] > 0,
              FormatError, reference_.label(), ": tensor \"input.image\" is ", shape_text(small),
              ", expected [", images_, ", ", input->shape[2], ", h, w].");
    const Tensor images = reference_.input_tensor(
        context_, "image",
        {images_, static_cast<int64_t>(small[2]), static_cast<int64_t>(small[3]), input->shape[2]});
    Tensor eps;
    if (takes_noise_level(model_.network)) {
      eps = reference_.input_tensor(context_, "upscale_noise", with_batch(images_, input->shape));
    }
    return low_res_condition(context_, model_, images, eps, settings_.noise_level,
                             cat(reference_.label(), ": noise_level"));
  }

  Guidance guidance() const {
    const TensorMap wanted = condition(1), image = low_res();
    const bool is_guided = settings_.guidance_scale > 1 && !wanted.empty();
    Guidance guidance =
        is_guided ? guided(wanted, condition(0), settings_.guidance_scale) : conditioned(wanted);
    for (GuidanceTerm& term : guidance) term.condition.insert(image.begin(), image.end());
    return guidance;
  }

  std::shared_ptr<const NoiseSource> noise() const {
    const Shape shape = with_batch(images_, model_.network.sample().shape);
    const Tensor start = reference_.input_tensor(context_, "x_T", shape);
    const Tensor steps = reference_.has_input("noise")
                             ? reference_.stacked_input(context_, "noise", shape)
                             : Tensor();
    return std::make_shared<SavedNoise>(start, steps, reference_.label());
  }

  Context& context_;
  const ReferenceFile& reference_;
  RunSettings settings_;
  Model model_;
  int64_t images_ = 0;
  SamplingSchedule schedule_;
  std::set<std::string> compared_;
};

}  // namespace

bool is_run_reference(const ReferenceFile& reference) { return reference.has_input("x_T"); }

CompareLimits run_limits(Precision precision) {
  switch (precision) {
    case Precision::kF32:
      break;
    case Precision::kTf32:
      return {.nmse = 4e-4};  // 40 dB of images in -1..1
    case Precision::kBF16:
    case Precision::kF16:
      return {.nmse = 4e-3};  // 30 dB
  }
  return {.max_error = 1e-4};
}

Comparison compare_run(Context& context, const CompareRequest& request) {
  Model model = Model::load(context, request.model, request.variant);
  const std::vector<std::string> warnings = model.warnings;
  ReferenceRun run(context, request.reference, std::move(model));
  return {.layers = run.compare(request), .warnings = warnings};
}

}  // namespace ebb
