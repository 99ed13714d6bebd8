#include "engine/passes/conv_merges.h"
#include "engine/passes/passes.h"

namespace ebb {
namespace {

// Merges one kind of broadcast operation into the preceding convs, whose attribute says that they
// do it. A conv of a smaller batch stays: its output is computed once for all branches.
Graph fuse_broadcast(const Graph& graph, const OpDef& op, bool(ConvAttrs::*does)) {
  std::vector<ConvMerge> merges;
  const auto is_conv = [](const GraphNode& node) {
    return node.op == &ops::kConv && !std::get<ConvAttrs>(node.attrs).shifts;
  };
  for (const ConvMerge& merge : find_merges(graph, op, is_conv)) {
    const GraphNode &conv = graph.nodes[merge.conv], &into = graph.nodes[merge.into];
    const bool same_batch =
        graph.values[conv.outputs[0]].shape == graph.values[into.outputs[0]].shape;
    const Shape& operand = graph.values[into.inputs[1]].shape;
    if (operand.rank() != 2) continue;  // as large as the image: no vector
    if (same_batch && !(std::get<ConvAttrs>(conv.attrs).*does)) merges.push_back(merge);
  }
  return apply_merges(graph, merges, [&](Graph&, GraphNode& conv, const GraphNode& broadcast) {
    std::get<ConvAttrs>(conv.attrs).*does = true;
    conv.inputs.push_back(broadcast.inputs[1]);
  });
}

}  // namespace

Graph fuse_modulation(const Graph& graph) {
  const Graph scaled = fuse_broadcast(graph, ops::kMultiply, &ConvAttrs::scales);
  return fuse_broadcast(scaled, ops::kAdd, &ConvAttrs::shifts);
}

}  // namespace ebb
