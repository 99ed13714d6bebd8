#include "kernels/cuda/elements.h"
#include "kernels/cuda/grid.h"
#include "kernels/optimizer/fixed_share.h"
#include "kernels/optimizer/fixed_sum.h"

namespace ebb::EBB_GPU_NAMESPACE {
namespace {

// Two sums are 16 bytes.
inline constexpr int kFixedWidth = 2;

// Returns how many of the elements at i are lost.
template <int kWidth>
SIMT_DEVICE unsigned add_fixed_step(const FixedShare& share, const AddFixedArgs& args, int64_t i) {
  const Pack<float, kWidth> x = load_pack<kWidth>(args.x + i);
  Pack<uint64_t, kWidth> sum = load_pack<kWidth>(args.sum + i);
  unsigned lost = 0;
  for (int k = 0; k < kWidth; ++k) {
    const double nearest = rint(static_cast<double>(x.v[k]) * share.scale);
    const bool fits = fabs(nearest) < share.limit;
    sum.v[k] += static_cast<uint64_t>(static_cast<int64_t>(fits ? nearest : 0.0));
    lost += fits ? 0 : 1;
  }
  store_pack<kWidth>(args.sum + i, sum);
  return lost;
}

template <int kWidth>
__global__ void __launch_bounds__(kThreads) add_fixed_kernel(AddFixedArgs args) {
  const FixedShare share = *args.share;
  const int64_t packs = args.count / kWidth;
  unsigned lost = 0;
  for (int64_t i = global_thread(); i < packs; i += global_threads()) {
    lost += add_fixed_step<kWidth>(share, args, i * kWidth);
  }
  for (int64_t i = packs * kWidth + global_thread(); i < args.count; i += global_threads()) {
    lost += add_fixed_step<1>(share, args, i);
  }
  if (lost > 0) atomicAdd(reinterpret_cast<unsigned long long*>(args.lost), lost);
}

template <int kWidth>
SIMT_DEVICE void from_fixed_step(const FromFixedArgs& args, int64_t i) {
  const Pack<uint64_t, kWidth> sum = load_pack<kWidth>(args.sum + i);
  Pack<float, kWidth> x;
  for (int k = 0; k < kWidth; ++k) x.v[k] = from_fixed_number(sum.v[k]);
  store_pack<kWidth>(args.x + i, x);
}

template <int kWidth>
__global__ void __launch_bounds__(kThreads) from_fixed_kernel(FromFixedArgs args) {
  const int64_t packs = args.count / kWidth;
  for (int64_t i = global_thread(); i < packs; i += global_threads()) {
    from_fixed_step<kWidth>(args, i * kWidth);
  }
  for (int64_t i = packs * kWidth + global_thread(); i < args.count; i += global_threads()) {
    from_fixed_step<1>(args, i);
  }
}

simt::LaunchConfig config_for(const char* name, int64_t work, KernelStream stream) {
  return {.name = name, .grid = dim3(blocks_for(work)), .block = dim3(kThreads), .stream = stream};
}

}  // namespace

void add_fixed(const AddFixedArgs& args, KernelStream stream) {
  const bool vectorized = packs_fit(args.x, args.sum);
  const int64_t work = vectorized ? ceil_div(args.count, kFixedWidth) : args.count;
  simt::launch(config_for("add_fixed", work, stream),
               vectorized ? add_fixed_kernel<kFixedWidth> : add_fixed_kernel<1>, args);
}

void from_fixed(const FromFixedArgs& args, KernelStream stream) {
  const bool vectorized = packs_fit(args.x, args.sum);
  const int64_t work = vectorized ? ceil_div(args.count, kFixedWidth) : args.count;
  simt::launch(config_for("from_fixed", work, stream),
               vectorized ? from_fixed_kernel<kFixedWidth> : from_fixed_kernel<1>, args);
}

}  // namespace ebb::EBB_GPU_NAMESPACE
