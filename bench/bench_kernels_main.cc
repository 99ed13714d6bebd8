#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <vector>

#include "bench/harness.h"
#include "kernels/cpu/conv_plan.h"
#include "kernels/cpu/conv_winograd.h"
#include "tests/kernels/conv_case.h"
#include "tests/reference/conv.h"

namespace ebb {
namespace {

// The convolutions of the class UNet, D = 64. `in_target`: part of the geometric mean that has a
// target.
struct BenchConv {
  const char* name;
  int64_t side, c, o, kernel, stride, pad;
  bool transposed, in_target;

  ConvShape shape(int64_t n) const {
    return {name, n, side, side, c, o, kernel, kernel, stride, pad, transposed};
  }
};
constexpr BenchConv kConvs[] = {
    {"28x28 64>64", 28, 64, 64, 3, 1, 1, false, true},
    {"14x14 128>128", 14, 128, 128, 3, 1, 1, false, true},
    {"7x7 128>128", 7, 128, 128, 3, 1, 1, false, true},
    {"28x28 128>64", 28, 128, 64, 3, 1, 1, false, true},
    {"stride 2, 28x28 64>64", 28, 64, 64, 3, 2, 1, false, false},
    {"transposed 4x4 s2, 14x14 128>64", 14, 128, 64, 4, 2, 1, true, false},
    {"transposed 4x4 s2, 7x7 256>64", 7, 256, 64, 4, 2, 1, true, false},
    {"first, 28x28 1>64", 28, 1, 64, 3, 1, 1, false, false},
    {"last, 28x28 64>1", 28, 64, 1, 3, 1, 1, false, false},
};
constexpr ConvPass kPasses[] = {ConvPass::kForward, ConvPass::kBackwardInput,
                                ConvPass::kBackwardWeight};
constexpr const char* kPassNames[] = {"forward", "input gradient", "weight gradient"};

const char* to_string(cpu::ConvAlgorithm algorithm) {
  switch (algorithm) {
    case cpu::ConvAlgorithm::kDirect:
      return "direct";
    case cpu::ConvAlgorithm::kDot:
      return "dot";
    case cpu::ConvAlgorithm::kWinograd2:
      return "Winograd F(2x2)";
    case cpu::ConvAlgorithm::kWinograd4:
      return "Winograd F(4x4)";
  }
  return "unknown";
}

double flops(const ConvGeometry& g) {
  const int64_t pixels = g.transposed ? g.h * g.w : g.ho * g.wo;
  return 2.0 * static_cast<double>(g.n * pixels * g.c * g.o * g.kh * g.kw);
}

// Multiply-adds of a direct convolution per multiply-add that the algorithm executes.
double saving(const ConvGeometry& g, ConvPass pass, cpu::ConvAlgorithm algorithm) {
  const TapList list = tap_list(g, pass);
  if (algorithm == cpu::ConvAlgorithm::kWinograd2) return cpu::winograd_saving(list, 2);
  if (algorithm == cpu::ConvAlgorithm::kWinograd4) return cpu::winograd_saving(list, 4);
  return 1;
}

// Largest error over the largest value, against sums in double.
double relative_error(const std::vector<float>& actual, const std::vector<reference::Sum>& sums) {
  double error = 0, largest = 0;
  for (size_t i = 0; i < sums.size(); ++i) {
    error = std::max(error, std::abs(actual[i] - sums[i].value));
    largest = std::max(largest, std::abs(sums[i].value));
  }
  return error / largest;
}

double measure_error(const BenchConv& conv, ConvPass pass) {
  const ConvCase data(conv.shape(2).geometry());
  const ConvGeometry& g = data.g;
  if (pass == ConvPass::kForward) {
    return relative_error(data.forward({.bias = false}),
                          reference::conv_forward(g, data.x.data(), data.w.data()));
  }
  if (pass == ConvPass::kBackwardInput) {
    return relative_error(data.backward_input(1),
                          reference::conv_backward_input(g, data.dy.data(), data.w.data()));
  }
  return relative_error(data.backward_weight(1).dw,
                        reference::conv_backward_weight(g, data.x.data(), data.dy.data()));
}

// A pass with its buffers, ready to run again and again.
class PreparedPass {
 public:
  PreparedPass(const BenchConv& conv, ConvPass pass, int64_t batch, int threads)
      : data_(conv.shape(batch).geometry()),
        pass_(pass),
        stream_{.threads = threads},
        packed_(pass == ConvPass::kBackwardWeight
                    ? 64
                    : cpu::conv_packed_bytes(data_.g, pass, DType::kF32)),
        workspace_(cpu::conv_workspace_bytes(data_.g, pass, DType::kF32, threads)),
        out_(std::max({data_.x.size(), data_.dy.size(), data_.w.size()})) {
    if (pass == ConvPass::kBackwardWeight) return;
    cpu::conv_pack({.geometry = data_.g,
                    .pass = pass,
                    .dtype = DType::kF32,
                    .w = data_.w.data(),
                    .packed = packed_.get()},
                   stream_);
  }
  const ConvGeometry& geometry() const { return data_.g; }

  void run() {
    if (pass_ == ConvPass::kForward) {
      cpu::conv_forward({.geometry = data_.g,
                         .dtype = DType::kF32,
                         .x = data_.x.data(),
                         .packed = packed_.get(),
                         .bias = data_.bias.data(),
                         .residual = nullptr,
                         .residual_n = 0,
                         .activation = Activation::kNone,
                         .y = out_.data(),
                         .workspace = workspace_.get()},
                        stream_);
    } else if (pass_ == ConvPass::kBackwardInput) {
      cpu::conv_backward_input({.geometry = data_.g,
                                .dtype = DType::kF32,
                                .dy = data_.dy.data(),
                                .packed = packed_.get(),
                                .dx = out_.data(),
                                .workspace = workspace_.get()},
                               stream_);
    } else {
      cpu::conv_backward_weight({.geometry = data_.g,
                                 .dtype = DType::kF32,
                                 .x = data_.x.data(),
                                 .dy = data_.dy.data(),
                                 .dw = out_.data(),
                                 .db = nullptr,
                                 .workspace = workspace_.get()},
                                stream_);
    }
  }

 private:
  ConvCase data_;
  ConvPass pass_;
  StreamHandle stream_;
  AlignedBytes packed_, workspace_;
  std::vector<float> out_;
};

// Milliseconds of every round by "<case>, <pass>", and for the peer its fastest format.
struct PeerTimes {
  std::map<std::string, double> ms;
  std::map<std::string, std::string> variant;
};

void measure_peer(const BenchFlags& flags, int64_t batch, PeerTimes& times, BenchReport& report) {
  nlohmann::json cases = nlohmann::json::array();
  for (const BenchConv& conv : kConvs) {
    cases.push_back({conv.name, conv.side, conv.c, conv.o, conv.kernel, conv.stride, conv.pad,
                     conv.transposed});
  }
  const std::vector<nlohmann::json> lines =
      run_peer(flags, "convs --batch-size " + std::to_string(batch) + " --threads " +
                          std::to_string(flags.threads()) + " --cases '" + cases.dump() + "'");
  for (const nlohmann::json& line : lines) {
    const std::string name =
        line.at("case").get<std::string>() + ", " + line.at("pass").get<std::string>();
    const double ms = line.at("median_step_seconds").get<double>() * 1e3;
    const auto [known, is_new] = times.ms.emplace(name, ms);
    if (!is_new && ms >= known->second) continue;
    known->second = ms;
    times.variant[name] = line.at("format");
  }
  report.set_peer_version("torch " + lines.front().at("version").get<std::string>());
}

void run(const BenchFlags& flags, int64_t batch) {
  flags.check();
  const cpu::ConvAlgorithms allowed = cpu::conv_algorithms();
  BenchReport report("bench_kernels, B=" + std::to_string(batch), flags);
  // The variants of a pass: what the plan chooses, and direct where that is something else.
  std::vector<BenchRow> rows;
  std::vector<std::vector<double>> times;
  PeerTimes peer;
  for (int64_t round = 0; round < flags.rounds; ++round) {
    size_t index = 0;
    for (const BenchConv& conv : kConvs) {
      for (size_t p = 0; p < std::size(kPasses); ++p) {
        for (const bool direct_only : {false, true}) {
          const ConvGeometry g = conv.shape(batch).geometry();
          const cpu::ConvAlgorithm chosen = cpu::conv_algorithm(g, kPasses[p]);
          if (direct_only && chosen == cpu::ConvAlgorithm::kDirect) continue;
          if (direct_only) cpu::set_conv_algorithms(cpu::ConvAlgorithms::kDirectOnly);
          const cpu::ConvAlgorithm algorithm = cpu::conv_algorithm(g, kPasses[p]);
          PreparedPass pass(conv, kPasses[p], batch, flags.threads());
          pass.run();
          if (round == 0) {
            rows.push_back({.name = std::string(conv.name) + ", " + kPassNames[p],
                            .floor_ms = report.floor_ms(flops(g))});
            auto& details = rows.back().details;
            details["kernel"] = to_string(algorithm);
            details["error"] = measure_error(conv, kPasses[p]);
            details["saving"] = saving(g, kPasses[p], algorithm);
            times.emplace_back();
          }
          times[index++].push_back(time_ms([&] { pass.run(); }));
          cpu::set_conv_algorithms(allowed);
        }
      }
    }
    if (flags.has_peer()) measure_peer(flags, batch, peer, report);
  }

  std::vector<double> target_ratios, direct_percent;
  for (size_t i = 0; i < rows.size(); ++i) {
    BenchRow& row = rows[i];
    row.ours_ms = median(times[i]);
    const double effective = row.floor_ms / row.ours_ms * report.peak_gflops();
    const double executed = effective / row.details["saving"].get<double>();
    row.details["effective GFLOP/s"] = effective;
    row.details["executed GFLOP/s"] = executed;
    row.details["executed, % of peak"] = executed / report.peak_gflops() * 100;
    const auto& conv = *std::find_if(std::begin(kConvs), std::end(kConvs), [&](const auto& c) {
      return row.name.starts_with(std::string(c.name) + ", ");
    });
    const bool is_direct = row.details["kernel"] == "direct";
    if (conv.in_target && is_direct) {
      direct_percent.push_back(row.details["executed, % of peak"].get<double>());
      row.target = ">= 85 % of peak";
    }
    if (const auto found = peer.ms.find(row.name); found != peer.ms.end()) {
      row.peer_ms = found->second;
      row.peer_variant = peer.variant[row.name];
      const bool is_plan = i == 0 || rows[i - 1].name != row.name;
      if (conv.in_target && is_plan) target_ratios.push_back(*row.peer_ms / row.ours_ms);
    }
    report.add(row);
  }
  const auto percent = [](double value) { return std::to_string(std::lround(value)); };
  if (!direct_percent.empty()) {
    report.add_note(
        "Direct kernels of the stride-1 cases: " + percent(geometric_mean(direct_percent)) +
        " % of the loaded peak (geometric mean), target 85.");
  }
  if (!target_ratios.empty()) {
    report.add_note("Stride-1 cases, all passes: " + percent(geometric_mean(target_ratios) * 100) +
                    " % of the peer's speed (geometric mean), target 150.");
  }
  report.finish();
}

}  // namespace
}  // namespace ebb

int main(int argc, char** argv) {
  ebb::Program program("Times the convolution kernels of the class UNet, beside PyTorch's.",
                       "bench_kernels");
  ebb::add_version_flag(program);
  ebb::BenchFlags flags(program);
  int64_t batch = 128;
  ebb::add_integer(program, "--batch-size", batch, 1, 4096, "images");
  program.callback([&] { ebb::run(flags, batch); });
  return ebb::run_program(program, std::vector<std::string>(argv, argv + argc));
}
