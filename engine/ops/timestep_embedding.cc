#include "engine/ops/ops.h"
#include "kernels/kernel_table.h"

namespace ebb::ops {
namespace {

std::vector<Shape> infer(const OpAttrs& op_attrs, std::span<const Shape> inputs) {
  check_input_count("timestep_embedding", inputs.size(), 1);
  const auto& attrs = std::get<TimestepAttrs>(op_attrs);
  const Shape& t = inputs[0];
  EBB_CHECK(t.rank() == 1 || (t.rank() == 2 && t[1] == 1), ShapeError, "timestep_embedding: times ",
            t, ", expected [N] or [N, 1]");
  const int64_t half = attrs.channels / 2;
  EBB_CHECK(attrs.channels >= 2 && attrs.shift < static_cast<double>(half), ShapeError,
            "timestep_embedding: ", attrs.channels, " channels with shift ", attrs.shift,
            ", expected at least 2 and half of them beyond the shift");
  return {Shape{t[0], attrs.channels}};
}

void run(Context& context, const OpCall& call) {
  const auto& attrs = std::get<TimestepAttrs>(call.attrs);
  const Tensor& y = call.outputs[0];
  context.launch(&KernelTable::timestep_embedding,
                 TimestepEmbeddingArgs{.n = y.shape()[0],
                                       .c = attrs.channels,
                                       .max_period = attrs.max_period,
                                       .shift = attrs.shift,
                                       .sin_first = attrs.sin_first,
                                       .t = call.inputs[0].data<float>(),
                                       .y = y.data<float>()});
}

}  // namespace

const OpDef kTimestepEmbedding = {
    .name = "timestep_embedding", .infer = infer, .workspace_bytes = nullptr, .run = run};

}  // namespace ebb::ops
