#include "bench/bench_checkpoint.h"

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <iostream>
#include <vector>

#include "base/atomic_file.h"
#include "base/error.h"
#include "base/json.h"
#include "bench/baseline.h"
#include "bench/checkpoint_configs.h"
#include "diffusion/denoiser.h"
#include "nn/param_collector.h"
#include "nn/unet_diffusers.h"

namespace ebb {
namespace {

constexpr double kGuidanceScale = 7;

// Uniform numbers of about the size of a trained layer's: the time does not depend on them, but
// zeros and numbers that grow from layer to layer would be another matter.
std::vector<float> small_numbers(int64_t count, uint32_t seed) {
  std::vector<float> values(static_cast<size_t>(count));
  uint32_t state = seed * 2654435761u + 1;
  for (float& value : values) {
    state = state * 1664525u + 1013904223u;
    value = (static_cast<float>(state >> 8) * 0x1p-24f - 0.5f) * 0.04f;
  }
  return values;
}

// One tensor at a time in f32, the rest in the type in which the checkpoint stores them.
TensorMap random_weights(Context& context, const CheckpointConfig& config, const Network& network) {
  TensorMap params;
  uint32_t seed = 0;
  for (const ParamSpec& spec : list_params(network)) {
    const std::vector<float> values = small_numbers(spec.shape.elements(), ++seed);
    if (!config.stores_half) {
      params[spec.name] = Tensor::from_host(context, spec.shape, values);
      continue;
    }
    std::vector<uint16_t> half(values.size());
    std::transform(values.begin(), values.end(), half.begin(), f32_to_f16);
    params[spec.name] =
        Tensor::from_host(context, spec.shape, DType::kF16, std::as_bytes(std::span(half)));
  }
  return params;
}

TensorMap conditions(Context& context, const Network& network, int64_t images,
                     const CheckpointConfig& config, uint32_t seed) {
  TensorMap result;
  for (const NetworkInput& input : network.inputs) {
    if (input.role != InputRole::kCondition && input.role != InputRole::kLowRes) continue;
    Shape shape = with_batch(images, input.shape);
    if (input.shape.rank() == 2) shape = {images, config.text_rows, input.shape.back()};
    if (input.shape.rank() == 0) {  // the noise of the enlarged image
      result[input.name] = Tensor::from_host(
          context, shape, std::vector<float>(static_cast<size_t>(images), 250.0f));
      continue;
    }
    result[input.name] = Tensor::from_host(context, shape, small_numbers(shape.elements(), seed));
  }
  return result;
}

// The network's config for the peer.
std::string write_config(const std::string& json) {
  const std::string path = (std::filesystem::temp_directory_path() /
                            ("ebb-bench-config-" + std::to_string(getpid()) + ".json"))
                               .string();
  write_file(path, json);
  return path;
}

std::vector<std::string> peer_variants(const CheckpointConfig& config) {
  std::vector<std::string> variants{"contiguous", "--channels-last"};
  // Compiling a network of this kind for more than a few minutes measures nothing that users do.
  if (config.gmacs < 150) {
    variants.insert(variants.end(), {"--compile", "--channels-last --compile"});
  }
  return variants;
}

std::vector<BaselineCase> peers_of(const BenchFlags& flags, const CheckpointConfig& config,
                                   const std::string& file, int64_t batch, int64_t steps) {
  std::vector<BaselineCase> baselines;
  for (const std::string& peer : flags.peers) {
    baselines.emplace_back(
        flags, peer,
        cat(file, " --batch-size ", batch, " --threads ", flags.threads(), " --steps ", steps),
        peer_variants(config));
  }
  return baselines;
}

void measure(const BenchFlags& flags, BenchReport& report, Context& context,
             const CheckpointConfig& config, int64_t images, int64_t steps) {
  const Network network = unet_diffusers_network(Json::parse(config.json), "--config");
  const bool guides = config.text_rows > 0;
  const auto of = [&](uint32_t seed) { return conditions(context, network, images, config, seed); };
  NetworkDenoiser denoiser(context, network, random_weights(context, config, network), images,
                           guides ? guided(of(1), of(2), kGuidanceScale) : conditioned(of(1)));
  const Shape shape = with_batch(images, network.sample().shape);
  const Tensor x = Tensor::from_host(context, shape, small_numbers(shape.elements(), 3));
  float time = 500;
  const auto step = [&] {
    x.copy_from_host(small_numbers(shape.elements(), 4));
    denoiser.predict(x, Tensor::from_host(context, {1, 1}, std::vector<float>{time}));
    time -= 1;
    context.stream()->synchronize();
  };
  const int64_t evaluations = guides ? 2 * images : images;
  const std::string file = write_config(config.json);
  std::vector<BaselineCase> baselines = peers_of(flags, config, file, evaluations, steps);
  std::vector<double> ebb;
  step();
  for (int64_t round = 0; round < flags.rounds; ++round) {
    for (int64_t i = 0; i < steps; ++i) ebb.push_back(time_ms(step));
    for (BaselineCase& baseline : baselines) baseline.measure();
  }
  std::filesystem::remove(file);
  BenchRow row{
      .name = cat(config.name, guides ? ", guided step, " : ", step, ", images,
                  images == 1 ? " image" : " images"),
      .roofline_ms = report.roofline_ms(2e9 * config.gmacs * static_cast<double>(evaluations)),
      .ebb_ms = median(ebb),
      .ebb_mb = peak_memory_mb(context)};
  for (const BaselineCase& baseline : baselines) {
    row.peer = baseline.peer();
    row.baseline_ms = baseline.step_ms();
    row.baseline_mb = baseline.memory_mb();
    row.baseline_variant = baseline.variant();
    row.target = "ratio >= 1.5";
    report.add_baseline_version(baseline.version());
  }
  report.add(row);
}

}  // namespace

void bench_checkpoint(const BenchFlags& flags, const std::string& name, int64_t steps,
                      bool profile) {
  const CheckpointConfig config = checkpoint_config(name);
  const auto context = bench_context(flags);
  BenchReport report("bench_unet", flags, *context);
  if (profile) context->enable_profiler();
  for (const int64_t images : config.batches) {
    measure(flags, report, *context, config, images, steps);
  }
  report.finish();
  if (profile) std::cout << "\n" << context->profiler()->table();
}

}  // namespace ebb
