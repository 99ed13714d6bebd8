#include "engine/passes/conv_merges.h"
#include "engine/passes/passes.h"

namespace ebb {

Graph fuse_epilogues(const Graph& graph) {
  std::vector<ConvMerge> merges = find_merges(graph, ops::kActivation);
  std::erase_if(merges, [&](const ConvMerge& merge) {
    return !is_fusable(std::get<ActivationAttrs>(graph.nodes[merge.into].attrs).activation);
  });
  return apply_merges(graph, merges, [](Graph&, GraphNode& conv, const GraphNode& activation) {
    std::get<ConvAttrs>(conv.attrs).activation =
        std::get<ActivationAttrs>(activation.attrs).activation;
  });
}

}  // namespace ebb
