#include "diffusion/eval/diffusion_classifier.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <string>

#include "base/text.h"
#include "diffusion/combine.h"
#include "diffusion/conditioner.h"
#include "diffusion/image_noise.h"
#include "diffusion/noise_level.h"
#include "diffusion/schedule.h"
#include "engine/executor.h"
#include "nn/graph_builder.h"
#include "nn/param_collector.h"

namespace ebb {
namespace {

constexpr int64_t kBatch = 8;  // images; the network predicts for all classes of each at once

// One noise level: x_t = image * x + noise * eps, target = target_image * x + target_noise * eps.
struct Level {
  double t, image, noise, target_image, target_noise;
};

Level level_of(const Objective& objective, int64_t trial, int64_t trials) {
  const double middle = (static_cast<double>(trial) + 0.5) / static_cast<double>(trials);
  if (objective.type == ObjectiveType::kFlow) return {middle, middle, 1 - middle, 1, -1};
  const NoiseSchedule schedule = ddpm_schedule(objective);
  const auto k = static_cast<int64_t>(middle * static_cast<double>(schedule.timesteps()));
  return {timestep_level(objective, k).time, std::sqrt(schedule.signal(k)),
          std::sqrt(1 - schedule.signal(k)), 0, 1};
}

class QueryRunner {
 public:
  QueryRunner(Context& context, const Model& model)
      : context_(context),
        network_(model.network),
        classes_(class_count(network_)),
        image_(network_.sample().shape),
        executor_(context, inference_graph(network_, batches(), context), model.params),
        x_(Tensor::empty(context, with_batch(kBatch, image_))),
        eps_(Tensor::empty(context, x_.shape())) {
    std::vector<int64_t> labels;  // output c * kBatch + n: class c of image n
    for (int64_t row = 0; row < kBatch * classes_; ++row) labels.push_back(row / kBatch);
    const TensorMap conditions = ClassConditioner(context, network_, "the model").encode(labels);
    set_input(InputRole::kCondition, conditions.begin()->second);
  }

  int64_t classes() const { return classes_; }

  // Adds the errors at one level to errors [count, classes]. clean: kBatch images.
  void evaluate(const Level& level, const Tensor& clean, const ImageNoise& noise, int64_t trial,
                int64_t count, double* errors) {
    noise.step(trial, eps_);
    const std::array terms{clean, eps_};
    combine(context_, terms, coefficients(context_, std::array{level.image, level.noise}), x_);
    set_input(InputRole::kSample, x_);
    set_input(InputRole::kTime,
              coefficients(context_, std::array{level.t})
                  .reshape(with_batch(1, network_.input(InputRole::kTime)->shape)));
    const std::vector<float> outputs = executor_.run().to_host();
    const std::vector<float> x = clean.to_host(), eps = eps_.to_host();
    const int64_t pixels = image_.elements();
    for (int64_t n = 0; n < count; ++n) {
      for (int64_t c = 0; c < classes_; ++c) {
        const float* output = outputs.data() + (c * kBatch + n) * pixels;
        double sum = 0;
        for (int64_t p = 0; p < pixels; ++p) {
          const double target =
              level.target_image * x[n * pixels + p] + level.target_noise * eps[n * pixels + p];
          sum += (output[p] - target) * (output[p] - target);
        }
        EBB_CHECK(std::isfinite(sum), DivergedError, "diffusion_errors: the model outputs with ",
                  "values that are not finite at t = ", level.t, ". Its training has diverged.");
        errors[n * classes_ + c] += sum;
      }
    }
  }

 private:
  std::map<std::string, int64_t> batches() const {
    std::map<std::string, int64_t> batch;
    for (const NetworkInput& input : network_.inputs) {
      batch[input.name] = input.role == InputRole::kSample ? kBatch
                          : input.role == InputRole::kTime ? 1
                                                           : kBatch * classes_;
    }
    return batch;
  }

  void set_input(InputRole role, const Tensor& value) {
    executor_.set_input(network_.input(role)->name, value);
  }

  Context& context_;
  const Network& network_;
  int64_t classes_;
  Shape image_;
  Executor executor_;
  Tensor x_, eps_;
};

}  // namespace

std::vector<double> diffusion_errors(Context& context, const Model& model,
                                     std::span<const float> images,
                                     const DiffusionClassifierRequest& request,
                                     const std::function<void(int64_t)>& on_progress) {
  EBB_CHECK(class_count(model.network) > 0, UsageError, path_label(model.path),
            ": takes no class, so it cannot classify. Use a class-conditioned model.");
  QueryRunner runner(context, model);
  const Shape batch_shape = with_batch(kBatch, model.network.sample().shape);
  const int64_t pixels = batch_shape.elements() / kBatch;
  const auto count = static_cast<int64_t>(images.size()) / pixels;
  EBB_CHECK(count * pixels == static_cast<int64_t>(images.size()), ShapeError,
            "diffusion_errors: ", images.size(), " pixels, expected a multiple of ", pixels);
  std::vector<double> errors(static_cast<size_t>(count * runner.classes()), 0.0);
  for (int64_t first = 0; first < count; first += kBatch) {
    const int64_t part = std::min(kBatch, count - first);
    std::vector<float> values(static_cast<size_t>(kBatch * pixels), 0.0f);
    std::copy_n(images.begin() + first * pixels, part * pixels, values.begin());
    const Tensor clean = Tensor::from_host(context, batch_shape, std::span<const float>(values));
    const ImageNoise noise(context, request.first_seed + static_cast<uint64_t>(first));
    for (int64_t trial = 0; trial < request.trials; ++trial) {
      runner.evaluate(level_of(model.objective, trial, request.trials), clean, noise, trial, part,
                      errors.data() + first * runner.classes());
      on_progress(first * request.trials + (trial + 1) * part);
    }
  }
  return errors;
}

std::vector<int64_t> least_error(std::span<const double> errors, int64_t classes) {
  std::vector<int64_t> labels;
  for (auto row = errors.begin(); row != errors.end(); row += classes) {
    labels.push_back(std::min_element(row, row + classes) - row);
  }
  return labels;
}

}  // namespace ebb
