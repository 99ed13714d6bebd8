#include "apps/train_text_to_image/text_to_image_batches.h"

#include <algorithm>
#include <cmath>

#include "apps/train_text_to_image/text_to_image_network.h"
#include "diffusion/upscale.h"
#include "kernels/kernel_table.h"
#include "kernels/random/philox.h"
#include "nn/param_collector.h"

namespace ebb {
namespace {

constexpr int64_t kTimesteps = 1000;
// The noise that smaller images get is at most that of this timestep: DeepFloyd IF enlarges at 250.
constexpr int64_t kLowResTimesteps = 500;
constexpr uint64_t kFixedSeed = 0;

// A timestep as the hybrid loss sees it (Nichol & Dhariwal 2021): the first step's variance is
// 0, and the second's stands for it.
std::vector<float> loss_step(const NoiseSchedule& schedule, int64_t k) {
  const auto variance = [&](int64_t of) {
    return schedule.beta[static_cast<size_t>(of)] * (1 - schedule.signal(of - 1)) /
           (1 - schedule.signal(of));
  };
  const double beta = schedule.beta[static_cast<size_t>(k)], signal = schedule.signal(k);
  const double mean_of_start = beta * std::sqrt(schedule.signal(k - 1)) / (1 - signal);
  const double gap = mean_of_start * std::sqrt((1 - signal) / signal);
  return {static_cast<float>(std::log(variance(std::max<int64_t>(k, 1)))),
          static_cast<float>(std::log(beta)), static_cast<float>(gap), k == 0 ? 1.0f : 0.0f};
}

std::vector<float> normal(uint64_t seed, uint64_t number, uint32_t part, int64_t count) {
  std::vector<float> values(static_cast<size_t>(count));
  cpu_kernels().random_normal.fn(
      {seed, RandomStream::kNoise, number, part, 1, count, values.data()}, {});
  return values;
}

std::vector<float> with_noise(const std::vector<float>& clean, const std::vector<float>& noise,
                              double signal) {
  const auto keep = static_cast<float>(std::sqrt(signal));
  const auto take = static_cast<float>(std::sqrt(1 - signal));
  std::vector<float> noisy(clean.size());
  for (size_t i = 0; i < clean.size(); ++i) noisy[i] = keep * clean[i] + take * noise[i];
  return noisy;
}

// Means of 2 x 2 pixels.
std::vector<float> halved(const std::vector<float>& image, int side) {
  const auto s = static_cast<size_t>(side);
  std::vector<float> small;
  for (size_t i = 0; i < s; i += 2) {
    for (size_t j = 0; j < s; j += 2) {
      for (size_t c = 0; c < 3; ++c) {
        const auto at = [&](size_t row, size_t column) {
          return image[(row * s + column) * 3 + c];
        };
        small.push_back((at(i, j) + at(i, j + 1) + at(i + 1, j) + at(i + 1, j + 1)) / 4);
      }
    }
  }
  return small;
}

int64_t timestep_of(uint64_t seed, uint64_t number, size_t word, int64_t below) {
  const PhiloxWords words = random_words(seed, RandomStream::kTimestep, number, 0, 0);
  return below_from_word(words.w[word], static_cast<uint64_t>(below));
}

}  // namespace

DiffusionExamples::DiffusionExamples(const CaptionedImages& data, const TextToImageConfig& config)
    : data_(data),
      config_(config),
      side_(static_cast<int>(image_side(unet_size(config.size), config.stage))),
      schedule_(squared_cosine_schedule(kTimesteps)) {}

DiffusionExample DiffusionExamples::random(int64_t row, uint64_t number) const {
  const auto at = static_cast<size_t>(row);
  const PhiloxWords words = random_words(config_.seed, RandomStream::kDrop, number, 0, 0);
  const std::vector<int32_t>& captions = data_.captions[at];
  const bool drops = double{uniform_from_word(words.w[0])} < config_.caption_dropout;
  DiffusionExample example{
      .clean = std::vector<float>(static_cast<size_t>(side_) * side_ * 3),
      .timestep = timestep_of(config_.seed, number, 0, kTimesteps),
      .low_res_timestep = timestep_of(config_.seed, number, 1, kLowResTimesteps),
      .text = drops ? 0 : captions[below_from_word(words.w[1], captions.size())]};
  augment(data_.images[at], side_, config_.augmentation, config_.seed, number, example.clean);
  return noisy(std::move(example), number);
}

DiffusionExample DiffusionExamples::fixed(int64_t row, uint64_t number, int64_t timestep) const {
  const auto at = static_cast<size_t>(row);
  DiffusionExample example{.clean = std::vector<float>(static_cast<size_t>(side_) * side_ * 3),
                           .timestep = timestep,
                           .low_res_timestep = kLowResTimesteps / 2,
                           .text = data_.captions[at].front()};
  augment(data_.images[at], side_, {0, 0, 0, false}, kFixedSeed, number, example.clean);
  return noisy(std::move(example), number);
}

DiffusionExample DiffusionExamples::noisy(DiffusionExample example, uint64_t number) const {
  const auto count = static_cast<int64_t>(example.clean.size());
  example.noise = normal(config_.seed, number, 0, count);
  example.noisy = with_noise(example.clean, example.noise, schedule_.signal(example.timestep));
  if (config_.stage == 1) return example;
  const std::vector<float> enlarged =
      resize_bilinear(halved(example.clean, side_), side_ / 2, side_ / 2, 3, side_, side_);
  example.low_res = with_noise(enlarged, normal(config_.seed, number, 1, count),
                               schedule_.signal(example.low_res_timestep));
  return example;
}

TextToImageBatches::TextToImageBatches(Context& context, const CaptionedImages& data,
                                       const TextToImageConfig& config, const Network& network,
                                       const TextSource& text)
    : context_(context),
      network_(network),
      text_(text),
      examples_(data, config),
      order_(data.count(), config.batch_size, config.seed) {}

const TensorMap& TextToImageBatches::stage(int64_t step) {
  const BatchOrder::Slice slice = order_.slice(step);
  const uint64_t first = order_.first_example(step);
  std::vector<DiffusionExample> examples;
  for (const int32_t row : order_.rows(slice)) {
    examples.push_back(examples_.random(row, first + examples.size()));
  }
  return write(examples);
}

const TensorMap& TextToImageBatches::stage_fixed(int64_t images, int64_t timestep) {
  std::vector<DiffusionExample> examples;
  for (int64_t i = 0; i < images; ++i) {
    examples.push_back(examples_.fixed(i, static_cast<uint64_t>(i), timestep));
  }
  return write(examples);
}

const TensorMap& TextToImageBatches::write(const std::vector<DiffusionExample>& examples) {
  const TensorMap& inputs = tensors(static_cast<int64_t>(examples.size()));
  std::map<std::string, std::vector<float>> values;
  std::vector<int32_t> texts;
  const auto append = [&](const char* name, const std::vector<float>& more) {
    values[name].insert(values[name].end(), more.begin(), more.end());
  };
  for (const DiffusionExample& example : examples) {
    append("sample", example.noisy);
    append("timestep", {static_cast<float>(example.timestep)});
    append(kNoiseInput, example.noise);
    append(kImagesInput, example.clean);
    append(kStepsInput, loss_step(examples_.schedule(), example.timestep));
    texts.push_back(example.text);
    if (example.low_res.empty()) continue;
    append("image", example.low_res);
    append("class_labels", {static_cast<float>(example.low_res_timestep)});
  }
  for (const auto& [name, numbers] : values) inputs.at(name).copy_from_host(numbers);
  text_.write(texts, inputs);
  return inputs;
}

const TensorMap& TextToImageBatches::tensors(int64_t images) {
  TensorMap& inputs = staged_[images];
  if (!inputs.empty()) return inputs;
  for (const NetworkInput& input : network_.inputs) {
    inputs[input.name] = Tensor::empty(context_, with_batch(images, input.shape), input.dtype);
  }
  return inputs;
}

}  // namespace ebb
