#include "apps/training/divergence.h"

#include <algorithm>
#include <numeric>

namespace ebb {

void DivergenceGuard::add(int64_t step, double loss) {
  if (step == 1) first_ = std::max(first_, loss);
  window_.push_back(loss);
  if (static_cast<int64_t>(window_.size()) > kWindow) window_.pop_front();
}

double DivergenceGuard::recent() const {
  if (window_.empty()) return 0;
  return std::accumulate(window_.begin(), window_.end(), 0.0) / static_cast<double>(window_.size());
}

bool DivergenceGuard::has_diverged(bool is_last_step) const {
  const bool is_full = static_cast<int64_t>(window_.size()) == kWindow;
  return (is_full || is_last_step) && recent() > kDiverged * first();
}

}  // namespace ebb
