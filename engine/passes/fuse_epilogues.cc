#include "engine/passes/conv_merges.h"
#include "engine/passes/passes.h"

namespace ebb {

Graph fuse_epilogues(const Graph& graph) {
  return apply_merges(graph, find_merges(graph, ops::kActivation),
                      [](Graph&, GraphNode& conv, const GraphNode& activation) {
                        std::get<ConvAttrs>(conv.attrs).activation =
                            std::get<ActivationAttrs>(activation.attrs).activation;
                      });
}

}  // namespace ebb
