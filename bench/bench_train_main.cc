#include <algorithm>
#include <vector>

#include "apps/train_mnist/batch_source.h"
#include "apps/train_mnist/train_config.h"
#include "bench/harness.h"
#include "nn/autograd/trainer.h"

namespace ebb {
namespace {

constexpr int64_t kWarmup = 2;
// Multiply-adds of a training step per image, class UNet: forward, both gradients (D = 64).
constexpr double kFlopsPerImage64 = 1.606e9;

// Images without meaning: the time of a step does not depend on them.
MnistDataset random_images(int64_t count) {
  MnistDataset data;
  data.count = count;
  uint32_t state = 1;
  const auto next = [&] { return (state = state * 1664525u + 1013904223u) >> 24; };
  for (int64_t i = 0; i < count * MnistDataset::kPixels; ++i) {
    data.images.push_back(static_cast<uint8_t>(next()));
  }
  for (int64_t i = 0; i < count; ++i) data.labels.push_back(static_cast<uint8_t>(next() % 10));
  return data;
}

void run(const BenchFlags& flags, int64_t hidden, int64_t batch_size, int64_t steps) {
  const auto context = bench_context(flags);
  BenchReport report("bench_train", flags, *context);
  TrainConfig config = preset_config(TrainModel::kClass, Preset::kFa24);
  config.hidden = hidden;
  config.batch_size = batch_size;
  BatchSource source(*context, random_images(std::max<int64_t>(1024, 2 * batch_size)), config);
  autograd::Trainer trainer(*context, make_network(config), {});
  trainer.params().initialize(config.seed);

  const std::string shape = " --hidden " + std::to_string(hidden) + " --batch-size " +
                            std::to_string(batch_size) + " --threads " +
                            std::to_string(flags.threads());
  BaselineCase baseline(flags,
                        "train" + shape + " --warmup " + std::to_string(kWarmup) + " --steps " +
                            std::to_string(steps) + baseline_precision(flags),
                        baseline_variants(flags, {"contiguous", "--channels-last", "--compile",
                                                  "--channels-last --compile"}));
  std::vector<double> ebb;
  int64_t step = 0;
  for (int64_t round = 0; round < flags.rounds; ++round) {
    for (int64_t i = 0; i < kWarmup + steps; ++i, ++step) {
      const double ms = time_ms([&] {
        const Batch& batch = source.stage_batch(step % source.steps_per_epoch());
        trainer.captured_step(
            batch.inputs, batch.target, [&] { source.make_batch(batch); }, config.lr);
      });
      if (i >= kWarmup) ebb.push_back(ms);
    }
    if (flags.has_baseline()) baseline.measure();
  }
  const double width = static_cast<double>(hidden) / 64;
  const double flops = kFlopsPerImage64 * width * width * static_cast<double>(batch_size);
  BenchRow row{.name = "training step, class UNet D=" + std::to_string(hidden) +
                       " B=" + std::to_string(batch_size),
               .roofline_ms = report.roofline_ms(flops),
               .ebb_ms = median(ebb),
               .ebb_mb = peak_memory_mb(*context),
               .target = flags.on_gpu() ? "" : "ratio >= 1.8, memory <= 0.6 of the baseline's"};
  row.details["images per second"] = static_cast<double>(batch_size) / row.ebb_ms * 1e3;
  if (flags.has_baseline()) {
    row.baseline_ms = baseline.step_ms();
    row.baseline_mb = baseline.memory_mb();
    row.baseline_variant = baseline.variant();
    row.details["memory ratio"] = *row.ebb_mb / *row.baseline_mb;
    report.set_baseline_version(baseline.version());
  }
  report.add(std::move(row));
  report.finish();
}

}  // namespace
}  // namespace ebb

int main(int argc, char** argv) {
  ebb::Program program("Times training steps of the class UNet, beside PyTorch's.", "bench_train");
  ebb::add_version_flag(program);
  ebb::BenchFlags flags(program);
  int64_t hidden = 64, batch_size = 128, steps = 5;
  ebb::add_integer(program, "--hidden", hidden, 1, 1024, "width D");
  ebb::add_integer(program, "--batch-size", batch_size, 1, 4096, "images of a step");
  ebb::add_integer(program, "--steps", steps, 1, 1000, "measured steps per round");
  program.callback([&] { ebb::run(flags, hidden, batch_size, steps); });
  return ebb::run_program(program, std::vector<std::string>(argv, argv + argc));
}
