#pragma once

#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "apps/cli/cli.h"
#include "bench/device_rates.h"

namespace ebb {

// Flags of every bench program.
struct BenchFlags {
  DeviceFlags device;
  std::string baseline = "none";
  std::string python = "python3";
  std::string scripts = EBB_BENCH_SOURCE_DIR;
  std::string json;
  int64_t rounds = 3;
  bool one_precision;  // that of --precision, else the program measures all

  explicit BenchFlags(Command command, bool names_precision = true);
  // Threads of --threads.
  int threads() const;
  bool has_baseline() const { return baseline != "none"; }
  bool on_gpu() const;
  // The units that convolutions use under --precision.
  MathUnit unit() const;
};

// The context of --device, --threads, --precision and --kernels. --kernels also takes cudnn
// (bench/vendor/kernels.h), on cuda alone. UsageError for combinations that are impossible,
// DeviceError for missing hardware or libraries.
std::unique_ptr<Context> bench_context(const BenchFlags& flags);

// One line of the table. Milliseconds; ratio = baseline / ebb.
struct BenchRow {
  std::string name;
  double roofline_ms = 0;  // at the roofline, as a direct convolution
  double ebb_ms = 0;       // NaN prints as "-"
  std::optional<double> baseline_ms = {};
  std::string baseline_variant = {};  // the fastest of the baseline's variants
  std::optional<double> ebb_mb = {};  // peak memory, 1e6 bytes: resident, or of the GPU
  std::optional<double> baseline_mb = {};
  std::string target = {};                                            // "ratio >= 1.8"
  nlohmann::ordered_json details = nlohmann::ordered_json::object();  // more columns, by name
};

class BenchReport {
 public:
  BenchReport(std::string program, const BenchFlags& flags, Context& context);

  const DeviceRates& rates() const { return rates_; }
  // Lower bound for `flops` of pure arithmetic.
  double roofline_ms(double flops) const { return flops / rates_.gflops(flags_.unit()) * 1e-6; }
  void set_baseline_version(const std::string& version) { header_["peer"] = version; }
  void add(BenchRow row) { rows_.push_back(std::move(row)); }
  void replace(std::vector<BenchRow> rows) { rows_ = std::move(rows); }
  void add_note(const std::string& note) { notes_.push_back(note); }
  // JSON to --json, complete or not: a run that is cut off leaves what it had.
  void save() const;
  // Markdown on stdout, and save().
  void finish() const;

 private:
  std::string markdown() const;

  const BenchFlags& flags_;
  DeviceRates rates_;
  nlohmann::ordered_json header_;
  std::vector<BenchRow> rows_;
  std::vector<std::string> notes_;
};

// Wall time of one call in milliseconds.
double time_ms(const std::function<void()>& work);
// Upper median; `values` is not empty.
double median(std::vector<double> values);
double geometric_mean(const std::vector<double>& values);
double peak_memory_mb(const Context& context);

// Runs bench/baseline_mnist.py, on a GPU bench/baseline_torch_gpu.py, and hands over the JSON lines
// that it prints, each as it comes. Error with the command when it fails.
void run_baseline(const BenchFlags& flags, const std::string& arguments,
                  const std::function<void(nlohmann::json)>& on_line);

// A baseline command in several variants, of which the best counts: the first call measures all of
// them, later calls the best one again. On a GPU one command tries all its variants itself.
class BaselineCase {
 public:
  BaselineCase(const BenchFlags& flags, std::string arguments, std::vector<std::string> variants)
      : flags_(flags), arguments_(std::move(arguments)), variants_(std::move(variants)) {}

  void measure();
  double step_ms() const { return median(step_ms_); }
  double memory_mb() const { return best_.at(flags_.on_gpu() ? "peak_gpu_mb" : "peak_rss_mb"); }
  std::string variant() const { return best_.value("variant", best_variant_); }
  std::string version() const;

 private:
  const BenchFlags& flags_;
  std::string arguments_;
  std::vector<std::string> variants_;
  std::string best_variant_;
  nlohmann::json best_;
  std::vector<double> step_ms_;
};

// Arguments of a BaselineCase: on a GPU " --precision f32" (or another precision) and no variants.
std::string baseline_precision(const BenchFlags& flags);
std::vector<std::string> baseline_variants(const BenchFlags& flags,
                                           std::vector<std::string> on_cpu);

}  // namespace ebb
