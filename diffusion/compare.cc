#include "diffusion/compare.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "diffusion/compare_layers.h"
#include "diffusion/compare_run.h"

namespace ebb {
namespace {

// The first that fits counts.
constexpr std::array kKinds = {
    ReferenceKind{"state", is_run_reference, run_limits, compare_run},
    ReferenceKind{"layer", is_unet_reference, unet_limits, compare_network},
    ReferenceKind{"layer", [](const ReferenceFile&) { return true; }, network_limits,
                  compare_network},
};

}  // namespace

const ReferenceKind& reference_kind(const ReferenceFile& reference) {
  return *std::find_if(kKinds.begin(), kKinds.end(),
                       [&](const ReferenceKind& kind) { return kind.is_kind(reference); });
}

bool CompareLimits::accept(const LayerComparison& layer) const {
  const bool is_near = !nmse || layer.nmse <= *nmse;
  return is_near &&
         (!max_error || layer.max_abs_error <= *max_error * std::max(1.0, layer.max_reference)) &&
         !std::isnan(layer.nmse);
}

LayerComparison compare_tensor(const std::string& name, const Tensor& actual,
                               const std::vector<float>& reference) {
  const std::vector<float> values = actual.to_host();
  LayerComparison result{.name = name, .shape = torch_order(actual.shape())};
  double error = 0, power = 0;
  bool is_nan = false;
  for (size_t i = 0; i < values.size(); ++i) {
    const auto place = torch_offset(actual.shape(), static_cast<int64_t>(i));
    const double r = reference[static_cast<size_t>(place)];
    const double difference = static_cast<double>(values[i]) - r;
    error += difference * difference;
    power += r * r;
    result.max_abs_error = std::max(result.max_abs_error, std::fabs(difference));
    result.max_reference = std::max(result.max_reference, std::fabs(r));
    is_nan = is_nan || std::isnan(difference);
  }
  constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
  result.nmse = is_nan ? kNan : (error == 0 ? 0 : error / power);
  if (is_nan) result.max_abs_error = kNan;
  return result;
}

}  // namespace ebb
