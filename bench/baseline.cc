#include "bench/baseline.h"

#include <utility>

#include "base/error.h"

namespace ebb {

std::string baseline_command(const BenchFlags& flags, const std::string& peer,
                             const std::string& arguments) {
  const char* const script = peer == "diffusers" ? "/baseline_diffusers.py "
                             : peer != "torch"   ? "/baseline_onnx.py "
                             : flags.on_gpu()    ? "/baseline_torch_gpu.py "
                                                 : "/baseline_mnist.py ";
  return flags.python + " " + flags.scripts + script + arguments;
}

ProcessCost run_baseline(const BenchFlags& flags, const std::string& peer,
                         const std::string& arguments,
                         const std::function<void(nlohmann::json)>& on_line) {
  const std::string command = baseline_command(flags, peer, arguments);
  int64_t lines = 0;
  const ProcessCost cost = run_process(command, [&](const std::string& line) {
    if (!line.starts_with("{")) return;
    on_line(nlohmann::json::parse(line));
    ++lines;
  });
  EBB_CHECK(cost.status == 0 && lines > 0, IoError, "--peer ", peer, ": '", command,
            "' failed (status ", cost.status,
            "). See its message above; --python names another Python");
  return cost;
}

void BaselineCase::measure() {
  const bool is_first = best_variant_.empty();
  for (const std::string& variant :
       is_first ? variants_ : std::vector<std::string>{best_variant_}) {
    nlohmann::json fastest;  // a run may print several variants of its own
    run_baseline(flags_, peer_, arguments_ + variant_flags(variant), [&](nlohmann::json line) {
      const auto seconds = [](const nlohmann::json& l) {
        return l.at("median_step_seconds").get<double>();
      };
      if (fastest.is_null() || seconds(line) < seconds(fastest)) fastest = std::move(line);
    });
    const double ms = fastest.at("median_step_seconds").get<double>() * 1e3;
    if (!is_first) {
      step_ms_.push_back(ms);
    } else if (step_ms_.empty() || ms < step_ms_.front()) {
      step_ms_ = {ms};
      best_variant_ = variant;
      best_ = std::move(fastest);
    }
  }
}

std::string BaselineCase::version() const { return baseline_version(peer_, best_); }

std::string baseline_version(const std::string& peer, const nlohmann::json& line) {
  std::string text = peer + " " + line.at("version").get<std::string>();
  for (const char* const device : {"gpu", "cpu_capability"}) {
    if (line.contains(device)) return text + " " + line.at(device).get<std::string>();
  }
  return text;
}

std::string baseline_precision(const BenchFlags& flags) {
  if (!flags.on_gpu()) return "";
  return cat(" --precision ", to_string(flags.device.precision()));
}

std::vector<std::string> baseline_variants(const BenchFlags& flags,
                                           std::vector<std::string> on_cpu) {
  return flags.on_gpu() ? std::vector<std::string>{"contiguous"} : std::move(on_cpu);
}

std::string variant_flags(const std::string& variant) {
  return variant == "contiguous" ? "" : " " + variant;
}

}  // namespace ebb
