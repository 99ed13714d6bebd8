#include "engine/ops/ops.h"
#include "kernels/kernel_table.h"

namespace ebb::ops {
namespace {

std::vector<Shape> infer(const OpAttrs& attrs, std::span<const Shape> inputs) {
  check_input_count("avg_pool", inputs.size(), 1);
  const auto& [k, flat] = std::get<PoolAttrs>(attrs);
  const Shape& x = inputs[0];
  if (flat) {
    EBB_CHECK(x.rank() == 3 || x.rank() == 4, ShapeError, "avg_pool: input ", x,
              ", expected [N, H, W, C] or [N, tokens, C]");
    return {Shape{x[0], x.back()}};
  }
  if (x.rank() == 3) {
    EBB_CHECK(k > 0 && x[1] % k == 0, ShapeError, "avg_pool: input ", x,
              ", expected [N, tokens, C] with a multiple of ", k, " tokens");
    return {Shape{x[0], x[1] / k, x[2]}};
  }
  EBB_CHECK(x.rank() == 4 && k > 0 && x[1] % k == 0 && x[2] % k == 0, ShapeError,
            "avg_pool: input ", x, ", expected [N, H, W, C] with H and W multiples of ", k);
  return {Shape{x[0], x[1] / k, x[2] / k, x[3]}};
}

void run(Context& context, const OpCall& call) {
  const Tensor& x = call.inputs[0];
  const PoolWindows windows = pool_windows(std::get<PoolAttrs>(call.attrs), x.shape());
  context.launch(&KernelTable::avg_pool_forward, AvgPoolForwardArgs{.n = x.shape()[0],
                                                                    .h = windows.h,
                                                                    .w = windows.w,
                                                                    .c = x.shape().back(),
                                                                    .kh = windows.kh,
                                                                    .kw = windows.kw,
                                                                    .dtype = x.dtype(),
                                                                    .x = x.raw(),
                                                                    .y = call.outputs[0].raw()});
}

}  // namespace

PoolWindows pool_windows(const PoolAttrs& attrs, const Shape& x) {
  const int64_t h = x[1], w = x.rank() == 4 ? x[2] : 1;
  if (attrs.flat) return {h, w, h, w};
  return {h, w, attrs.kernel, x.rank() == 4 ? attrs.kernel : 1};
}

const OpDef kAvgPool = {.name = "avg_pool", .infer = infer, .workspace_bytes = nullptr, .run = run};

}  // namespace ebb::ops
