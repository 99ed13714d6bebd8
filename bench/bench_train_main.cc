#include <algorithm>
#include <filesystem>
#include <vector>

#include "apps/train_mnist/batch_source.h"
#include "apps/train_mnist/train_config.h"
#include "base/error.h"
#include "bench/baseline.h"
#include "bench/harness.h"
#include "bench/whole_process.h"
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

struct TrainFlags {
  int64_t hidden = 64;
  int64_t batch_size = 128;
  int64_t steps = 5;
  bool whole_process = false;
  int64_t only_steps = 0;  // 0: measure

  // The shape flags of this program and of the peer's.
  std::string shape(const BenchFlags& flags) const {
    return " --hidden " + std::to_string(hidden) + " --batch-size " + std::to_string(batch_size) +
           " --threads " + std::to_string(flags.threads());
  }
};

// The training that is measured.
class Training {
 public:
  Training(Context& context, const TrainFlags& flags)
      : config_(config(flags)),
        source_(context, random_images(std::max<int64_t>(1024, 2 * flags.batch_size)), config_),
        trainer_(context, make_network(config_), {}) {
    trainer_.params().initialize(config_.seed);
  }

  // Wall time of the next step.
  double step_ms() {
    const int64_t step = step_++;
    return time_ms([&] {
      const Batch& batch = source_.stage_batch(step % source_.steps_per_epoch());
      trainer_.captured_step(
          batch.inputs, batch.target, [&] { source_.make_batch(batch); }, config_.lr);
    });
  }

 private:
  static TrainConfig config(const TrainFlags& flags) {
    TrainConfig config = preset_config(TrainModel::kClass, Preset::kFa24);
    config.hidden = flags.hidden;
    config.batch_size = flags.batch_size;
    return config;
  }

  TrainConfig config_;
  BatchSource source_;
  autograd::Trainer trainer_;
  int64_t step_ = 0;
};

BenchRow training_row(const TrainFlags& train, const BenchReport& report) {
  const double width = static_cast<double>(train.hidden) / 64;
  const double flops = kFlopsPerImage64 * width * width * static_cast<double>(train.batch_size);
  return {.name = "training step, class UNet D=" + std::to_string(train.hidden) +
                  " B=" + std::to_string(train.batch_size),
          .roofline_ms = report.roofline_ms(flops)};
}

// Inside this process, beside the peer's own clock.
void measure(const BenchFlags& flags, const TrainFlags& train, Context& context,
             BenchReport& report) {
  Training training(context, train);
  BaselineCase baseline(flags, "torch",
                        "train" + train.shape(flags) + " --warmup " + std::to_string(kWarmup) +
                            " --steps " + std::to_string(train.steps) + baseline_precision(flags),
                        baseline_variants(flags, {kTrainVariants.begin(), kTrainVariants.end()}));
  std::vector<double> ebb;
  for (int64_t round = 0; round < flags.rounds; ++round) {
    for (int64_t i = 0; i < kWarmup; ++i) training.step_ms();
    for (int64_t i = 0; i < train.steps; ++i) ebb.push_back(training.step_ms());
    if (flags.has_baseline()) baseline.measure();
  }
  BenchRow row = training_row(train, report);
  row.ebb_ms = median(ebb);
  row.ebb_mb = peak_memory_mb(context);
  row.target = flags.on_gpu() ? "" : "ratio >= 1.8, memory <= 0.6 of the peer's";
  row.details["images per second"] = static_cast<double>(train.batch_size) / row.ebb_ms * 1e3;
  if (flags.has_baseline()) {
    row.peer = baseline.peer();
    row.baseline_ms = baseline.step_ms();
    row.baseline_mb = baseline.memory_mb();
    row.baseline_variant = baseline.variant();
    row.details["memory ratio"] = *row.ebb_mb / *row.baseline_mb;
    report.add_baseline_version(baseline.version());
  }
  report.add(std::move(row));
}

void only_train(const TrainFlags& train, Context& context) {
  Training training(context, train);
  std::vector<double> step_ms;
  for (int64_t i = 0; i < train.only_steps; ++i) step_ms.push_back(training.step_ms());
  print_steps(step_ms, peak_memory_mb(context));
}

void run(const BenchFlags& flags, const TrainFlags& train) {
  const auto context = bench_context(flags);
  if (train.only_steps > 0) return only_train(train, *context);
  EBB_CHECK(!train.whole_process || flags.device.device == "cpu", UsageError,
            "--whole-process --device ", flags.device.device,
            ": measures processes on a CPU. Use --device cpu");
  BenchReport report("bench_train", flags, *context);
  if (train.whole_process) {
    const std::string self = std::filesystem::read_symlink("/proc/self/exe").string();
    measure_whole_processes({.program = self + " --device cpu --kernels " + flags.device.kernels,
                             .shape = train.shape(flags),
                             .few = kWarmup,
                             .many = kWarmup + train.steps},
                            flags, report, training_row(train, report));
  } else {
    measure(flags, train, *context, report);
  }
  report.finish();
}

}  // namespace
}  // namespace ebb

int main(int argc, char** argv) {
  ebb::Program program("Times training steps of the class UNet, beside PyTorch's.", "bench_train");
  ebb::add_version_flag(program);
  ebb::BenchFlags flags(program);
  ebb::TrainFlags train;
  ebb::add_integer(program, "--hidden", train.hidden, 1, 1024, "width D");
  ebb::add_integer(program, "--batch-size", train.batch_size, 1, 4096, "images of a step");
  ebb::add_integer(program, "--steps", train.steps, 1, 1000, "measured steps per round");
  program.add_flag("--whole-process", train.whole_process,
                   "time whole processes of 2 and of 2 + --steps steps from outside: a step is the "
                   "difference, with its CPU time, waits, preemptions and page faults");
  ebb::add_integer(program, "--only-steps", train.only_steps, 1, 1000000,
                   "train so many steps and print their median: what --whole-process starts");
  program.callback([&] { ebb::run(flags, train); });
  return ebb::run_program(program, std::vector<std::string>(argv, argv + argc));
}
