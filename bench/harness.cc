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

#include "bench/fma_peak.h"
#include "diffusion/kernels_flag.h"
#include "engine/backend.h"
#include "engine/base/error.h"
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
  return value.is_string() ? value.get<std::string>() : number(value.get<double>());
}

}  // namespace

BenchFlags::BenchFlags(Command command) {
  device.device = "cpu";
  add_device_flags(command, device);
  add_choice(command, "--peer", peer, {"none", "torch"},
             "what to measure in the same run, alternating: torch runs bench/peer_mnist.py");
  command.add_option("--python", python, "Python that runs the peer")
      .or_environment("EBB_PEER_PYTHON")
      .show_default();
  add_integer(command, "--rounds", rounds, 1, 100, "measurements of each case; medians count");
  command.add_option("--json", json, "also write the table to this file");
}

int BenchFlags::threads() const {
  return device.threads > 0 ? static_cast<int>(device.threads) : available_threads();
}

void BenchFlags::check() const {
  EBB_CHECK(device.device == "cpu", UsageError, "--device ", device.device,
            ": the bench programs measure cpu. Use --device cpu");
}

BenchReport::BenchReport(std::string program, const BenchFlags& flags)
    : flags_(flags), peak_gflops_(loaded_fma_peak(flags.threads())) {
  header_["program"] = std::move(program);
  header_["date"] = today();
  header_["cpu"] = proc_value("/proc/cpuinfo", "model name");
  header_["simd"] = cpu::simd_name();
  header_["threads"] = flags.threads();
  header_["kernels"] = kernels_in_use();
  header_["rounds"] = flags.rounds;
  header_["version"] = program_version();
  header_["compiler"] = __VERSION__;
  header_["loaded_fma_peak_gflops"] = peak_gflops_;
}

std::string BenchReport::markdown() const {
  std::ostringstream out;
  for (const auto& [key, value] : header_.items())
    out << "- " << key << ": " << cell(value) << "\n";
  out << "\n| case | floor ms | ours ms | peer ms | ratio | ours MB | peer MB | target |";
  const nlohmann::ordered_json no_details = nlohmann::ordered_json::object();
  const auto& columns = rows_.empty() ? no_details : rows_.front().details;
  for (const auto& [key, value] : columns.items()) out << " " << key << " |";
  out << "\n|---|---|---|---|---|---|---|---|";
  for (size_t i = 0; i < columns.size(); ++i) out << "---|";
  out << "\n";
  for (const BenchRow& row : rows_) {
    const std::optional<double> ratio =
        row.peer_ms ? std::optional(*row.peer_ms / row.ours_ms) : std::nullopt;
    out << "| " << row.name << " | " << number(row.floor_ms) << " | " << number(row.ours_ms)
        << " | " << optional_number(row.peer_ms)
        << (row.peer_variant.empty() ? "" : " (" + row.peer_variant + ")") << " | "
        << (ratio ? digits(*ratio, 2) : "-") << " | " << optional_number(row.ours_mb) << " | "
        << optional_number(row.peer_mb) << " | " << (row.target.empty() ? "-" : row.target) << " |";
    for (const auto& [key, value] : row.details.items()) out << " " << cell(value) << " |";
    out << "\n";
  }
  for (const std::string& note : notes_) out << "\n" << note << "\n";
  return out.str();
}

void BenchReport::finish() const {
  std::cout << markdown() << std::flush;
  if (flags_.json.empty()) return;
  nlohmann::ordered_json all = {{"header", header_}, {"rows", nlohmann::ordered_json::array()}};
  for (const BenchRow& row : rows_) {
    nlohmann::ordered_json entry = {
        {"case", row.name}, {"floor_ms", row.floor_ms}, {"ours_ms", row.ours_ms}};
    if (row.peer_ms) {
      entry["peer_ms"] = *row.peer_ms;
      entry["ratio"] = *row.peer_ms / row.ours_ms;
      entry["peer_variant"] = row.peer_variant;
    }
    if (row.ours_mb) entry["ours_mb"] = *row.ours_mb;
    if (row.peer_mb) entry["peer_mb"] = *row.peer_mb;
    if (!row.target.empty()) entry["target"] = row.target;
    entry.update(row.details);
    all["rows"].push_back(std::move(entry));
  }
  all["notes"] = notes_;
  std::ofstream file(flags_.json);
  file << all.dump(2) << "\n";
  file.close();
  EBB_CHECK(!file.fail(), IoError, "--json ", flags_.json,
            ": could not be written. Check the folder and the space on the disk");
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

double peak_resident_mb() {
  return std::stod(proc_value("/proc/self/status", "VmHWM")) * 1024 / 1e6;  // "1234 kB"
}

std::vector<nlohmann::json> run_peer(const BenchFlags& flags, const std::string& arguments) {
  const std::string command = flags.python + " " EBB_BENCH_SOURCE_DIR "/peer_mnist.py " + arguments;
  std::FILE* const pipe = popen(command.c_str(), "r");
  EBB_CHECK(pipe != nullptr, IoError, "--peer torch: cannot start '", command, "'");
  std::string output;
  char buffer[4096];
  for (size_t n = 0; (n = std::fread(buffer, 1, sizeof buffer, pipe)) > 0;) {
    output.append(buffer, n);
  }
  const int status = pclose(pipe);
  std::vector<nlohmann::json> lines;
  std::istringstream text(output);
  for (std::string line; std::getline(text, line);) {
    if (line.starts_with("{")) lines.push_back(nlohmann::json::parse(line));
  }
  EBB_CHECK(status == 0 && !lines.empty(), IoError, "--peer torch: '", command, "' failed (status ",
            status, "). See its message above; --python names another Python");
  return lines;
}

void PeerCase::measure() {
  const bool is_first = best_variant_.empty();
  for (const std::string& variant :
       is_first ? variants_ : std::vector<std::string>{best_variant_}) {
    const std::string variant_flags = variant == "contiguous" ? "" : " " + variant;
    const nlohmann::json result = run_peer(flags_, arguments_ + variant_flags).back();
    const double ms = result.at("median_step_seconds").get<double>() * 1e3;
    if (!is_first) {
      step_ms_.push_back(ms);
    } else if (step_ms_.empty() || ms < step_ms_.front()) {
      step_ms_ = {ms};
      best_variant_ = variant;
      best_ = result;
    }
  }
}

std::string PeerCase::version() const {
  return "torch " + best_.at("version").get<std::string>() + " " +
         best_.at("cpu_capability").get<std::string>();
}

}  // namespace ebb
