#include "engine/op.h"
#include "kernels/kernel_table.h"

namespace ebb::ops {
namespace {

// x [..., C][, weight [C][, bias [C]]] -> y, mean [rows], rstd [rows].
std::vector<Shape> infer(const OpAttrs&, std::span<const Shape> inputs) {
  EBB_CHECK(!inputs.empty() && inputs.size() <= 3, ShapeError, "layer_norm: got ", inputs.size(),
            " inputs, expected x[, weight[, bias]]");
  const Shape& x = inputs[0];
  EBB_CHECK(x.rank() >= 2, ShapeError, "layer_norm: input ", x, ", expected [N, ..., C]");
  const Shape per_channel{x.back()};
  for (size_t i = 1; i < inputs.size(); ++i) {
    EBB_CHECK(inputs[i] == per_channel, ShapeError, "layer_norm: ", i == 1 ? "weight " : "bias ",
              inputs[i], " for input ", x, ", expected ", per_channel);
  }
  return {x, {row_count(x)}, {row_count(x)}};
}

void run(Context& context, const OpCall& call) {
  const Tensor& x = call.inputs[0];
  const auto parameter = [&](size_t i) {
    return i < call.inputs.size() ? call.inputs[i].data<float>() : nullptr;
  };
  context.launch(&KernelTable::layer_norm_forward,
                 LayerNormForwardArgs{.rows = row_count(x.shape()),
                                      .c = x.shape().back(),
                                      .dtype = x.dtype(),
                                      .eps = std::get<LayerNormAttrs>(call.attrs).eps,
                                      .x = x.raw(),
                                      .gamma = parameter(1),
                                      .beta = parameter(2),
                                      .y = call.outputs[0].raw(),
                                      .mean = call.outputs[1].data<float>(),
                                      .rstd = call.outputs[2].data<float>()});
}

}  // namespace

const OpDef kLayerNorm = {
    .name = "layer_norm", .infer = infer, .workspace_bytes = nullptr, .run = run};

}  // namespace ebb::ops
