#include "engine/ops/ops.h"
#include "engine/passes/conv_merges.h"
#include "engine/passes/passes.h"

namespace ebb {

Graph fold_batch_norm(const Graph& graph) {
  std::vector<ConvMerge> merges;
  for (const ConvMerge& merge : find_merges(graph, ops::kBatchNorm)) {
    const GraphNode& conv = graph.nodes[merge.conv];
    const auto& attrs = std::get<ConvAttrs>(conv.attrs);
    const bool has_residual = ops::has_residual(attrs, conv.inputs.size());
    if (attrs.reads_bias && !has_residual && !attrs.packed_weight) merges.push_back(merge);
  }
  return apply_merges(
      graph, merges, [](Graph& result, GraphNode& conv, const GraphNode& batch_norm) {
        std::vector<ValueId> inputs{conv.inputs[1], conv.inputs[2]};
        inputs.insert(inputs.end(), batch_norm.inputs.begin() + 1, batch_norm.inputs.end());
        const auto folded =
            result.add_node(ops::kFoldBatchNorm, batch_norm.attrs, inputs, batch_norm.layer);
        conv.inputs[1] = folded[0];
        conv.inputs[2] = folded[1];
        std::get<ConvAttrs>(conv.attrs).activation =
            std::get<BatchNormAttrs>(batch_norm.attrs).activation;
      });
}

}  // namespace ebb
