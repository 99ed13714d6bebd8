#include "kernels/pointwise/linear_combination.h"

#include "base/error.h"
#include "base/kernel_stream.h"
#include "kernels/cpu/parallel.h"

namespace ebb::cpu {

namespace {

// One chunk of one image. Unused terms have coefficient pointers of their own count only, so the
// number of terms is a template parameter and the loop has no branch.
template <int kTerms>
void combine(const LinearCombinationArgs& args, int64_t image, int64_t begin, int64_t end) {
  float coefficient[kTerms];
  const float* x[kTerms];
  for (int k = 0; k < kTerms; ++k) {
    coefficient[k] = args.term[k].coefficients[args.per_image ? image : 0];
    x[k] = args.term[k].x + image * args.elements;
  }
  float* y = args.y + image * args.elements;
  for (int64_t e = begin; e < end; ++e) {
    float sum = coefficient[0] * x[0][e];
    for (int k = 1; k < kTerms; ++k) sum += coefficient[k] * x[k][e];
    y[e] = sum;
  }
}

}  // namespace

void linear_combination(const LinearCombinationArgs& args, KernelStream stream) {
  constexpr decltype(&combine<1>) kCombine[] = {combine<1>, combine<2>, combine<3>, combine<4>};
  static_assert(std::size(kCombine) == LinearCombinationArgs::kMaxTerms);
  EBB_CHECK(args.terms >= 1 && args.terms <= LinearCombinationArgs::kMaxTerms, ShapeError,
            "cpu kernels: linear_combination takes 1..", LinearCombinationArgs::kMaxTerms,
            " terms, got ", args.terms);
  const auto combine_chunk = kCombine[args.terms - 1];
  parallel_row_chunks(
      stream.threads, args.n, args.elements,
      [&](int64_t image, int64_t begin, int64_t end) { combine_chunk(args, image, begin, end); });
}

}  // namespace ebb::cpu
