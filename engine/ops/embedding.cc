#include "engine/ops/ops.h"
#include "kernels/kernel_table.h"

namespace ebb::ops {
namespace {

// table [entries, C], ids in i32: [N] -> [N, C], [N, L] -> [N, L, C].
std::vector<Shape> infer(const OpAttrs&, std::span<const Shape> inputs) {
  check_input_count("embedding", inputs.size(), 2);
  const Shape &table = inputs[0], &ids = inputs[1];
  EBB_CHECK(table.rank() == 2, ShapeError, "embedding: table ", table, ", expected [entries, C]");
  EBB_CHECK(ids.rank() == 1 || ids.rank() == 2, ShapeError, "embedding: ids ", ids,
            ", expected [N] or [N, L]");
  Shape y = ids;
  y.push_back(table[1]);
  return {y};
}

void run(Context& context, const OpCall& call) {
  const Tensor &table = call.inputs[0], &ids = call.inputs[1];
  context.launch(&KernelTable::embedding, EmbeddingArgs{.count = ids.elements(),
                                                        .entries = table.shape()[0],
                                                        .c = table.shape()[1],
                                                        .dtype = table.dtype(),
                                                        .ids = ids.data<int32_t>(),
                                                        .table = table.raw(),
                                                        .y = call.outputs[0].raw()});
}

}  // namespace

const OpDef kEmbedding = {
    .name = "embedding", .infer = infer, .workspace_bytes = nullptr, .run = run};

}  // namespace ebb::ops
