#include "apps/train_mnist/sample_grids.h"

#include <iomanip>
#include <sstream>

#include "base/text.h"
#include "diffusion/conditioner.h"
#include "diffusion/pipeline.h"
#include "engine/executor.h"
#include "image/labeled_grid.h"
#include "image/png.h"
#include "nn/graph_builder.h"

namespace ebb {
namespace {

constexpr int kColumns = 10;
constexpr int kSamples = 40;
constexpr int kTestDigits = 8;
constexpr int kSweepDigits = 3;
constexpr int kScale = figure_scale(28);
constexpr double kGuidanceScale = 5;
constexpr int64_t kFastSteps = 20;
constexpr double kSweep[] = {0, 0.2, 0.4, 0.5, 0.6, 0.8, 1};

using Pixels = std::vector<float>;  // [N, 28, 28]

std::vector<Image> to_images(const Pixels& pixels) {
  std::vector<Image> images;
  for (size_t at = 0; at < pixels.size(); at += MnistDataset::kPixels) {
    images.push_back(image_from_floats({pixels.data() + at, MnistDataset::kPixels}, 28, 28, 1,
                                       DataRange::kZeroToOne));
  }
  return images;
}

std::string with_digits(double value) {
  std::ostringstream out;
  out << "\u03c3 " << std::setprecision(2) << value;
  return out.str();
}

// Clean test digits, and the standard normal noise that is added to them.
struct TestDigits {
  int64_t count;
  Pixels clean, noise;

  Pixels noisy(double sigma) const {
    Pixels result(clean.size());
    for (size_t i = 0; i < clean.size(); ++i) {
      result[i] = clean[i] + static_cast<float>(sigma) * noise[i];
    }
    return result;
  }
};

// Unwinds out of the network calls of a grid that is no longer needed.
struct Stopped {};

TestDigits first_test_digits(Context& context, const TrainOptions& options,
                             const MnistDataset& data, int64_t count) {
  TestDigits digits{.count = std::min(count, data.count), .clean = {}, .noise = {}};
  for (int64_t i = 0; i < digits.count * MnistDataset::kPixels; ++i) {
    digits.clean.push_back(static_cast<float>(data.images[i]) / 255.0f);
  }
  const Tensor noise = Tensor::empty(context, {digits.count, 28, 28, 1});
  ImageNoise(context, options.config.seed).start(noise);
  digits.noise = noise.to_host();
  return digits;
}

class OneStepDenoiser {
 public:
  OneStepDenoiser(Context& context, const autograd::Trainer& trainer, int64_t count,
                  const std::function<bool()>& stopped)
      : context_(context),
        stopped_(stopped),
        shape_{count, 28, 28, 1},
        input_(trainer.network().sample().name),
        executor_(context, inference_graph(trainer.network(), count, context),
                  trainer.params().final_weights()) {}

  Pixels operator()(const Pixels& input) {
    if (stopped_()) throw Stopped();
    executor_.set_input(input_, Tensor::from_host(context_, shape_, std::span<const float>(input)));
    return executor_.run().to_host();
  }

 private:
  Context& context_;
  const std::function<bool()>& stopped_;
  Shape shape_;
  std::string input_;
  Executor executor_;
};

void append(std::vector<Image>& images, const Pixels& pixels) {
  for (Image& image : to_images(pixels)) images.push_back(std::move(image));
}

Image denoiser_grid(const TestDigits& digits, OneStepDenoiser& denoise, double sigma,
                    const std::string& of) {
  const Pixels noisy = digits.noisy(sigma);
  std::vector<Image> images;
  for (const Pixels& row : {digits.clean, noisy, denoise(noisy)}) append(images, row);
  return make_labeled_grid(images, static_cast<int>(digits.count),
                           {.title = "Test digits, " + with_digits(sigma) + ", " + of,
                            .columns = {},
                            .rows = {"clean", "noisy", "denoised"}},
                           kScale);
}

// Two rows a digit (noisy, denoised), a column for each sigma.
Image sweep_grid(const TestDigits& digits, OneStepDenoiser& denoise, double trained_sigma,
                 const std::string& of) {
  std::vector<std::vector<Image>> noisy, denoised;
  GridLabels labels{
      .title = "Trained at " + with_digits(trained_sigma) + ", tested at other noise levels, " + of,
      .columns = {},
      .rows = {}};
  for (double sigma : kSweep) {
    const Pixels input = digits.noisy(sigma);
    noisy.push_back(to_images(input));
    denoised.push_back(to_images(denoise(input)));
    labels.columns.push_back(with_digits(sigma));
  }
  std::vector<Image> images;
  for (int64_t digit = 0; digit < digits.count; ++digit) {
    for (const auto* rows : {&noisy, &denoised}) {
      for (const auto& column : *rows) images.push_back(column[static_cast<size_t>(digit)]);
    }
    labels.rows.insert(labels.rows.end(), {"noisy", "denoised"});
  }
  return make_labeled_grid(images, static_cast<int>(std::size(kSweep)), labels, kScale);
}

void save(const std::string& path, const Image& image) {
  write_png(path, image, {}, Overwrite::kReplace);
}

void write_denoiser_grids(Context& context, const autograd::Trainer& trainer,
                          const TrainOptions& options, const MnistDataset& test_data,
                          const std::string& path, const std::string& of,
                          const std::function<bool()>& stopped) {
  const Objective& objective = options.config.objective;
  if (objective.type == ObjectiveType::kPureNoise) {
    const TestDigits digits = first_test_digits(context, options, test_data, kColumns);
    OneStepDenoiser denoise(context, trainer, digits.count, stopped);
    save(path, make_labeled_grid(to_images(denoise(digits.noise)), kColumns,
                                 {.title = "Made of pure noise, " + of, .columns = {}, .rows = {}},
                                 kScale));
    return;
  }
  const TestDigits digits = first_test_digits(context, options, test_data, kTestDigits);
  OneStepDenoiser denoise(context, trainer, digits.count, stopped);
  const TestDigits few = first_test_digits(context, options, test_data, kSweepDigits);
  OneStepDenoiser denoise_few(context, trainer, few.count, stopped);
  save(path.substr(0, path.rfind('.')) + "-sigma.png",
       sweep_grid(few, denoise_few, objective.sigma, of));
  save(path, denoiser_grid(digits, denoise, objective.sigma, of));
}

// The model's default sampler, or the one that needs the fewest steps.
PipelineOptions sampling_options(const Objective& objective, SampleQuality quality) {
  if (quality == SampleQuality::kDefault) return {.batch_size = kSamples};
  const bool ddpm = objective.type == ObjectiveType::kDdpm;
  return {.sampler = to_string(ddpm ? SamplerKind::kDpmpp : SamplerKind::kEuler),
          .steps = ddpm ? std::min(kFastSteps, objective.timesteps) : kFastSteps,
          .batch_size = kSamples};
}

// The classes above the columns where each column is of one, else below the images.
GridLabels class_labels(const std::vector<int64_t>& classes, const std::string& of) {
  GridLabels labels{.title = "Samples, " + of, .columns = {}, .rows = {}};
  if (classes.front() == kNoClass) return labels;
  bool aligned = true;
  for (size_t i = kColumns; i < classes.size(); ++i) aligned &= classes[i] == classes[i - kColumns];
  const size_t texts = aligned ? kColumns : classes.size();
  for (size_t i = 0; i < texts; ++i) {
    (aligned ? labels.columns : labels.cells).push_back(cat("class ", classes[i]));
  }
  return labels;
}

void write_drawn_grid(Context& context, const autograd::Trainer& trainer, const TrainConfig& config,
                      const std::string& path, const std::string& of, SampleQuality quality,
                      const std::function<bool()>& stopped) {
  const std::optional<ClassSamples> samples =
      draw_class_samples(context, trainer, config, quality, [&] { return !stopped(); });
  if (!samples) throw Stopped();
  const Shape image = trainer.network().sample().shape;
  save(path, make_labeled_grid(to_images(samples->values, image, config.objective.data_range),
                               kColumns, class_labels(samples->labels, of), kScale));
}

}  // namespace

std::optional<ClassSamples> draw_class_samples(Context& context, const autograd::Trainer& trainer,
                                               const TrainConfig& config, SampleQuality quality,
                                               const std::function<bool()>& go_on) {
  const bool classes = config.model == TrainModel::kClass;
  ClassSamples samples;
  for (int64_t i = 0; i < kSamples; ++i) {
    samples.labels.push_back(classes ? i % config.classes : kNoClass);
  }
  const Pipeline pipeline(context,
                          {.network = trainer.network(),
                           .objective = config.objective,
                           .params = trainer.params().final_weights()},
                          sampling_options(config.objective, quality));
  samples.values =
      pipeline.generate_values({.labels = samples.labels, .guidance_scale = kGuidanceScale},
                               [&](const GenerateStep&) { return go_on(); });
  const size_t all = samples.labels.size() * MnistDataset::kPixels;
  if (samples.values.size() < all) return std::nullopt;
  return samples;
}

bool write_sample_grid(Context& context, const autograd::Trainer& trainer,
                       const TrainOptions& options, const MnistDataset& test_data,
                       const std::string& path, const std::string& of, SampleQuality quality,
                       const std::function<bool()>& stopped) {
  try {
    if (options.config.model == TrainModel::kDenoiser) {
      write_denoiser_grids(context, trainer, options, test_data, path, of, stopped);
    } else {
      write_drawn_grid(context, trainer, options.config, path, of, quality, stopped);
    }
    return true;
  } catch (const Stopped&) {
    return false;
  }
}

}  // namespace ebb
