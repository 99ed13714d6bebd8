#pragma once

#include <array>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "bench/harness.h"
#include "bench/process.h"

namespace ebb {

// The line of shell that runs a peer's program: bench/baseline_mnist.py or, on a GPU,
// bench/baseline_torch_gpu.py for torch, bench/baseline_onnx.py for the others.
std::string baseline_command(const BenchFlags& flags, const std::string& peer,
                             const std::string& arguments);

// Runs it and hands over the JSON lines that it prints, each as it comes. IoError with the command
// when it fails.
ProcessCost run_baseline(const BenchFlags& flags, const std::string& peer,
                         const std::string& arguments,
                         const std::function<void(nlohmann::json)>& on_line);

// A peer command in several variants, of which the best counts: the first call measures all of
// them, later calls the best one again. On a GPU one command tries all its variants itself.
class BaselineCase {
 public:
  BaselineCase(const BenchFlags& flags, std::string peer, std::string arguments,
               std::vector<std::string> variants)
      : flags_(flags),
        peer_(std::move(peer)),
        arguments_(std::move(arguments)),
        variants_(std::move(variants)) {}

  void measure();
  const std::string& peer() const { return peer_; }
  double step_ms() const { return median(step_ms_); }
  double memory_mb() const { return best_.at(flags_.on_gpu() ? "peak_gpu_mb" : "peak_rss_mb"); }
  std::string variant() const { return best_.value("variant", best_variant_); }
  std::string version() const;  // "torch 2.15.0 AVX2"

 private:
  const BenchFlags& flags_;
  std::string peer_;
  std::string arguments_;
  std::vector<std::string> variants_;
  std::string best_variant_;
  nlohmann::json best_;
  std::vector<double> step_ms_;
};

// PyTorch's usual ways to train on a CPU.
inline constexpr std::array kTrainVariants{"contiguous", "--channels-last", "--compile",
                                           "--channels-last --compile"};

// "torch 2.15.0 AVX2" of a line that a peer printed.
std::string baseline_version(const std::string& peer, const nlohmann::json& line);

// Arguments of a BaselineCase: on a GPU " --precision f32" or another one, and no variants.
std::string baseline_precision(const BenchFlags& flags);
std::vector<std::string> baseline_variants(const BenchFlags& flags,
                                           std::vector<std::string> on_cpu);
// The flags of a variant's name: none for "contiguous".
std::string variant_flags(const std::string& variant);

}  // namespace ebb
