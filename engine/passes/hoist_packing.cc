#include "engine/ops/ops.h"
#include "engine/passes/passes.h"
#include "kernels/kernel_table.h"

namespace ebb {

Graph hoist_packing(const Graph& graph, const Context& context) {
  auto* packed_bytes = context.kernel(&KernelTable::conv_packed_bytes);
  Graph result = graph;
  result.nodes.clear();
  for (GraphNode node : graph.nodes) {
    if (node.op == &ops::kConv && !std::get<ConvAttrs>(node.attrs).packed_weight) {
      auto& attrs = std::get<ConvAttrs>(node.attrs);
      const Shape &x = graph.values[node.inputs[0]].shape, &w = graph.values[node.inputs[1]].shape;
      const ConvGeometry geometry = ops::conv_op_geometry(attrs, x, w[0]);
      const DType dtype = graph.values[node.inputs[0]].dtype;
      const int64_t bytes = packed_bytes(geometry, ConvPass::kForward, dtype, context.conv_math());
      const ConvPackAttrs pack{geometry, dtype, bytes};
      attrs.packed_weight = true;
      attrs.out_channels = w[0];
      node.inputs[1] = result.add_node(ops::kConvPack, pack, {node.inputs[1]}, node.layer).front();
    }
    result.nodes.push_back(std::move(node));
  }
  return result;
}

}  // namespace ebb
