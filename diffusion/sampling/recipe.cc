#include "diffusion/sampling/denoiser.h"

namespace ebb {

Recipe conditioned(const Tensor& condition) {
  Term term;
  term.condition = condition;
  return {term};
}

Recipe guided(const Tensor& cond, const Tensor& uncond, double scale) {
  Recipe recipe = conditioned(cond);
  if (scale == 1) return recipe;
  recipe.front().weight = scale;
  Term base;
  base.condition = uncond;
  base.weight = 1 - scale;
  base.variance_weight = 0;
  recipe.insert(recipe.begin(), base);
  return recipe;
}

Recipe mean_of_views(const std::vector<ViewedRecipe>& parts) {
  const double share = 1.0 / static_cast<double>(parts.size());
  Recipe mean;
  for (const ViewedRecipe& part : parts) {
    for (Term term : part.recipe) {
      EBB_CHECK(term.view.is_identity() && term.filter.is_identity(), Error,
                "mean_of_views: a part has a view or a filter already");
      term.view = part.view;
      term.weight *= share;
      term.variance_weight *= share;
      mean.push_back(std::move(term));
    }
  }
  return mean;
}

Recipe sum_of_parts(const std::vector<FilteredRecipe>& parts) {
  std::vector<Filter> filters;
  for (const FilteredRecipe& part : parts) filters.push_back(part.filter);
  EBB_CHECK(sum_to_identity(filters), Error,
            "sum_of_parts: the filters do not sum to the identity");
  Recipe sum;
  for (const FilteredRecipe& part : parts) {
    for (Term term : part.recipe) {
      EBB_CHECK(term.filter.is_identity(), Error, "sum_of_parts: a part has a filter already");
      term.filter = part.filter;
      term.variance_weight /= static_cast<double>(parts.size());
      sum.push_back(std::move(term));
    }
  }
  return sum;
}

}  // namespace ebb
