// gpu_parity: whether whole networks do on a GPU what they do on the CPU.
//   gpu_parity --model MODEL [--data DIR] [--json FILE]
// Trains the class UNet for some steps on both devices from the same numbers and draws the same
// guided digits with both. Exit code 1 when they part, 5 when there is no GPU.

#include <algorithm>
#include <cmath>
#include <iostream>
#include <nlohmann/json.hpp>

#include "base/atomic_file.h"
#include "diffusion/program/cli.h"
#include "diffusion/program/model_file.h"
#include "diffusion/sampling/classes.h"
#include "diffusion/sampling/generate.h"
#include "diffusion/train/batch_source.h"
#include "engine/backend.h"
#include "nn/autograd/trainer.h"

namespace ebb {
namespace {

struct Flags {
  std::string device = "cuda", model, data, json;
  int64_t hidden = 64, batch_size = 64, steps = 10, sampler_steps = 20, images = 4;
};

// Losses of the first steps from the same parameters, batches and noise.
std::vector<double> train(Context& context, const Flags& flags, const MnistDataset& data) {
  TrainConfig config = course_config(TrainModel::kClass, Course::kFa24);
  config.hidden = flags.hidden;
  config.batch_size = flags.batch_size;
  BatchSource source(context, data, config);
  autograd::Trainer trainer(context, make_network(config), {});
  trainer.params().initialise(config.seed);
  std::vector<double> losses;
  for (int64_t step = 0; step < flags.steps; ++step) {
    const Batch batch = source.batch(step % source.steps_per_epoch());
    losses.push_back(trainer.step(batch.inputs, batch.target, config.lr).loss);
  }
  return losses;
}

std::vector<float> draw(Context& context, const Flags& flags) {
  const LoadedModel model = load_model(context, flags.model);
  std::vector<int64_t> classes;
  for (int64_t i = 0; i < flags.images; ++i) classes.push_back(3 * i % 10);
  GenerateRequest request;
  request.images = flags.images;
  request.recipe = class_recipe(context, model.network, classes, 5);
  request.sampler.kind = SamplerKind::kDdpm;
  request.walk = full_walk(model.objective, flags.sampler_steps);
  request.first_seed = 1;
  return generate(context, model.network, model.params, request,
                  [](int64_t, int64_t, const Tensor&) {});
}

double largest(double a, double b) { return std::isnan(a) || a >= b ? a : b; }  // a NaN stays

// Losses differ by the rounding of sums, which every step of Adam carries on and enlarges.
nlohmann::ordered_json compare_losses(const std::vector<double>& cpu,
                                      const std::vector<double>& device) {
  constexpr int64_t kEarlySteps = 3;
  constexpr double kEarlyLimit = 1e-4, kLimit = 1e-3;  // relative
  double early = 0, all = 0;
  for (size_t i = 0; i < cpu.size(); ++i) {
    const double difference = std::abs(device[i] - cpu[i]) / std::abs(cpu[i]);
    all = largest(all, difference);
    if (i < kEarlySteps) early = largest(early, difference);
  }
  return {{"cpu", cpu},
          {"device", device},
          {"difference of the first 3 steps", early},
          {"limit of the first 3 steps", kEarlyLimit},
          {"difference", all},
          {"limit", kLimit},
          {"passed", early <= kEarlyLimit && all <= kLimit}};
}

// Pixels are 0..1; a walk of a few dozen steps enlarges roundings a little.
nlohmann::ordered_json compare_pictures(const std::vector<float>& cpu,
                                        const std::vector<float>& device) {
  constexpr double kLimit = 1e-2;  // less than three grey levels of 255
  double most = cpu.size() == device.size() ? 0 : 1;
  for (size_t i = 0; i < std::min(cpu.size(), device.size()); ++i) {
    most = largest(most, std::abs(double{device[i]} - cpu[i]));
  }
  return {
      {"values", cpu.size()}, {"difference", most}, {"limit", kLimit}, {"passed", most <= kLimit}};
}

void save(const Flags& flags, const nlohmann::ordered_json& all) {
  if (!flags.json.empty()) write_file(flags.json, all.dump(1) + "\n");
}

void run(const Flags& flags) {
  const auto device = make_context(flags.device, 0);
  const auto cpu = make_context("cpu", 0);
  nlohmann::ordered_json all = {{"program", "gpu_parity"}, {"device", flags.device}};
  bool passed = true;
  const auto judge = [&](const char* name, const nlohmann::ordered_json& result) {
    all[name] = result;
    save(flags, all);
    passed = passed && result.at("passed").get<bool>();
    std::cout << name << ": largest difference " << result.at("difference").get<double>()
              << ", limit " << result.at("limit").get<double>()
              << (result.at("passed").get<bool>() ? "\n" : " FAILED\n");
  };
  if (!flags.data.empty()) {
    const MnistDataset data = load_mnist(flags.data, MnistSplit::kTrain);
    judge("training", compare_losses(train(*cpu, flags, data), train(*device, flags, data)));
  }
  if (!flags.model.empty())
    judge("sampling", compare_pictures(draw(*cpu, flags), draw(*device, flags)));
  if (!passed) throw ExitWith{1};
}

}  // namespace
}  // namespace ebb

int main(int argc, char** argv) {
  ebb::Program program("Compares training and sampling on a GPU with the CPU.", "gpu_parity");
  ebb::Flags flags;
  program.add_option("--device", flags.device, "cuda or emu").show_default();
  program.add_option("--model", flags.model, "class model to draw with");
  program.add_option("--data", flags.data, "MNIST files to train on");
  program.add_option("--json", flags.json, "write the figures to this file");
  ebb::add_integer(program, "--hidden", flags.hidden, 1, 1024, "width of the trained network");
  ebb::add_integer(program, "--batch-size", flags.batch_size, 1, 4096, "images of a step");
  ebb::add_integer(program, "--steps", flags.steps, 1, 1000, "training steps");
  ebb::add_integer(program, "--sampler-steps", flags.sampler_steps, 1, 300, "steps of a drawing");
  ebb::add_integer(program, "--images", flags.images, 1, 64, "digits drawn");
  program.callback([&] { ebb::run(flags); });
  return ebb::run_program(program, std::vector<std::string>(argv, argv + argc));
}
