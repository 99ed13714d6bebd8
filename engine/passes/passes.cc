#include "engine/passes/passes.h"

namespace ebb {

Graph optimize(const Graph& graph, const Context& context) {
  const Graph fused = fuse_modulation(fuse_epilogues(fold_batch_norm(graph)));
  return place_concat_operands(hoist_packing(share_concat_halves(fused), context));
}

}  // namespace ebb
