#include "kernels/cuda/elements.h"
#include "kernels/cuda/grid.h"
#include "kernels/pointwise/linear_combination.h"

namespace ebb::EBB_GPU_NAMESPACE {
namespace {

// Rounds after each product and each sum, as the CPU does.
template <int kTerms, int kWidth>
SIMT_DEVICE void combine(const LinearCombinationArgs& args, const float (&coefficient)[kTerms],
                         int64_t i) {
  Pack<float, kWidth> sum = load_pack<kWidth>(args.term[0].x + i);
  for (int e = 0; e < kWidth; ++e) sum.v[e] = __fmul_rn(coefficient[0], sum.v[e]);
  for (int k = 1; k < kTerms; ++k) {
    const Pack<float, kWidth> x = load_pack<kWidth>(args.term[k].x + i);
    for (int e = 0; e < kWidth; ++e) {
      sum.v[e] = __fadd_rn(sum.v[e], __fmul_rn(coefficient[k], x.v[e]));
    }
  }
  store_pack<kWidth>(args.y + i, sum);
}

// Blocks along y take images in turn.
template <int kTerms, int kWidth>
__global__ void __launch_bounds__(kThreads) linear_combination_kernel(LinearCombinationArgs args) {
  for (int64_t image = blockIdx.y; image < args.n; image += gridDim.y) {
    float coefficient[kTerms];
    for (int k = 0; k < kTerms; ++k) {
      coefficient[k] = args.term[k].coefficients[args.per_image ? image : 0];
    }
    const int64_t first = image * args.elements;
    const int64_t packs = args.elements / kWidth;
    for (int64_t i = global_thread(); i < packs; i += global_threads()) {
      combine<kTerms, kWidth>(args, coefficient, first + i * kWidth);
    }
    for (int64_t i = packs * kWidth + global_thread(); i < args.elements; i += global_threads()) {
      combine<kTerms, 1>(args, coefficient, first + i);
    }
  }
}

template <int kWidth>
constexpr decltype(&linear_combination_kernel<1, kWidth>) kKernels[] = {
    linear_combination_kernel<1, kWidth>, linear_combination_kernel<2, kWidth>,
    linear_combination_kernel<3, kWidth>, linear_combination_kernel<4, kWidth>};

}  // namespace

void linear_combination(const LinearCombinationArgs& args, KernelStream stream) {
  constexpr int kMaxTerms = LinearCombinationArgs::kMaxTerms;
  static_assert(std::size(kKernels<1>) == kMaxTerms);
  EBB_CHECK(args.terms >= 1 && args.terms <= kMaxTerms, ShapeError,
            "cuda kernels: linear_combination takes 1..", kMaxTerms, " terms, got ", args.terms);
  bool vectorized = packs_fit(args.y) && (args.n == 1 || args.elements % 4 == 0);
  for (int k = 0; k < args.terms; ++k) vectorized = vectorized && packs_fit(args.term[k].x);
  const int64_t work = vectorized ? ceil_div(args.elements, 4) : args.elements;
  simt::launch({.name = "linear_combination",
                .grid = dim3(blocks_for(work), rows_for(args.n)),
                .block = dim3(kThreads),
                .stream = stream},
               vectorized ? kKernels<4>[args.terms - 1] : kKernels<1>[args.terms - 1], args);
}

}  // namespace ebb::EBB_GPU_NAMESPACE
