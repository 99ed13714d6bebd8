#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <functional>
#include <memory>
#include <vector>

#include "base/error.h"
#include "bench/baseline.h"
#include "bench/bench_checkpoint.h"
#include "bench/harness.h"
#include "bench/process.h"
#include "diffusion/denoiser.h"
#include "diffusion/image_noise.h"
#include "diffusion/model.h"
#include "diffusion/sampler.h"

namespace ebb {
namespace {

constexpr int64_t kTimesteps = 300;
constexpr int64_t kWarmup = 2;               // a GPU records the step the second time
constexpr double kForwardFlops64 = 535.7e6;  // multiply-adds x 2 of one image, D = 64

struct Setup {
  const BenchFlags& flags;
  Context& context;
  Model model;
  std::string model_path;
  std::string scratch;  // directory: the network for the peers that read ONNX, and images
  int64_t steps;
};

// The class labels 0, 1, ... of a batch, or none.
Tensor one_hot(Context& context, int64_t images, bool with_class) {
  std::vector<float> c(static_cast<size_t>(images) * 10, 0);
  for (int64_t i = 0; with_class && i < images; ++i) c[static_cast<size_t>(i * 10 + i % 10)] = 1;
  return Tensor::from_host(context, {images, 10}, c);
}

// The peer's ways to compute a guided step, by the flags that choose them; the fastest counts.
std::vector<std::string> step_variants(const BenchFlags& flags, const std::string& peer) {
  if (peer == "torch") {
    return baseline_variants(
        flags, {"--guidance batched", "--guidance batched --channels-last",
                "--guidance batched --compile", "--guidance batched --channels-last --compile",
                "--guidance two-calls --channels-last --compile"});
  }
  return {"--guidance two-calls", "--guidance batched", "--guidance graph", "--guidance shared"};
}

BaselineCase step_baseline(const Setup& setup, const std::string& peer, int64_t images) {
  const BenchFlags& flags = setup.flags;
  const std::string model =
      peer == "torch" ? "" : " --engine " + peer + " --network " + setup.scratch;
  return {flags, peer,
          "sample" + model + " --batch-size " + std::to_string(images) + " --threads " +
              std::to_string(flags.threads()) + " --steps " + std::to_string(setup.steps) +
              baseline_precision(flags),
          step_variants(flags, peer)};
}

std::string step_target(const Setup& setup, const std::string& peer, int64_t images) {
  if (setup.flags.on_gpu()) return "";
  if (peer == "onnxruntime" || peer == "openvino") return "ratio > 1";
  return images == 10 ? "ratio >= 2.2" : "";
}

// `row` once for each peer, or alone without one.
void add_rows(BenchReport& report, BenchRow row, const std::vector<BaselineCase>& baselines,
              const std::function<std::string(const std::string& peer)>& target) {
  if (baselines.empty()) {
    row.target = target("torch");
    return report.add(std::move(row));
  }
  for (const BaselineCase& baseline : baselines) {
    row.peer = baseline.peer();
    row.baseline_ms = baseline.step_ms();
    row.baseline_mb = baseline.memory_mb();
    row.baseline_variant = baseline.variant();
    row.target = target(baseline.peer());
    report.add_baseline_version(baseline.version());
    report.add(row);
  }
}

// A step of DDPM from pure noise: both predictions, guidance, update and its noise.
void measure_guided_step(const Setup& setup, BenchReport& report, int64_t images) {
  Context& context = setup.context;
  const auto classes = [&](bool with_class) -> TensorMap {
    return {{setup.model.network.input(InputRole::kCondition)->name,
             one_hot(context, images, with_class)}};
  };
  NetworkDenoiser denoiser(context, setup.model.network, setup.model.params, images,
                           guided(classes(true), classes(false), 5));
  const SamplingSchedule schedule =
      sampler_schedule(SamplerKind::kDdpm, setup.model.objective, kTimesteps);
  const auto sampler = make_sampler(context, {}, schedule);
  const ImageNoise noise(context, /*first_seed=*/0);
  const Tensor x = Tensor::empty(context, {images, 28, 28, 1});

  std::vector<BaselineCase> baselines;
  for (const std::string& peer : setup.flags.peers) {
    baselines.push_back(step_baseline(setup, peer, images));
  }
  std::vector<double> ebb;
  for (int64_t round = 0; round < setup.flags.rounds; ++round) {
    noise.start(x);
    int64_t index = 0;
    const auto step = [&] {
      sampler->step(index, index, denoiser, noise, x);
      ++index;
      context.stream()->synchronize();
    };
    for (int64_t i = 0; i < kWarmup; ++i) step();
    for (int64_t i = 0; i < setup.steps; ++i) ebb.push_back(time_ms(step));
    for (BaselineCase& baseline : baselines) baseline.measure();
  }
  // The floor counts both branches in full, as the peer computes them.
  add_rows(report,
           {.name = "guided step, " + std::to_string(images) + " digits",
            .roofline_ms = report.roofline_ms(2 * static_cast<double>(images) * kForwardFlops64),
            .ebb_ms = median(ebb),
            .ebb_mb = peak_memory_mb(context)},
           baselines, [&](const std::string& peer) { return step_target(setup, peer, images); });
}

std::string ebb_command(const Setup& setup, const std::string& ebb) {
  const DeviceFlags& device = setup.flags.device;
  return ebb + " sample --model " + setup.model_path + " --class 7 -b 1 --force -o " +
         setup.scratch + "/ours.png --threads " + std::to_string(setup.flags.threads()) +
         " --device " + device.device + " --precision " + device.precision_name +
         " > /dev/null 2>&1";
}

std::vector<std::string> draw_commands(const Setup& setup, const std::string& peer) {
  const BenchFlags& flags = setup.flags;
  const std::string rest =
      " " + setup.scratch + "/peer.pgm --digit 7 --threads " + std::to_string(flags.threads());
  std::vector<std::string> commands;
  if (peer == "torch") {
    for (const char* const variant : {"", " --channels-last"}) {
      commands.push_back(
          baseline_command(flags, peer, "draw " + setup.model_path + rest + variant));
    }
    return commands;
  }
  const std::string network = rest + " --engine " + peer + " --network " + setup.scratch;
  for (const std::string& variant : step_variants(flags, peer)) {
    commands.push_back(baseline_command(flags, peer, cat("draw", network, " ", variant)));
  }
  return commands;
}

double process_ms(const std::string& command) {
  const ProcessCost cost = run_process(command, [](const std::string&) {});
  EBB_CHECK(cost.status == 0, IoError, "'", command, "' failed (status ", cost.status,
            "). Run it to see why");
  return cost.wall_ms;
}

// The best of several commands, as BaselineCase: the first call finds out which.
struct ColdStart {
  std::string peer;
  std::vector<std::string> commands;
  std::vector<double> ms;

  void measure() {
    std::vector<double> all;
    for (const std::string& command : commands) all.push_back(process_ms(command));
    const auto best = std::min_element(all.begin(), all.end());
    ms.push_back(*best);
    commands = {commands[static_cast<size_t>(best - all.begin())]};
  }
};

// From the start of a process to the end of one that has written the image of a digit.
void measure_cold_start(const Setup& setup, BenchReport& report, const std::string& ebb) {
  std::vector<ColdStart> baselines;
  for (const std::string& peer : setup.flags.peers) {
    if (!setup.flags.on_gpu()) baselines.push_back({peer, draw_commands(setup, peer), {}});
  }
  ColdStart ours{"", {ebb_command(setup, ebb)}, {}};
  for (int64_t round = 0; round < setup.flags.rounds; ++round) {
    ours.measure();
    for (ColdStart& baseline : baselines) baseline.measure();
  }
  BenchRow row{.name = "cold start: one guided digit, 300 steps, process start to file",
               .roofline_ms = report.roofline_ms(2 * kTimesteps * kForwardFlops64),
               .ebb_ms = median(ours.ms)};
  if (baselines.empty()) report.add(row);
  for (const ColdStart& baseline : baselines) {
    row.peer = baseline.peer;
    row.baseline_ms = median(baseline.ms);
    row.target = baseline.peer == "torch" ? "ratio >= 5" : "";
    report.add(row);
  }
}

// Writes the network and its guided steps as ONNX, for the peers that read that.
void export_network(const Setup& setup) {
  for (const std::string& peer : setup.flags.peers) {
    if (peer == "torch") continue;
    run_baseline(setup.flags, peer, "export " + setup.model_path + " " + setup.scratch,
                 [](const nlohmann::json&) {});
    return;
  }
}

// A directory that goes with the object.
struct ScratchDirectory {
  std::filesystem::path path =
      std::filesystem::temp_directory_path() / ("ebb-bench-unet-" + std::to_string(getpid()));
  ScratchDirectory() { std::filesystem::create_directories(path); }
  ScratchDirectory(const ScratchDirectory&) = delete;
  ScratchDirectory& operator=(const ScratchDirectory&) = delete;
  ~ScratchDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path, ignored);
  }
};

void run(const BenchFlags& flags, const std::string& model_path, const std::string& ebb,
         int64_t steps) {
  const auto context = bench_context(flags);
  BenchReport report("bench_unet", flags, *context);
  const ScratchDirectory scratch;
  const Setup setup{
      flags, *context, Model::load(*context, model_path), model_path, scratch.path.string(), steps};
  export_network(setup);
  measure_guided_step(setup, report, 10);
  measure_guided_step(setup, report, 1);
  measure_cold_start(setup, report, ebb);
  report.finish();
}

// Leaves of "--peer all" the peers that know what is measured; UsageError for others that do not.
void choose_peers(BenchFlags& flags, const std::string& config, bool random_weights) {
  EBB_CHECK(config.empty() || random_weights, UsageError, "--config ", config,
            ": its weights are not here. Add --random-weights to measure without them");
  const auto fits = [&](const std::string& peer) {
    return (peer == "diffusers") == !config.empty();
  };
  if (flags.takes_all_peers) {
    std::erase_if(flags.peers, [&](const std::string& peer) { return !fits(peer); });
  }
  for (const std::string& peer : flags.peers) {
    EBB_CHECK(fits(peer), UsageError, "--peer ", peer, ": ",
              config.empty() ? "measures networks of --config. Name one"
                             : "does not know the networks of --config. Use --peer diffusers");
  }
}

}  // namespace
}  // namespace ebb

int main(int argc, char** argv) {
  ebb::Program program("Times sampling with the class UNet D=64, beside its peers.", "bench_unet");
  ebb::add_version_flag(program);
  ebb::BenchFlags flags(program, /*names_precision=*/true,
                        {"torch", "onnxruntime", "openvino", "diffusers"});
  std::string model = EBB_BENCH_SOURCE_DIR "/../weights/pretrained/mnist-class.safetensors";
  std::string ebb =
      (std::filesystem::read_symlink("/proc/self/exe").parent_path() / "ebb").string();
  int64_t steps = 20;
  program.add_option("--model", model, "class model, D = 64").show_default();
  program.add_option("--ebb", ebb, "program of the cold start").show_default();
  ebb::add_integer(program, "--steps", steps, 1, 298, "measured steps per round");
  std::string config;
  bool random_weights = false, profile = false;
  program.add_option("--config", config,
                     "a published network instead: IF-I-M, IF-I-L, IF-I-XL, IF-II-L, "
                     "ddpm-cifar10-32 or ddpm-256 (--peer diffusers)");
  program.add_flag("--random-weights", random_weights, "with --config: nothing is downloaded");
  program.add_flag("--profile", profile, "with --config: time per kernel and layer");
  program.callback([&] {
    ebb::choose_peers(flags, config, random_weights);
    if (config.empty()) return ebb::run(flags, model, ebb, steps);
    ebb::bench_checkpoint(flags, config, steps, profile);
  });
  return ebb::run_program(program, std::vector<std::string>(argv, argv + argc));
}
