#include "diffusion/denoiser.h"

namespace ebb {

Guidance conditioned(const TensorMap& condition) {
  GuidanceTerm term;
  term.condition = condition;
  return {term};
}

Guidance guided(const TensorMap& cond, const TensorMap& uncond, double scale) {
  Guidance guidance = conditioned(cond);
  if (scale == 1) return guidance;
  guidance.front().weight = scale;
  GuidanceTerm base;
  base.condition = uncond;
  base.weight = 1 - scale;
  base.variance_weight = 0;
  guidance.insert(guidance.begin(), base);
  return guidance;
}

Guidance mean_of_views(const std::vector<ViewedGuidance>& parts, Unconditional unconditional) {
  const double share = 1.0 / static_cast<double>(parts.size());
  Guidance mean;
  for (const ViewedGuidance& part : parts) {
    for (size_t k = 0; k < part.guidance.size(); ++k) {
      GuidanceTerm term = part.guidance[k];
      EBB_CHECK(term.view.is_identity() && term.filter.is_identity(), Error,
                "mean_of_views: a part has a view or a filter already");
      term.view = part.view;
      term.sees_no_view = unconditional == Unconditional::kShared && !part.view.is_identity() &&
                          k + 1 < part.guidance.size();
      term.weight *= share;
      term.variance_weight *= share;
      mean.push_back(std::move(term));
    }
  }
  return mean;
}

Guidance sum_of_parts(const std::vector<FilteredGuidance>& parts) {
  std::vector<Filter> filters;
  for (const FilteredGuidance& part : parts) filters.push_back(part.filter);
  EBB_CHECK(sum_to_identity(filters), Error,
            "sum_of_parts: the filters do not sum to the identity");
  Guidance sum;
  for (const FilteredGuidance& part : parts) {
    for (GuidanceTerm term : part.guidance) {
      EBB_CHECK(term.filter.is_identity(), Error, "sum_of_parts: a part has a filter already");
      term.filter = part.filter;
      term.variance_weight /= static_cast<double>(parts.size());
      sum.push_back(std::move(term));
    }
  }
  return sum;
}

}  // namespace ebb
