#pragma once

#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "diffusion/cli.h"

namespace ebb {

// Flags of every bench program.
struct BenchFlags {
  DeviceFlags device;
  std::string peer = "none";
  std::string python = "python3";
  std::string json;
  int64_t rounds = 3;

  explicit BenchFlags(Command command);
  // Threads that --threads asks for.
  int threads() const;
  void check() const;  // UsageError when --device is one that the programs cannot measure
  bool has_peer() const { return peer != "none"; }
};

// One line of the table. Milliseconds; ratio = peer / ours.
struct BenchRow {
  std::string name;
  double floor_ms = 0;  // the case's multiply-adds as a direct convolution at the measured peak
  double ours_ms = 0;
  std::optional<double> peer_ms;
  std::string peer_variant;       // which of the peer's variants was the fastest
  std::optional<double> ours_mb;  // peak resident memory, 1e6 bytes
  std::optional<double> peer_mb;
  std::string target;              // "ratio >= 1.8"
  nlohmann::ordered_json details;  // further columns, by name; numbers are printed with 3 digits
};

class BenchReport {
 public:
  BenchReport(std::string program, const BenchFlags& flags);

  double peak_gflops() const { return peak_gflops_; }
  double floor_ms(double flops) const { return flops / peak_gflops_ * 1e-6; }
  void set_peer_version(const std::string& version) { header_["peer"] = version; }
  void add(BenchRow row) { rows_.push_back(std::move(row)); }
  void add_note(const std::string& note) { notes_.push_back(note); }
  // Markdown on stdout, JSON to --json.
  void finish() const;

 private:
  std::string markdown() const;

  const BenchFlags& flags_;
  double peak_gflops_;
  nlohmann::ordered_json header_;
  std::vector<BenchRow> rows_;
  std::vector<std::string> notes_;
};

// Wall time of one call in milliseconds.
double time_ms(const std::function<void()>& work);
// Upper median; `values` is not empty.
double median(std::vector<double> values);
double geometric_mean(const std::vector<double>& values);
double peak_resident_mb();

// Runs bench/peer_mnist.py and returns the JSON lines it prints. Error with the command when it
// fails.
std::vector<nlohmann::json> run_peer(const BenchFlags& flags, const std::string& arguments);

// A peer command in several variants, of which the best counts: the first call measures all of
// them, later calls the best one again.
class PeerCase {
 public:
  PeerCase(const BenchFlags& flags, std::string arguments, std::vector<std::string> variants)
      : flags_(flags), arguments_(std::move(arguments)), variants_(std::move(variants)) {}

  void measure();
  double step_ms() const { return median(step_ms_); }
  double memory_mb() const { return best_["peak_rss_mb"]; }
  const std::string& variant() const { return best_variant_; }
  std::string version() const;

 private:
  const BenchFlags& flags_;
  std::string arguments_;
  std::vector<std::string> variants_;
  std::string best_variant_;
  nlohmann::json best_;
  std::vector<double> step_ms_;
};

}  // namespace ebb
