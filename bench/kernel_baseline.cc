#include "bench/kernel_baseline.h"

#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "bench/baseline.h"

namespace ebb {
namespace {

bool has_baseline(const BenchFlags& flags, const OpCase& c) {
  if (c.op == "upsample" || c.op == "stream" || c.op == "layer norm") return false;
  return c.op == "conv" || flags.on_gpu();
}

// A shape in the keys of the peer's scripts.
nlohmann::json shape_json(const ConvShape& s) {
  return {{"n", s.n},  {"side", s.h},        {"c", s.c},     {"o", s.o},
          {"k", s.kh}, {"stride", s.stride}, {"pad", s.pad}, {"transposed", s.transposed}};
}
nlohmann::json shape_json(const GroupNormCase& c) {
  return {{"n", c.size.n}, {"pixels", c.size.pixels}, {"c", c.size.c}, {"groups", c.size.groups}};
}
nlohmann::json shape_json(const BatchNormCase& c) { return {{"rows", c.rows}, {"c", c.c}}; }
nlohmann::json shape_json(const AttentionCase& c) {
  return {{"b", c.b},
          {"heads", c.heads},
          {"d", c.d},
          {"queries", c.queries},
          {"keys", c.size().all_keys()}};
}
template <typename Other>
nlohmann::json shape_json(const Other&) {
  return nullptr;
}

nlohmann::json baseline_case(const Measurement& m) {
  return {{"case", m.name().substr(0, m.name().rfind(", "))},
          {"pass", to_string(m.pass)},
          {"op", m.op_case.op},
          {"shape", std::visit([](const auto& s) { return shape_json(s); }, m.op_case.shape)}};
}

}  // namespace

std::string baseline_key(const Measurement& m) {
  const bool tf32 = m.variant.unit == MathUnit::kTf32;
  return m.name() + ", " + (tf32 ? "tf32" : to_string(m.variant.dtype));
}

void measure_baseline(const BenchFlags& flags, const std::vector<Measurement>& all,
                      BaselineTimes& times, const std::function<void()>& on_line) {
  nlohmann::json cases = nlohmann::json::array();
  for (const Measurement& m : all) {
    if (m.is_plan && m.op_case.set != CaseSet::kEdge && has_baseline(flags, m.op_case)) {
      cases.push_back(baseline_case(m));
    }
  }
  if (cases.empty()) return;
  const auto file = std::filesystem::temp_directory_path() /
                    ("ebb-bench-cases-" + std::to_string(getpid()) + ".json");
  std::ofstream(file) << cases.dump();
  const std::string arguments =
      "ops --threads " + std::to_string(flags.threads()) + " --cases " + file.string();
  run_baseline(flags, "torch", arguments, [&](const nlohmann::json& line) {
    const auto text = [&](const char* key) { return line.at(key).get<std::string>(); };
    const std::string name = text("case") + ", " + text("pass") + ", " + text("precision");
    const double ms = line.at("median_step_seconds").get<double>() * 1e3;
    const auto [known, is_new] = times.ms.emplace(name, ms);
    if (is_new || ms < known->second) {
      known->second = ms;
      times.variant[name] = text("variant");
    }
    times.version = "torch " + text("version");
    on_line();
  });
  std::filesystem::remove(file);
}

}  // namespace ebb
