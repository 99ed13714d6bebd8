// gpu_parity: whether whole networks do on a GPU what they do on the CPU.
//   gpu_parity --model MODEL [--data DIR] [--precision PRECISION] [--json FILE]
// Trains the class UNet for some steps on both devices from the same numbers (f16 does not train)
// and draws the same guided digits with both; beyond f32, whose rounding a sampling of many steps
// would enlarge, compares one guided prediction instead. The CPU computes in f32. Exit code 1 when
// they part, 5 when there is no GPU.

#include <algorithm>
#include <cmath>
#include <iostream>
#include <nlohmann/json.hpp>

#include "apps/cli/cli.h"
#include "apps/train_mnist/batch_source.h"
#include "base/atomic_file.h"
#include "diffusion/conditioner.h"
#include "diffusion/denoiser.h"
#include "diffusion/image_noise.h"
#include "diffusion/model.h"
#include "diffusion/pipeline.h"
#include "engine/backend.h"
#include "nn/autograd/trainer.h"
#include "nn/param_collector.h"

namespace ebb {
namespace {

struct Flags {
  DeviceFlags device{.device = "cuda"};
  std::string model, data, json;
  int64_t hidden = 64, batch_size = 64, steps = 10, sampler_steps = 20, images = 4;
};

// Losses of the first steps from the same parameters, batches and noise.
std::vector<double> train(Context& context, const Flags& flags, const MnistDataset& data) {
  TrainConfig config = preset_config(TrainModel::kClass, Preset::kFa24);
  config.hidden = flags.hidden;
  config.batch_size = flags.batch_size;
  BatchSource source(context, data, config);
  autograd::Trainer trainer(context, make_network(config), {});
  trainer.params().initialize(config.seed);
  std::vector<double> losses;
  for (int64_t step = 0; step < flags.steps; ++step) {
    const Batch batch = source.batch(step % source.steps_per_epoch());
    losses.push_back(trainer.step(batch.inputs, batch.target, config.lr).loss);
  }
  return losses;
}

constexpr double kGuidance = 5;

Guidance guidance_of(Context& context, const Flags& flags, const Model& model) {
  std::vector<int64_t> classes;
  for (int64_t i = 0; i < flags.images; ++i) classes.push_back(3 * i % 10);
  return class_guidance(context, model.network, classes, kGuidance);
}

std::vector<float> draw(Context& context, const Flags& flags) {
  const Model model = Model::load(context, flags.model);
  const Pipeline pipeline(context, model, {.sampler = "ddpm", .steps = flags.sampler_steps});
  return pipeline.generate_values(
      {.images = flags.images, .seed = 1, .guidance = guidance_of(context, flags, model)});
}

// The prediction for pure noise, in the middle of the schedule.
std::vector<float> predict(Context& context, const Flags& flags) {
  const Model model = Model::load(context, flags.model);
  NetworkDenoiser denoiser(context, model.network, model.params, flags.images,
                           guidance_of(context, flags, model));
  const Tensor x = Tensor::empty(context, with_batch(flags.images, model.network.sample().shape));
  ImageNoise(context, 1).start(x);
  const std::vector<float> t{0.5f};
  return denoiser.predict(x, Tensor::from_host(context, {1, 1}, std::span<const float>(t)))
      .value.to_host();
}

double largest(double a, double b) { return std::isnan(a) || a >= b ? a : b; }  // a NaN stays

// Losses differ by the rounding of sums, which every step of Adam carries on and enlarges.
// Roundings to b bits in some twenty layers add up to sqrt(20) 2^-b, as much again in the
// gradients.
struct LossLimits {
  double early, all;  // relative
};
LossLimits loss_limits(Precision precision) {
  switch (precision) {
    case Precision::kF32:
      return {1e-4, 1e-3};
    case Precision::kTf32:
      return {5e-3, 2e-2};
    case Precision::kBF16:
      return {2e-2, 5e-2};
    case Precision::kF16:  // is not trained
      break;
  }
  return {0, 0};
}

nlohmann::ordered_json compare_losses(const std::vector<double>& cpu,
                                      const std::vector<double>& device, const LossLimits& limits) {
  constexpr int64_t kEarlySteps = 3;
  double early = 0, all = 0;
  for (size_t i = 0; i < cpu.size(); ++i) {
    const double difference = std::abs(device[i] - cpu[i]) / std::abs(cpu[i]);
    all = largest(all, difference);
    if (i < kEarlySteps) early = largest(early, difference);
  }
  return {{"cpu", cpu},
          {"device", device},
          {"difference of the first 3 steps", early},
          {"limit of the first 3 steps", limits.early},
          {"difference", all},
          {"limit", limits.all},
          {"passed", early <= limits.early && all <= limits.all}};
}

// Pixels are 0..1; a few dozen sampling steps enlarge roundings a little.
nlohmann::ordered_json compare_images(const std::vector<float>& cpu,
                                      const std::vector<float>& device) {
  constexpr double kLimit = 1e-2;  // less than three gray levels of 255
  double most = cpu.size() == device.size() ? 0 : 1;
  for (size_t i = 0; i < std::min(cpu.size(), device.size()); ++i) {
    most = largest(most, std::abs(double{device[i]} - cpu[i]));
  }
  return {
      {"values", cpu.size()}, {"difference", most}, {"limit", kLimit}, {"passed", most <= kLimit}};
}

// Twenty layers of values off by 2^-9 (bf16) or 2^-12 each, a difference of two predictions of
// which one counts 5 times and the other 4: (25 + 16) * 20 * 2^-18, or 2^-24, of the power.
nlohmann::ordered_json compare_predictions(const std::vector<float>& cpu,
                                           const std::vector<float>& device, Precision precision) {
  const double limit = 820 * (precision == Precision::kBF16 ? 0x1p-18 : 0x1p-24);
  double error = 0, power = 0;
  for (size_t i = 0; i < cpu.size(); ++i) {
    error += (double{device[i]} - cpu[i]) * (double{device[i]} - cpu[i]);
    power += double{cpu[i]} * cpu[i];
  }
  const double difference = error / power;
  return {{"values", cpu.size()},
          {"difference", difference},
          {"limit", limit},
          {"passed", difference <= limit}};
}

void save(const Flags& flags, const nlohmann::ordered_json& all) {
  if (!flags.json.empty()) write_file(flags.json, all.dump(1) + "\n");
}

void run(const Flags& flags) {
  const auto device = make_context(flags.device);
  const auto cpu = make_context("cpu", 0);
  const Precision precision = device->precision();
  nlohmann::ordered_json all = {{"program", "gpu_parity"},
                                {"device", flags.device.device},
                                {"precision", to_string(precision)}};
  bool passed = true;
  const auto classifier = [&](const char* name, const nlohmann::ordered_json& result) {
    all[name] = result;
    save(flags, all);
    passed = passed && result.at("passed").get<bool>();
    std::cout << name << ": largest difference " << result.at("difference").get<double>()
              << ", limit " << result.at("limit").get<double>()
              << (result.at("passed").get<bool>() ? "\n" : " FAILED\n");
  };
  EBB_CHECK(flags.data.empty() || precision != Precision::kF16, UsageError,
            "--precision f16: underflows on small gradients. Leave --data out, or use bf16");
  if (!flags.data.empty()) {
    const MnistDataset data = load_mnist(flags.data, MnistSplit::kTrain);
    classifier("training", compare_losses(train(*cpu, flags, data), train(*device, flags, data),
                                          loss_limits(precision)));
  }
  if (!flags.model.empty() && precision == Precision::kF32) {
    classifier("sampling", compare_images(draw(*cpu, flags), draw(*device, flags)));
  } else if (!flags.model.empty()) {
    classifier("prediction",
               compare_predictions(predict(*cpu, flags), predict(*device, flags), precision));
  }
  if (!passed) throw ExitWith{1};
}

}  // namespace
}  // namespace ebb

int main(int argc, char** argv) {
  ebb::Program program("Compares training and sampling on a GPU with the CPU.", "gpu_parity");
  ebb::Flags flags;
  program.add_option("--device", flags.device.device, "Device: cuda or emu").show_default();
  ebb::add_precision_flag(program, flags.device);
  program.add_option("--model", flags.model, "Class model to sample from");
  program.add_option("--data", flags.data, "MNIST directory to train on");
  program.add_option("--json", flags.json, "Write the results to this file");
  ebb::add_integer(program, "--hidden", flags.hidden, 1, 1024, "Width of the trained network");
  ebb::add_integer(program, "--batch-size", flags.batch_size, 1, 4096, "Images per step");
  ebb::add_integer(program, "--steps", flags.steps, 1, 1000, "Training steps");
  ebb::add_integer(program, "--sampler-steps", flags.sampler_steps, 1, 300, "Sampling steps");
  ebb::add_integer(program, "--images", flags.images, 1, 64, "Digits to generate");
  program.callback([&] { ebb::run(flags); });
  return ebb::run_program(program, std::vector<std::string>(argv, argv + argc));
}
