#include "diffusion/pipeline.h"

#include <ebb/pipeline.h>

#include <algorithm>
#include <array>
#include <utility>

#include "api/impl.h"
#include "base/error.h"
#include "diffusion/conditioner.h"
#include "diffusion/view.h"
#include "nn/param_collector.h"

namespace ebb::api {
namespace {

constexpr uint8_t kInpaintFrom = 128;  // level of a mask

std::vector<Image> public_images(std::vector<ebb::Image> images) {
  std::vector<Image> result;
  result.reserve(images.size());
  for (ebb::Image& image : images) result.push_back(to_public(std::move(image)));
  return result;
}

ebb::PipelineOptions internal_options(const PipelineOptions& options) {
  EBB_CHECK(options.variance != "learned_range", UsageError,
            "variance learned_range: is chosen by the model. Leave variance out.");
  return {.sampler = options.sampler,
          .steps = options.steps,
          .variance = options.variance,
          .eta = options.eta,
          .batch_size = options.batch_size};
}

// The engine's form of a request.
class Translation {
 public:
  Translation(ebb::Context& context, const ebb::Pipeline& pipeline, const GenerateRequest& request)
      : context_(context), pipeline_(pipeline), request_(request) {}

  ebb::GenerateRequest request() const {
    ebb::GenerateRequest result{.prompts = request_.prompts,
                                .labels = request_.labels,
                                .images = request_.images,
                                .guidance_scale = request_.guidance_scale,
                                .seed = request_.seed};
    if (!request_.views.empty()) set_views(result);
    EBB_CHECK(!request_.mask || request_.image, UsageError,
              "mask: given without image. Give the image whose other pixels stay.");
    if (request_.mask) {
      result.constraint = std::make_shared<InpaintConstraint>(context_, mask(), image());
    } else if (request_.image) {
      result.start = image();
      result.schedule = last_steps();
    }
    return result;
  }

 private:
  void set_views(ebb::GenerateRequest& result) const {
    std::vector<int64_t> labels = request_.labels;
    for (const std::string& prompt : request_.prompts) labels.push_back(pipeline_.label_of(prompt));
    EBB_CHECK(labels.size() == request_.views.size(), UsageError, "views: ", request_.views.size(),
              " for ", labels.size(), " prompts and labels. Give each view one.");
    const Shape shape = pipeline_.image_shape();
    const bool has_black_at_zero = pipeline_.model().objective.data_range == DataRange::kZeroToOne;
    std::vector<ViewedGuidance> parts;
    for (size_t v = 0; v < labels.size(); ++v) {
      const View view = make_view(request_.views[v], shape[0], shape[1], "views");
      EBB_CHECK(
          view.sign > 0 || !has_black_at_zero, UsageError, "views ", view.name,
          ": needs a model whose images have black at -1, this one has it at 0. Use another.");
      ebb::GenerateRequest part{.labels = {labels[v]}, .guidance_scale = request_.guidance_scale};
      parts.push_back({view, pipeline_.guidance(part)});
    }
    result.guidance = mean_of_views(parts);
    result.prompts.clear();
    result.labels.clear();
  }

  // `image` when it has the model's size and channels; else UsageError.
  ebb::Image checked(const Image& image, int64_t channels, const char* field) const {
    const Shape shape = pipeline_.image_shape();
    EBB_CHECK(image.height == shape[0] && image.width == shape[1] && image.channels == channels,
              UsageError, field, ": is ", image.width, " x ", image.height, " with ",
              image.channels, " channels, expected ", shape[1], " x ", shape[0], " with ", channels,
              ". Use Image::resized() and Image::to_gray().");
    return to_internal(image, field);
  }

  DataRange range() const { return pipeline_.model().objective.data_range; }

  Tensor tensor(const std::vector<float>& values) const {
    return Tensor::from_host(context_, with_batch(1, pipeline_.image_shape()),
                             std::span<const float>(values));
  }

  // [1, H, W, C]
  Tensor image() const {
    const ebb::Image image = checked(*request_.image, pipeline_.image_shape()[2], "image");
    return tensor(image_to_floats(image, range()));
  }

  // [1, H, W, C]; 1: inpaint
  Tensor mask() const {
    const ebb::Image mask = checked(*request_.mask, 1, "mask");
    const int64_t channels = pipeline_.image_shape()[2];
    std::vector<float> values;
    for (const uint8_t level : mask.pixels) {
      values.insert(values.end(), static_cast<size_t>(channels), level >= kInpaintFrom ? 1.F : 0.F);
    }
    return tensor(values);
  }

  // At least one.
  SamplingSchedule last_steps() const {
    const double strength = request_.strength;
    EBB_CHECK(strength > 0 && strength <= 1, UsageError, "strength ", strength,
              ": must be above 0 and at most 1");
    const SamplingSchedule all = pipeline_.schedule();
    const int64_t steps = step_count(all);
    const auto kept =
        std::max<int64_t>(1, static_cast<int64_t>(static_cast<double>(steps) * strength));
    return {all.end() - 1 - kept, all.end()};
  }

  ebb::Context& context_;
  const ebb::Pipeline& pipeline_;
  const GenerateRequest& request_;
};

}  // namespace

struct Pipeline::Impl {
  Context context;
  ebb::Pipeline pipeline;
};

Pipeline::Pipeline(const Context& context, const Model& model, const PipelineOptions& options) {
  check_same_context(context, model);
  impl_ = std::make_shared<const Impl>(Impl{
      context, ebb::Pipeline(context_of(context), model.impl()->model, internal_options(options))});
}

std::vector<Image> Pipeline::generate(const GenerateRequest& request,
                                      const GenerateCallback& on_step) const {
  const ebb::Pipeline& pipeline = impl_->pipeline;
  const auto images = [&pipeline](const Tensor& x) {
    return public_images(
        to_images(x.to_host(), pipeline.image_shape(), pipeline.model().objective.data_range));
  };
  const auto after_step = [&](const ebb::GenerateStep& step) {
    const std::function<std::vector<Image>()> noisy = [&] { return images(step.x); };
    const std::function<std::vector<Image>()> clean = [&] { return images(step.clean_estimate()); };
    return on_step({.first_image = step.first_image,
                    .step = step.step,
                    .steps = step.steps,
                    .noisy_images = noisy,
                    .clean_images = clean});
  };
  const Translation translation(context_of(impl_->context), pipeline, request);
  return public_images(pipeline.generate(translation.request(),
                                         on_step ? ebb::GenerateCallback(after_step) : nullptr));
}

std::string Pipeline::sampler() const { return to_string(impl_->pipeline.sampler()); }
int64_t Pipeline::steps() const { return step_count(impl_->pipeline.schedule()); }

}  // namespace ebb::api
