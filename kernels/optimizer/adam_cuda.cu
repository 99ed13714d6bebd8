#include "kernels/cuda/map.h"
#include "kernels/cuda/sum.h"
#include "kernels/optimizer/adam.h"
#include "kernels/optimizer/adam_factors.h"

namespace ebb::EBB_GPU_NAMESPACE {
namespace {

// One element, in the order of operations of torch.optim.Adam.
SIMT_DEVICE void adam_update(const AdamFactors& f, float grad, float& param, float& m, float& v) {
  const float g = grad * f.grad_scale;
  m = fmaf(f.take_m, g - m, m);
  v = fmaf(f.take_v * g, g, v * f.keep_v);
  param = f.keep * param + f.minus_step * m / (sqrtf(v) / f.root + f.eps);
}

template <int kWidth>
SIMT_DEVICE void adam_step(const AdamFactors& f, const AdamArgs& args, int64_t i) {
  const Pack<float, kWidth> g = load_pack<kWidth>(args.grad + i);
  Pack<float, kWidth> p = load_pack<kWidth>(args.param + i);
  Pack<float, kWidth> m = load_pack<kWidth>(args.m + i), v = load_pack<kWidth>(args.v + i);
  for (int k = 0; k < kWidth; ++k) adam_update(f, g.v[k], p.v[k], m.v[k], v.v[k]);
  store_pack<kWidth>(args.param + i, p);
  store_pack<kWidth>(args.m + i, m);
  store_pack<kWidth>(args.v + i, v);
  if (args.shadow == nullptr) return;
  Pack<__nv_bfloat16, kWidth> rounded;
  for (int k = 0; k < kWidth; ++k) rounded.v[k] = from_float<__nv_bfloat16>(p.v[k]);
  store_pack<kWidth>(reinterpret_cast<__nv_bfloat16*>(args.shadow) + i, rounded);
}

template <int kWidth>
__global__ void __launch_bounds__(kThreads) adam_kernel(AdamArgs args) {
  if (!updates(args.guard)) return;
  const AdamFactors factors(args);
  const int64_t packs = args.count / kWidth;
  for (int64_t i = global_thread(); i < packs; i += global_threads()) {
    adam_step<kWidth>(factors, args, i * kWidth);
  }
  for (int64_t i = packs * kWidth + global_thread(); i < args.count; i += global_threads()) {
    adam_step<1>(factors, args, i);
  }
}

__global__ void __launch_bounds__(1) update_guard_kernel(UpdateGuardArgs args) {
  *args.guard = make_update_guard(args, sqrt(*args.sum_squares));
}

struct Average {
  static constexpr int kInputs = 2;
  float keep, take;
  const UpdateGuard* guard;
  SIMT_DEVICE float operator()(float ema, float param) const {
    return updates(guard) ? keep * ema + take * param : ema;
  }
};

struct Square {
  const float* x;
  SIMT_DEVICE double operator()(int64_t i) const {
    const double v = x[i];
    return v * v;
  }
};

}  // namespace

void update_guard(const UpdateGuardArgs& args, KernelStream stream) {
  simt::launch({.name = "update_guard", .grid = dim3(1), .block = dim3(1), .stream = stream},
               update_guard_kernel, args);
}

void adam(const AdamArgs& args, KernelStream stream) {
  const bool vectorized = packs_fit(args.grad, args.param, args.m, args.v, args.shadow);
  simt::launch({.name = "adam",
                .grid = dim3(blocks_for(vectorized ? ceil_div(args.count, 4) : args.count)),
                .block = dim3(kThreads),
                .stream = stream},
               vectorized ? adam_kernel<4> : adam_kernel<1>, args);
}

void ema(const EmaArgs& args, KernelStream stream) {
  const Average average{static_cast<float>(args.decay), static_cast<float>(1 - args.decay),
                        args.guard};
  map<float>("ema", stream, args.count, average, args.ema, args.param, args.ema);
}

int64_t sum_squares_workspace_bytes(int64_t count) { return sum_workspace_bytes(count); }

void sum_squares(const SumSquaresArgs& args, KernelStream stream) {
  sum_terms("sum_squares", stream, args.count, Square{args.x}, 1.0, args.workspace, args.result);
}

}  // namespace ebb::EBB_GPU_NAMESPACE
