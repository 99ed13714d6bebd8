#include <algorithm>
#include <chrono>
#include <cmath>
#include <functional>
#include <iostream>
#include <limits>
#include <memory>
#include <vector>

#include "bench/harness.h"
#include "bench/kernel_baseline.h"
#include "bench/measurement.h"

namespace ebb {
namespace {

struct KernelFlags {
  std::string cases = "all", filter;
  int64_t batch = 128;  // of the UNet's convolutions
  bool check = false;
};

bool is_chosen(const KernelFlags& flags, const OpCase& c) {
  const char* const set = c.set == CaseSet::kEdge   ? "edge"
                          : c.set == CaseSet::kUnet ? "unet"
                                                    : "public";
  if (flags.cases != "all" && flags.cases != set) return false;
  return (c.op + " " + c.name).find(flags.filter) != std::string::npos;
}

// The emulator needs a second for 10 million multiply-adds, and its times mean nothing: there the
// program shows that it runs.
bool is_too_large(const Context& context, const OpRoofline& roofline) {
  constexpr double kMaxFlops = 4e6, kMaxBytes = 4e5;
  return context.device().type == DeviceType::kEmu &&
         (roofline.flops > kMaxFlops || roofline.bytes > kMaxBytes);
}

std::vector<Measurement> plan_measurements(const Context& context, const KernelFlags& flags,
                                           int64_t& left_out) {
  std::vector<Measurement> all;
  for (OpCase c : op_cases()) {
    if (!is_chosen(flags, c)) continue;
    if (auto* conv = std::get_if<ConvShape>(&c.shape); conv && c.set == CaseSet::kUnet) {
      conv->n = flags.batch;
    }
    for (const CasePass pass : passes_of(c)) {
      bool is_plan = true;
      for (Variant& variant : variants_of(context, c, pass)) {
        const OpRoofline roofline = roofline_of(c, pass, variant.dtype);
        if (is_too_large(context, roofline)) {
          ++left_out;
          continue;
        }
        all.push_back({c, pass, std::move(variant), roofline, is_plan, {}, ""});
        is_plan = false;
      }
    }
  }
  return all;
}

// Writes what there is every few seconds, so that a run that is cut off leaves it.
class SaveTimer {
 public:
  SaveTimer(BenchReport& report, std::function<std::vector<BenchRow>()> rows)
      : report_(report), rows_(std::move(rows)) {}

  void now_and_then() {
    constexpr std::chrono::seconds kPause(5);
    if (std::chrono::steady_clock::now() - last_ < kPause) return;
    report_.replace(rows_());
    report_.save();
    last_ = std::chrono::steady_clock::now();
  }

 private:
  BenchReport& report_;
  std::function<std::vector<BenchRow>()> rows_;
  std::chrono::steady_clock::time_point last_ = std::chrono::steady_clock::now();
};

BenchRow row_of(const Measurement& m, const DeviceRates& rates, const BaselineTimes& baseline) {
  const double peak = rates.gflops(m.variant.unit);
  const double compute_ms = m.roofline.flops > 0 ? m.roofline.flops / peak * 1e-6 : 0;
  const double memory_ms = m.roofline.bytes / rates.gbytes_per_second * 1e-6;
  BenchRow row{.name = m.name(),
               // An unknown rate leaves the floor unknown.
               .roofline_ms = std::isnan(compute_ms) ? compute_ms : std::max(memory_ms, compute_ms),
               .ebb_ms = m.ms.empty() ? std::numeric_limits<double>::quiet_NaN() : median(m.ms)};
  auto& details = row.details;
  const double effective = m.roofline.flops / row.ebb_ms * 1e-6;
  const auto or_null = [](bool has, double value) {
    return has && std::isfinite(value) ? nlohmann::ordered_json(value) : nlohmann::ordered_json();
  };
  const bool multiplies = m.roofline.flops > 0;
  details["kernel"] = m.variant.kernel;
  details["error"] = or_null(true, m.error);
  details["saving"] = m.variant.saving;
  details["effective GFLOP/s"] = or_null(multiplies, effective);
  details["executed GFLOP/s"] = or_null(multiplies, effective / m.variant.saving);
  details["executed, % of peak"] = or_null(multiplies, effective / m.variant.saving / peak * 100);
  details["GB/s"] = or_null(true, m.roofline.bytes / row.ebb_ms * 1e-6);
  details["% of roofline"] = or_null(true, row.roofline_ms / row.ebb_ms * 100);
  if (!m.why_not.empty()) details["why not"] = m.why_not;
  const std::string key = baseline_key(m);
  if (const auto found = baseline.ms.find(key); found != baseline.ms.end()) {
    row.peer = "torch";
    row.baseline_ms = found->second;
    row.baseline_variant = baseline.variant.at(key);
  }
  return row;
}

// Stride-1 3x3 convolutions of the UNet between its inner layers: those with a target.
bool in_cpu_target(const Measurement& m) {
  const auto* conv = std::get_if<ConvShape>(&m.op_case.shape);
  return conv != nullptr && m.op_case.set == CaseSet::kUnet && conv->stride == 1 &&
         std::min(conv->c, conv->o) > 1;
}

std::string percent(double value) { return std::to_string(std::lround(value)); }

void add_cpu_targets(const std::vector<Measurement>& all, std::vector<BenchRow>& rows,
                     BenchReport& report) {
  std::vector<double> ratios, direct;
  for (size_t i = 0; i < all.size(); ++i) {
    if (!in_cpu_target(all[i])) continue;
    if (all[i].variant.kernel == "direct") {
      direct.push_back(rows[i].details["executed, % of peak"].get<double>());
      rows[i].target = ">= 85 % of peak";
    }
    if (all[i].is_plan && rows[i].baseline_ms)
      ratios.push_back(*rows[i].baseline_ms / rows[i].ebb_ms);
  }
  if (!direct.empty()) {
    report.add_note(
        "Direct kernels of the UNet's stride-1 cases: " + percent(geometric_mean(direct)) +
        " % of the loaded peak (geometric mean), target 85.");
  }
  if (!ratios.empty()) {
    report.add_note(
        "The UNet's stride-1 cases, all passes: " + percent(geometric_mean(ratios) * 100) +
        " % of the peer's speed (geometric mean), target 150.");
  }
}

// Largest error over largest value: sums of some thousand products, then the rounding of what is
// stored (2^-9 of bf16, 2^-12 of f16) or of the operands (2^-11 of tf32, both).
double error_limit(const Variant& variant) {
  if (variant.unit == MathUnit::kTf32) return 2e-3;
  return variant.dtype == DType::kF32 ? 1e-5 : variant.dtype == DType::kBF16 ? 1e-2 : 2e-3;
}

// Throws ExitWith{1} when a result is wrong, or when a kernel of ours does not run.
void check_errors(const std::vector<Measurement>& all) {
  int64_t checked = 0, wrong = 0;
  for (const Measurement& m : all) {
    const bool ebb_fails = !m.why_not.empty() && m.variant.table == nullptr;
    const bool has_error = m.is_conv() && m.why_not.empty() && m.was_compared;
    checked += has_error;
    if (!ebb_fails && (!has_error || m.error <= error_limit(m.variant))) continue;
    ++wrong;
    std::cerr << "wrong: " << m.name() << ", " << m.variant.kernel << ": "
              << (ebb_fails ? m.why_not : "error " + std::to_string(m.error)) << "\n";
  }
  std::cerr << checked << " convolutions compared with sums in double, " << wrong << " wrong\n";
  if (wrong > 0 || checked == 0) throw ExitWith{1};
}

void run(const BenchFlags& flags, const KernelFlags& kernel_flags) {
  const std::unique_ptr<Context> context = bench_context(flags);
  BenchReport report("bench_kernels", flags, *context);
  int64_t left_out = 0;
  std::vector<Measurement> all = plan_measurements(*context, kernel_flags, left_out);
  EBB_CHECK(!all.empty(), UsageError, "--cases ", kernel_flags.cases, " --filter '",
            kernel_flags.filter, "': no such case. Leave the flags away to see all");
  BaselineTimes baseline;
  const auto rows = [&] {
    std::vector<BenchRow> measured;
    for (const Measurement& m : all) {
      if (!m.ms.empty() || !m.why_not.empty())
        measured.push_back(row_of(m, report.rates(), baseline));
    }
    return measured;
  };
  SaveTimer save(report, rows);
  for (int64_t round = 0; round < flags.rounds; ++round) {
    for (Measurement& m : all) {
      if (round == 0 || !m.ms.empty()) measure(*context, m, round == 0);
      save.now_and_then();
    }
    if (flags.has_baseline()) measure_baseline(flags, all, baseline, [&] { save.now_and_then(); });
  }
  if (!baseline.version.empty()) report.add_baseline_version(baseline.version);
  std::vector<BenchRow> measured = rows();
  if (context->device().type == DeviceType::kCpu) add_cpu_targets(all, measured, report);
  report.replace(std::move(measured));
  if (left_out > 0) {
    report.add_note(std::to_string(left_out) +
                    " rows are too large for the emulator, whose times mean nothing.");
  }
  report.finish();
  if (kernel_flags.check) check_errors(all);
}

}  // namespace
}  // namespace ebb

int main(int argc, char** argv) {
  ebb::Program program("Times every kernel on every row of testing/op_cases.h.", "bench_kernels");
  ebb::add_version_flag(program);
  ebb::BenchFlags flags(program, /*names_precision=*/false);
  ebb::KernelFlags kernel_flags;
  ebb::add_choice(program, "--cases", kernel_flags.cases, {"all", "unet", "public", "edge"},
                  "which rows");
  program.add_option("--filter", kernel_flags.filter,
                     "only rows whose op and name contain this text");
  ebb::add_integer(program, "--batch-size", kernel_flags.batch, 1, 4096,
                   "images of the UNet's convolutions");
  program.add_flag("--check", kernel_flags.check,
                   "exit code 1 when a convolution is wrong (those small enough to be compared)");
  program.callback([&] { ebb::run(flags, kernel_flags); });
  return ebb::run_program(program, std::vector<std::string>(argv, argv + argc));
}
