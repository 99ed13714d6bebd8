#include "diffusion/combine.h"

#include <vector>

#include "kernels/kernel_table.h"

namespace ebb {

void combine(Context& context, std::span<const Tensor> x, const Tensor& coefficients,
             const Tensor& y) {
  const auto terms = static_cast<int>(x.size());
  EBB_CHECK(
      terms >= 1 && terms <= LinearCombinationArgs::kMaxTerms && coefficients.elements() == terms,
      ShapeError, "combine: ", terms, " terms with ", coefficients.elements(), " coefficients");
  const int64_t images = y.shape()[0];
  LinearCombinationArgs args{.n = images,
                             .elements = y.elements() / images,
                             .per_image = false,
                             .terms = terms,
                             .term = {},
                             .y = y.data<float>()};
  for (int k = 0; k < terms; ++k) {
    EBB_CHECK(x[k].shape() == y.shape() && x[k].dense() && y.dense(), ShapeError,
              "combine: term of shape ", x[k].shape(), ", expected ", y.shape());
    args.term[k] = {x[k].data<float>(), coefficients.data<float>() + k};
  }
  context.launch(&KernelTable::linear_combination, "linear_combination", args);
}

Tensor coefficients(Context& context, std::span<const double> values) {
  const std::vector<float> narrowed(values.begin(), values.end());
  return Tensor::from_host(context, {static_cast<int64_t>(narrowed.size())},
                           std::span<const float>(narrowed));
}

}  // namespace ebb
