#include <cstdlib>
#include <filesystem>
#include <functional>
#include <memory>
#include <vector>

#include "bench/harness.h"
#include "diffusion/denoiser.h"
#include "diffusion/model.h"

namespace ebb {
namespace {

constexpr double kForwardFlops64 = 535.7e6;  // multiply-adds x 2 of one image, D = 64

struct Setup {
  const BenchFlags& flags;
  Context& context;
  Model model;
  std::string model_path;
  int64_t steps;
};

Tensor random_tensor(Context& context, const Shape& shape) {
  std::vector<float> values(static_cast<size_t>(shape.elements()));
  uint32_t state = 1;
  for (float& value : values) {
    state = state * 1664525u + 1013904223u;
    value = static_cast<float>(state >> 8) * 0x1p-23f - 1;
  }
  return Tensor::from_host(context, shape, values);
}

Tensor one_hot(Context& context, int64_t images, bool with_class) {
  std::vector<float> c(static_cast<size_t>(images) * 10, 0);
  for (int64_t i = 0; with_class && i < images; ++i) c[static_cast<size_t>(i * 10 + i % 10)] = 1;
  return Tensor::from_host(context, {images, 10}, c);
}

// Measures `step` and the baseline in turn.
void measure(const Setup& setup, BenchReport& report, BenchRow row,
             const std::function<void()>& step, const std::string& baseline_arguments,
             const std::vector<std::string>& variants) {
  BaselineCase baseline(setup.flags,
                        baseline_arguments + " --threads " + std::to_string(setup.flags.threads()) +
                            " --steps " + std::to_string(setup.steps) +
                            baseline_precision(setup.flags),
                        baseline_variants(setup.flags, variants));
  std::vector<double> ebb;
  for (int64_t round = 0; round < setup.flags.rounds; ++round) {
    const auto finished = [&] {
      step();
      setup.context.stream()->synchronize();
    };
    finished();
    finished();  // a GPU captures the step the second time
    for (int64_t i = 0; i < setup.steps; ++i) ebb.push_back(time_ms(finished));
    if (setup.flags.has_baseline()) baseline.measure();
  }
  row.ebb_ms = median(ebb);
  row.ebb_mb = peak_memory_mb(setup.context);
  if (setup.flags.has_baseline()) {
    row.baseline_ms = baseline.step_ms();
    row.baseline_mb = baseline.memory_mb();
    row.baseline_variant = baseline.variant();
    report.set_baseline_version(baseline.version());
  }
  report.add(std::move(row));
}

void measure_guided_step(const Setup& setup, BenchReport& report, int64_t images) {
  const auto classes = [&](bool with_class) -> TensorMap {
    return {{setup.model.network.input(InputRole::kCondition)->name,
             one_hot(setup.context, images, with_class)}};
  };
  NetworkDenoiser denoiser(setup.context, setup.model.network, setup.model.params, images,
                           guided(classes(true), classes(false), 5));
  const Tensor x = random_tensor(setup.context, {images, 28, 28, 1});
  const Tensor t = Tensor::zeros(setup.context, {1, 1});
  const std::string batch = std::to_string(images);
  // The roofline counts both branches in full, as the baseline computes them.
  measure(setup, report,
          {.name = "guided step, " + batch + " digits",
           .roofline_ms = report.roofline_ms(2 * static_cast<double>(images) * kForwardFlops64),
           .target = images == 10 && !setup.flags.on_gpu() ? "ratio >= 2.2" : ""},
          [&] { denoiser.predict(x, t); }, "sample --batch-size " + batch,
          {"--guidance batched", "--guidance batched --channels-last",
           "--guidance batched --compile", "--guidance batched --channels-last --compile",
           "--guidance two-calls --channels-last --compile"});
}

// From the start of a process to the end of one that has written the image of a digit.
void measure_cold_start(const Setup& setup, BenchReport& report, const std::string& ebb) {
  const std::string threads = " --threads " + std::to_string(setup.flags.threads());
  const auto directory = std::filesystem::temp_directory_path() / "ebb-bench-cold-start";
  std::filesystem::create_directories(directory);
  const auto run_command = [](const std::string& command) {
    EBB_CHECK(std::system(command.c_str()) == 0, IoError, "'", command, "' failed");
  };
  std::vector<double> ebb_times, baseline_times;
  for (int64_t round = 0; round < setup.flags.rounds; ++round) {
    ebb_times.push_back(time_ms([&] {
      run_command(ebb + " sample --model " + setup.model_path + " --class 7 -b 1 --force -o " +
                  (directory / "ebb.png").string() + threads + " --device " +
                  setup.flags.device.device + " --precision " + setup.flags.device.precision_name +
                  " > /dev/null 2>&1");
    }));
    if (!setup.flags.has_baseline() || setup.flags.on_gpu()) continue;
    baseline_times.push_back(time_ms([&] {
      run_command(setup.flags.python + " " + setup.flags.scripts + "/baseline_mnist.py draw " +
                  setup.model_path + " " + (directory / "baseline.pgm").string() + " --digit 7" +
                  threads);
    }));
  }
  std::filesystem::remove_all(directory);
  BenchRow row{.name = "cold start: one guided digit, 300 steps, process start to file",
               .roofline_ms = report.roofline_ms(2 * 300 * kForwardFlops64),
               .ebb_ms = median(ebb_times),
               .target = "ratio >= 10"};
  if (!baseline_times.empty()) row.baseline_ms = median(baseline_times);
  report.add(std::move(row));
}

void run(const BenchFlags& flags, const std::string& model_path, const std::string& ebb,
         int64_t steps) {
  const auto context = bench_context(flags);
  BenchReport report("bench_unet", flags, *context);
  const Setup setup{flags, *context, Model::load(*context, model_path), model_path, steps};
  measure_guided_step(setup, report, 10);
  measure_guided_step(setup, report, 1);
  measure_cold_start(setup, report, ebb);
  report.finish();
}

}  // namespace
}  // namespace ebb

int main(int argc, char** argv) {
  ebb::Program program("Times sampling with the class UNet D=64, beside PyTorch's.", "bench_unet");
  ebb::add_version_flag(program);
  ebb::BenchFlags flags(program);
  std::string model = EBB_BENCH_SOURCE_DIR "/../weights/pretrained/mnist-class.safetensors";
  std::string ebb =
      (std::filesystem::read_symlink("/proc/self/exe").parent_path() / "ebb").string();
  int64_t steps = 20;
  program.add_option("--model", model, "class model, D = 64").show_default();
  program.add_option("--ebb", ebb, "program of the cold start").show_default();
  ebb::add_integer(program, "--steps", steps, 1, 298, "measured steps per round");
  program.callback([&] { ebb::run(flags, model, ebb, steps); });
  return ebb::run_program(program, std::vector<std::string>(argv, argv + argc));
}
