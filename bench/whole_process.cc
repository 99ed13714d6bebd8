#include "bench/whole_process.h"

#include <sys/resource.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <iostream>
#include <vector>

#include "base/error.h"
#include "bench/baseline.h"
#include "bench/process.h"

namespace ebb {
namespace {

// Runs a training of so many steps and hands over the line that it prints.
using Training = std::function<ProcessCost(int64_t steps, nlohmann::json& line)>;

struct Side {
  std::vector<ProcessCost> steps;  // per step, of each round
  std::vector<double> inside_ms;   // the median step by the clock of the longer process
  nlohmann::json line;             // the last one printed
  std::string variant;

  double median_of(const std::function<double(const ProcessCost&)>& value) const {
    std::vector<double> values;
    for (const ProcessCost& cost : steps) values.push_back(value(cost));
    return median(values);
  }
  double wall_ms() const {
    return median_of([](const ProcessCost& cost) { return cost.wall_ms; });
  }
};

void measure_round(const WholeProcess& work, const Training& train, Side& side) {
  const ProcessCost few = train(work.few, side.line);
  const ProcessCost many = train(work.many, side.line);
  side.steps.push_back(cost_per_unit(few, many, work.many - work.few));
  side.inside_ms.push_back(side.line.at("median_step_seconds").get<double>() * 1e3);
}

Training ebb_training(const WholeProcess& work) {
  return [&work](int64_t steps, nlohmann::json& line) {
    const std::string command =
        work.program + work.shape + " --only-steps " + std::to_string(steps);
    const ProcessCost cost =
        run_process(command, [&](const std::string& text) { line = nlohmann::json::parse(text); });
    EBB_CHECK(cost.status == 0 && !line.is_null(), IoError, "'", command, "' failed (status ",
              cost.status, "). See its message above");
    return cost;
  };
}

Training torch_training(const WholeProcess& work, const BenchFlags& flags,
                        const std::string& variant) {
  return [&work, &flags, variant](int64_t steps, nlohmann::json& line) {
    return run_baseline(
        flags, "torch",
        "train" + work.shape + " --steps " + std::to_string(steps) + variant_flags(variant),
        [&](const nlohmann::json& printed) { line = printed; });
  };
}

// All variants the first time, later the best.
void measure_torch(const WholeProcess& work, const BenchFlags& flags, Side& best) {
  if (!best.variant.empty()) {
    measure_round(work, torch_training(work, flags, best.variant), best);
    return;
  }
  for (const char* const variant : kTrainVariants) {
    Side side;
    side.variant = variant;
    measure_round(work, torch_training(work, flags, variant), side);
    if (best.variant.empty() || side.wall_ms() < best.wall_ms()) best = side;
  }
}

void add_columns(BenchRow& row, const std::string& who, const Side& side) {
  const auto add = [&](const char* name, const std::function<double(const ProcessCost&)>& value) {
    row.details[who + " " + name] = side.median_of(value);
  };
  add("CPU ms", [](const ProcessCost& c) { return c.cpu_ms(); });
  add("of it system", [](const ProcessCost& c) { return c.system_ms; });
  add("waits", [](const ProcessCost& c) { return c.waits; });
  add("preemptions", [](const ProcessCost& c) { return c.preemptions; });
  add("page faults", [](const ProcessCost& c) { return c.page_faults; });
  row.details[who + " ms inside"] = median(side.inside_ms);
}

std::string first_line(const char* path) {
  std::ifstream file(path);
  std::string line;
  return std::getline(file, line) ? line : "unknown";
}

// Conditions that may explain a difference between two runs.
void add_conditions(BenchReport& report, const WholeProcess& work) {
  report.add_header("steps", std::to_string(work.few) + " and " + std::to_string(work.many));
  report.add_header("nice", getpriority(PRIO_PROCESS, 0));
  report.add_header("load", first_line("/proc/loadavg"));
  report.add_header("huge pages", first_line("/sys/kernel/mm/transparent_hugepage/enabled"));
  const char* const policy = std::getenv("OMP_WAIT_POLICY");
  report.add_header("OMP_WAIT_POLICY", policy != nullptr ? policy : "unset");
}

}  // namespace

void measure_whole_processes(const WholeProcess& work, const BenchFlags& flags, BenchReport& report,
                             BenchRow row) {
  add_conditions(report, work);
  Side ebb, torch;
  for (int64_t round = 0; round < flags.rounds; ++round) {
    measure_round(work, ebb_training(work), ebb);
    if (flags.has_baseline()) measure_torch(work, flags, torch);
  }
  row.ebb_ms = ebb.wall_ms();
  row.ebb_mb = ebb.line.at("peak_rss_mb").get<double>();
  row.target = "ratio >= 2.4";
  add_columns(row, "ours", ebb);
  if (flags.has_baseline()) {
    row.peer = "torch";
    row.baseline_ms = torch.wall_ms();
    row.baseline_mb = torch.line.at("peak_rss_mb").get<double>();
    row.baseline_variant = torch.variant;
    add_columns(row, "peer", torch);
    report.add_baseline_version(baseline_version("torch", torch.line));
  }
  report.add(std::move(row));
}

void print_steps(const std::vector<double>& step_ms, double peak_mb) {
  const nlohmann::json line = {
      {"steps", step_ms.size()},
      {"median_step_seconds", median(step_ms) * 1e-3},
      {"min_step_seconds", *std::min_element(step_ms.begin(), step_ms.end()) * 1e-3},
      {"peak_rss_mb", peak_mb}};
  std::cout << line.dump() << std::endl;
}

}  // namespace ebb
