#include "diffusion/combine.h"

#include <algorithm>
#include <array>
#include <vector>

#include "kernels/kernel_table.h"

namespace ebb {
namespace {

constexpr int64_t kMaxTerms = LinearCombinationArgs::kMaxTerms;

// y = the sum of the terms [begin, end), plus one * y where `one` is given.
void combine_some(Context& context, std::span<const Tensor> x, const Tensor& coefficients,
                  int64_t begin, int64_t end, const float* one, const Tensor& y) {
  const int64_t images = y.shape()[0];
  LinearCombinationArgs args{.n = images,
                             .elements = y.elements() / images,
                             .per_image = false,
                             .terms = 0,
                             .term = {},
                             .y = y.data<float>()};
  if (one != nullptr) args.term[args.terms++] = {y.data<float>(), one};
  for (int64_t k = begin; k < end; ++k) {
    EBB_CHECK(x[k].shape() == y.shape() && x[k].dense() && y.dense(), ShapeError,
              "combine: term of shape ", x[k].shape(), ", expected ", y.shape());
    args.term[args.terms++] = {x[k].data<float>(), coefficients.data<float>() + k};
  }
  context.launch(&KernelTable::linear_combination, args);
}

}  // namespace

void combine(Context& context, std::span<const Tensor> x, const Tensor& coefficients,
             const Tensor& y) {
  const auto terms = static_cast<int64_t>(x.size());
  EBB_CHECK(terms >= 1 && coefficients.elements() == terms, ShapeError, "combine: ", terms,
            " terms with ", coefficients.elements(), " coefficients");
  int64_t done = std::min(terms, kMaxTerms);
  combine_some(context, x, coefficients, 0, done, nullptr, y);
  if (done == terms) return;
  const Tensor one = Tensor::from_host(context, {1}, std::span<const float>(std::array{1.0f}));
  while (done < terms) {
    const int64_t end = std::min(terms, done + kMaxTerms - 1);
    combine_some(context, x, coefficients, done, end, one.data<float>(), y);
    done = end;
  }
}

Tensor coefficients(Context& context, std::span<const double> values) {
  const std::vector<float> narrowed(values.begin(), values.end());
  return Tensor::from_host(context, {static_cast<int64_t>(narrowed.size())},
                           std::span<const float>(narrowed));
}

Tensor select_images(Context& context, const Tensor& all, int64_t first, int64_t count) {
  Shape shape = all.shape();
  const int64_t images = shape[0], elements = shape.elements() / images;
  shape[0] = count;
  if (images > 1 || count == 1) {
    const int64_t start = images > 1 ? first : 0;
    EBB_CHECK(start + count <= images, ShapeError, "select_images: ", start, " + ", count, " of ",
              images);
    return all.range(start * elements, shape);
  }
  const Tensor repeated = Tensor::empty(context, shape, all.dtype());
  if (all.dtype() != DType::kF32) {  // the kernel copies floats
    for (int64_t i = 0; i < count; ++i) {
      repeated.range(i * elements, all.shape()).copy_from(all);
    }
    return repeated;
  }
  context.launch(&KernelTable::copy_rows, CopyRowsArgs{.rows = count,
                                                       .x_rows = 1,
                                                       .c = elements,
                                                       .x_pitch = elements,
                                                       .y_pitch = elements,
                                                       .dtype = all.dtype(),
                                                       .x = all.raw(),
                                                       .y = repeated.raw()});
  return repeated;
}

}  // namespace ebb
