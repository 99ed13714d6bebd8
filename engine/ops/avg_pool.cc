#include "engine/ops/ops.h"
#include "kernels/kernel_table.h"

namespace ebb::ops {
namespace {

std::vector<Shape> infer(const OpAttrs& attrs, std::span<const Shape> inputs) {
  check_input_count("avg_pool", inputs.size(), 1);
  const auto& [k, flat] = std::get<PoolAttrs>(attrs);
  const Shape& x = inputs[0];
  EBB_CHECK(x.rank() == 4 && k > 0 && x[1] % k == 0 && x[2] % k == 0, ShapeError,
            "avg_pool: input ", x, ", expected [N, H, W, C] with H and W multiples of ", k);
  EBB_CHECK(!flat || (x[1] == k && x[2] == k), ShapeError, "avg_pool: input ", x,
            ", expected one window of ", k, " x ", k);
  return {flat ? Shape{x[0], x[3]} : Shape{x[0], x[1] / k, x[2] / k, x[3]}};
}

void run(Context& context, const OpCall& call) {
  const Tensor& x = call.inputs[0];
  const Shape& s = x.shape();
  context.launch(&KernelTable::avg_pool_forward,
                 AvgPoolForwardArgs{.n = s[0],
                                    .h = s[1],
                                    .w = s[2],
                                    .c = s[3],
                                    .k = std::get<PoolAttrs>(call.attrs).kernel,
                                    .dtype = x.dtype(),
                                    .x = x.raw(),
                                    .y = call.outputs[0].raw()});
}

}  // namespace

const OpDef kAvgPool = {.name = "avg_pool", .infer = infer, .workspace_bytes = nullptr, .run = run};

}  // namespace ebb::ops
