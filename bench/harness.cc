#include "bench/harness.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <ctime>
#include <fstream>
#include <iostream>
#include <memory>
#include <sstream>

#include "apps/cli/kernels_flag.h"
#include "base/atomic_file.h"
#include "base/available_threads.h"
#include "base/error.h"
#include "bench/cuda_facts.h"
#include "bench/vendor/kernels.h"
#include "engine/backend.h"
#include "kernels/cpu/simd_name.h"

namespace ebb {
namespace {

// The value of the first line of a /proc file that starts with `key`.
std::string proc_value(const char* path, const std::string& key) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    const size_t colon = line.find(':');
    if (line.starts_with(key) && colon != std::string::npos) {
      return line.substr(line.find_first_not_of(" \t", colon + 1));
    }
  }
  return "unknown";
}

std::string today() {
  const std::time_t now = std::time(nullptr);
  char text[sizeof "2000-01-01"];
  std::strftime(text, sizeof text, "%F", std::gmtime(&now));
  return text;
}

std::string digits(double value, int precision) {
  char text[64];
  std::snprintf(text, sizeof text, "%.*f", precision, value);
  return text;
}

std::string number(double value) {
  if (!std::isfinite(value)) return "-";
  if (value == 0) return "0";
  const double size = std::abs(value);
  if (size < 0.001) {
    char text[64];
    std::snprintf(text, sizeof text, "%.1e", value);
    return text;
  }
  return digits(value, size < 10 ? 2 : size < 100 ? 1 : 0);
}

std::string optional_number(const std::optional<double>& value) {
  return value ? number(*value) : "-";
}

std::string cell(const nlohmann::ordered_json& value) {
  if (value.is_null()) return "-";
  if (value.is_number_integer()) return value.dump();
  return value.is_string() ? value.get<std::string>() : number(value.get<double>());
}

std::string joined(const std::vector<std::string>& parts, const char* separator) {
  std::string text;
  for (const std::string& part : parts) text += (text.empty() ? "" : separator) + part;
  return text;
}

std::vector<std::string> read_peers(const std::string& text,
                                    const std::vector<std::string>& known) {
  if (text == "none") return {};
  if (text == "all" && known.size() > 1) return known;
  std::vector<std::string> peers;
  std::istringstream names(text + ",");
  for (std::string name; std::getline(names, name, ',');) {
    EBB_CHECK(std::find(known.begin(), known.end(), name) != known.end(), UsageError, "--peer ",
              text, ": '", name, "' is no peer here. Use none", known.size() > 1 ? ", all" : "",
              " or ", joined(known, ", "));
    EBB_CHECK(std::find(peers.begin(), peers.end(), name) == peers.end(), UsageError, "--peer ",
              text, ": names ", name, " twice. Name each peer once");
    peers.push_back(name);
  }
  return peers;
}

}  // namespace

BenchFlags::BenchFlags(Command command, bool names_precision,
                       const std::vector<std::string>& known_peers)
    : one_precision(names_precision) {
  device.device = "cpu";
  add_integer(command, "--threads", device.threads, 0, 1024, "CPU threads; 0: all (default)");
  command.add_option("--device", device.device, "cpu, cuda, cuda:N or emu").show_default();
  if (names_precision) add_precision_flag(command, device);
  add_kernels_flag(command, device.kernels, {"cudnn"});
  command
      .add_option_function(
          "--peer",
          [this, known_peers](const std::string& text) {
            peers = read_peers(text, known_peers);
            takes_all_peers = text == "all";
          },
          "what to measure in the same run, alternating: none, " + joined(known_peers, ", ") +
              (known_peers.size() > 1 ? ", several with commas, or all" : ""))
      .default_text("none");
  command.add_option("--python", python, "Python that runs the peer")
      .or_environment("EBB_PEER_PYTHON")
      .show_default();
  command.add_option("--peer-scripts", scripts, "directory of the peer's programs").show_default();
  add_integer(command, "--rounds", rounds, 1, 100, "measurements of each case; medians count");
  command.add_option("--json", json, "also write the table to this file");
}

int BenchFlags::threads() const {
  return device.threads > 0 ? static_cast<int>(device.threads) : available_threads();
}

bool BenchFlags::on_gpu() const { return device.device.starts_with("cuda"); }

MathUnit BenchFlags::unit() const {
  switch (device.precision()) {
    case Precision::kF32:
      return MathUnit::kF32;
    case Precision::kTf32:
      return MathUnit::kTf32;
    case Precision::kBF16:
    case Precision::kF16:
      return MathUnit::kHalf;
  }
  return MathUnit::kF32;
}

std::unique_ptr<Context> bench_context(const BenchFlags& flags) {
  EBB_CHECK(flags.device.device != "auto", UsageError,
            "--device auto: a measurement names what it measures. Use cpu, cuda or emu");
  std::unique_ptr<Context> context = make_context(flags.device);
  const bool on_cuda = context->device().type == DeviceType::kCuda;
  if (on_cuda) select_gpu(context->device().index);
  EBB_CHECK(!flags.has_baseline() || context->device().type != DeviceType::kEmu, UsageError,
            "--peer --device emu: the emulator's times mean nothing. Use cpu or cuda");
  EBB_CHECK(!on_cuda || flags.peers.empty() || flags.peers == std::vector<std::string>{"torch"},
            UsageError, "--peer ", joined(flags.peers, ","), " --device ", flags.device.device,
            ": only torch is measured on a GPU. Use --peer torch or --device cpu");
  const std::string& kernels = flags.device.kernels;
  if (kernels != "cudnn") return context;
  EBB_CHECK(on_cuda, UsageError, "--kernels ", kernels, " --device ", flags.device.device,
            ": needs a GPU. Use --device cuda");
  const bool tf32 = context->precision() == Precision::kTf32;
  const KernelTable* table = vendor_kernels(tf32 ? VendorMath::kTf32 : VendorMath::kF32);
  EBB_CHECK(table != nullptr, DeviceError, "--kernels ", kernels, ": ", vendor_version());
  return std::make_unique<Context>(context->device(), context->stream(), context->allocator(),
                                   *table, context->precision(), context->conv_math(),
                                   context->properties());
}

BenchReport::BenchReport(std::string program, const BenchFlags& flags, Context& context)
    : flags_(flags), rates_(measure_rates(context)) {
  header_["program"] = std::move(program);
  header_["date"] = today();
  header_["device"] = flags.device.device;
  header_.update(device_facts(context));
  header_["cpu"] = proc_value("/proc/cpuinfo", "model name");
  header_["simd"] = cpu::simd_name();
  header_["threads"] = flags.threads();
  if (flags.one_precision) header_["precision"] = to_string(context.precision());
  header_["kernels"] = flags.device.kernels;
  if (context.device().type == DeviceType::kCuda) header_["vendor"] = vendor_version();
  header_["rounds"] = flags.rounds;
  header_["version"] = program_version();
  header_["compiler"] = __VERSION__;
  const auto add_rate = [this](const char* name, double rate) {
    if (std::isfinite(rate)) header_[name] = rate;
  };
  const bool on_cpu = context.device().type == DeviceType::kCpu;
  add_rate(on_cpu ? "loaded_fma_peak_gflops" : "f32_peak_gflops", rates_.f32_gflops);
  add_rate("tf32_peak_gflops", rates_.tf32_gflops);
  add_rate("half_peak_gflops", rates_.half_gflops);
  add_rate("copy_gbytes_per_second", rates_.gbytes_per_second);
}

void BenchReport::add_baseline_version(const std::string& version) {
  const std::string known = header_.value("peer", "");
  if (known.find(version) != std::string::npos) return;
  header_["peer"] = known.empty() ? version : known + ", " + version;
}

std::string BenchReport::markdown() const {
  std::ostringstream out;
  for (const auto& [key, value] : header_.items())
    out << "- " << key << ": " << cell(value) << "\n";
  out << "\n| case | floor ms | ours ms | peer | peer ms | ratio | ours MB | peer MB | target |";
  const nlohmann::ordered_json no_details = nlohmann::ordered_json::object();
  const auto& columns = rows_.empty() ? no_details : rows_.front().details;
  for (const auto& [key, value] : columns.items()) out << " " << key << " |";
  out << "\n|---|---|---|---|---|---|---|---|---|";
  for (size_t i = 0; i < columns.size(); ++i) out << "---|";
  out << "\n";
  for (const BenchRow& row : rows_) {
    const std::string ratio = row.baseline_ms ? digits(*row.baseline_ms / row.ebb_ms, 2) : "-";
    out << "| " << row.name << " | " << number(row.roofline_ms) << " | " << number(row.ebb_ms)
        << " | " << (row.peer.empty() ? "-" : row.peer) << " | " << optional_number(row.baseline_ms)
        << (row.baseline_variant.empty() ? "" : " (" + row.baseline_variant + ")") << " | " << ratio
        << " | " << optional_number(row.ebb_mb) << " | " << optional_number(row.baseline_mb)
        << " | " << (row.target.empty() ? "-" : row.target) << " |";
    for (const auto& [key, value] : columns.items()) {
      out << " " << (row.details.contains(key) ? cell(row.details[key]) : "-") << " |";
    }
    out << "\n";
  }
  for (const std::string& note : notes_) out << "\n" << note << "\n";
  return out.str();
}

void BenchReport::finish() const {
  std::cout << markdown() << std::flush;
  save();
}

void BenchReport::save() const {
  if (flags_.json.empty()) return;
  nlohmann::ordered_json all = {{"header", header_}, {"rows", nlohmann::ordered_json::array()}};
  for (const BenchRow& row : rows_) {
    nlohmann::ordered_json entry = {
        {"case", row.name}, {"floor_ms", row.roofline_ms}, {"ours_ms", row.ebb_ms}};
    if (row.baseline_ms) {
      entry["peer"] = row.peer;
      entry["peer_ms"] = *row.baseline_ms;
      entry["ratio"] = *row.baseline_ms / row.ebb_ms;
      entry["peer_variant"] = row.baseline_variant;
    }
    if (row.ebb_mb) entry["ours_mb"] = *row.ebb_mb;
    if (row.baseline_mb) entry["peer_mb"] = *row.baseline_mb;
    if (!row.target.empty()) entry["target"] = row.target;
    entry.update(row.details);
    all["rows"].push_back(std::move(entry));
  }
  all["notes"] = notes_;
  write_file(flags_.json, all.dump(2) + "\n");
}

double time_ms(const std::function<void()>& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start)
      .count();
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

double geometric_mean(const std::vector<double>& values) {
  double sum = 0;
  for (double value : values) sum += std::log(value);
  return std::exp(sum / static_cast<double>(values.size()));
}

double peak_memory_mb(const Context& context) {
  if (context.device().type != DeviceType::kCpu) {
    return static_cast<double>(context.allocator()->stats().peak_bytes_in_use) * 1e-6;
  }
  return std::stod(proc_value("/proc/self/status", "VmHWM")) * 1024 / 1e6;  // "1234 kB"
}

}  // namespace ebb
