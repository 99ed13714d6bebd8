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
  std::vector<std::string> peers;  // in the order in which they are measured
  bool takes_all_peers = false;    // "--peer all": those that know what is measured
  std::string python = "python3";
  std::string scripts = EBB_BENCH_SOURCE_DIR;
  std::string json;
  int64_t rounds = 3;
  bool one_precision;  // that of --precision, else the program measures all

  // known_peers: what --peer takes.
  explicit BenchFlags(Command command, bool names_precision = true,
                      const std::vector<std::string>& known_peers = {"torch"});
  // Threads that --threads asks for.
  int threads() const;
  bool has_baseline() const { return !peers.empty(); }
  bool on_gpu() const;
  // The unit that --precision makes convolutions run on.
  MathUnit unit() const;
};

// The context that --device, --threads, --precision and --kernels ask for. --kernels has beside the
// product's own names cudnn (bench/vendor/kernels.h), on cuda alone. UsageError for a combination
// that cannot be, DeviceError for what is not here.
std::unique_ptr<Context> bench_context(const BenchFlags& flags);

// One line of the table. Milliseconds; ratio = peer / ours.
struct BenchRow {
  std::string name;
  double roofline_ms = 0;  // at the roofline, as a direct convolution
  double ebb_ms = 0;       // NaN prints as "-"
  std::string peer = {};   // "torch"; several peers have a row each
  std::optional<double> baseline_ms = {};
  std::string baseline_variant = {};  // which of the peer's variants was the fastest
  std::optional<double> ebb_mb = {};  // peak memory, 1e6 bytes: resident, or of the GPU
  std::optional<double> baseline_mb = {};
  std::string target = {};                                            // "ratio >= 1.8"
  nlohmann::ordered_json details = nlohmann::ordered_json::object();  // more columns, by name
};

class BenchReport {
 public:
  BenchReport(std::string program, const BenchFlags& flags, Context& context);

  const DeviceRates& rates() const { return rates_; }
  // The time of work that only multiplies.
  double roofline_ms(double flops) const { return flops / rates_.gflops(flags_.unit()) * 1e-6; }
  // "torch 2.15.0"; each is named once.
  void add_baseline_version(const std::string& version);
  void add_header(const std::string& name, nlohmann::ordered_json value) {
    header_[name] = std::move(value);
  }
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

}  // namespace ebb
