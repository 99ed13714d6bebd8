#pragma once

#include <functional>
#include <vector>

#include "engine/graph.h"

// Shared by the passes that merge an operation into the convolution before it.
namespace ebb {

// A conv whose output goes only into the node `into` takes over that node's output.
struct ConvMerge {
  int conv;
  int into;
};

// A conv whose epilogue has nothing behind the sum but a residual.
bool is_plain_conv(const GraphNode& node);

// The mergeable convs whose output is read only as the first input of a node of this operation.
std::vector<ConvMerge> find_merges(const Graph& graph, const OpDef& into,
                                   bool (*is_mergeable)(const GraphNode&) = is_plain_conv);

// Given the new graph, the conv to change, which has the outputs of the node that it takes over,
// and that node.
using MergeRewrite = std::function<void(Graph&, GraphNode& conv, const GraphNode& into)>;

// Rebuilds the node list with `rewrite` called for each merged conv, which moves to the place of
// the node that it takes over: what that node reads is there by then.
Graph apply_merges(const Graph& graph, const std::vector<ConvMerge>& merges,
                   const MergeRewrite& rewrite);

}  // namespace ebb
