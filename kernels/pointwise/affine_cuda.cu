#include "kernels/cuda/map.h"
#include "kernels/pointwise/affine.h"

namespace ebb::EBB_GPU_NAMESPACE {
namespace {

struct Affine {
  static constexpr int kInputs = 1;
  float scale, shift;
  SIMT_DEVICE float operator()(float x) const { return fmaf(scale, x, shift); }
};

}  // namespace

void affine(const AffineArgs& args, KernelStream stream) {
  for_dtype("affine", args.dtype, [&](auto type) {
    using T = decltype(type);
    map<T>("affine", stream, args.count, Affine{args.scale, args.shift},
           static_cast<const T*>(args.x), nullptr, static_cast<T*>(args.y));
  });
}

}  // namespace ebb::EBB_GPU_NAMESPACE
