#include "kernels/cuda/elements.h"
#include "kernels/cuda/grid.h"
#include "kernels/random/philox.h"
#include "kernels/random/random.h"

namespace ebb::EBB_GPU_NAMESPACE {
namespace {

enum class Distribution { kNormal, kUniform };

// The four numbers of one counter.
template <Distribution kDistribution>
SIMT_DEVICE Pack<float, 4> numbers(const PhiloxWords& words) {
  Pack<float, 4> result;
  if constexpr (kDistribution == Distribution::kNormal) {
    for (int i = 0; i < 4; i += 2) {
      const NormalPair pair = normals_from_words(words.w[i], words.w[i + 1]);
      result.v[i] = pair.first;
      result.v[i + 1] = pair.second;
    }
  } else {
    for (int i = 0; i < 4; ++i) result.v[i] = uniform_from_word(words.w[i]);
  }
  return result;
}

// One counter per thread; blocks along y take images in turn. vectorized: y and its images are
// aligned.
template <Distribution kDistribution>
__global__ void __launch_bounds__(kThreads)
    random_fill_kernel(RandomFillArgs args, bool vectorized) {
  for (int64_t image = blockIdx.y; image < args.n; image += gridDim.y) {
    float* y = args.y + image * args.elements;
    for (int64_t e = global_thread() * 4; e < args.elements; e += global_threads() * 4) {
      const Pack<float, 4> pack = numbers<kDistribution>(
          random_words(args.seed, args.stream, args.image0 + static_cast<uint64_t>(image),
                       args.step, static_cast<uint32_t>(e / 4)));
      if (vectorized) {
        store_pack<4>(y + e, pack);
      } else {
        for (int i = 0; i < 4; ++i) {
          if (e + i < args.elements) y[e + i] = pack.v[i];
        }
      }
    }
  }
}

template <Distribution kDistribution>
void fill(const char* name, const RandomFillArgs& args, KernelStream stream) {
  EBB_CHECK(args.image0 <= kRandomImages - static_cast<uint64_t>(args.n), ShapeError,
            "cuda kernels: random numbers exist for images below 2^56, got image ", args.image0);
  EBB_CHECK(args.elements <= kRandomElements, ShapeError,
            "cuda kernels: random numbers exist for up to 2^34 elements per image, got ",
            args.elements);
  const bool vectorized = packs_fit(args.y) && args.elements % 4 == 0;
  simt::launch({.name = name,
                .grid = dim3(blocks_for(ceil_div(args.elements, 4)), rows_for(args.n)),
                .block = dim3(kThreads),
                .stream = stream},
               random_fill_kernel<kDistribution>, args, vectorized);
}

}  // namespace

void random_normal(const RandomFillArgs& args, KernelStream stream) {
  fill<Distribution::kNormal>("random_normal", args, stream);
}

void random_uniform(const RandomFillArgs& args, KernelStream stream) {
  fill<Distribution::kUniform>("random_uniform", args, stream);
}

}  // namespace ebb::EBB_GPU_NAMESPACE
