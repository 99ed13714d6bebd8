#include "engine/passes/conv_merges.h"

#include <map>
#include <optional>
#include <set>

namespace ebb {
namespace {

// The only reader of `value`, if it is an `op` with `value` as first input and `value` is not
// visible outside the graph.
std::optional<int> only_consumer(const Graph& graph, const std::vector<std::vector<int>>& consumers,
                                 ValueId value, const OpDef& op) {
  if (graph.is_visible(value) || consumers[value].size() != 1) return std::nullopt;
  const int node = consumers[value][0];
  if (graph.nodes[node].op != &op || graph.nodes[node].inputs[0] != value) return std::nullopt;
  return node;
}

}  // namespace

bool is_plain_conv(const GraphNode& node) {
  if (node.op != &ops::kConv) return false;
  const auto& attrs = std::get<ConvAttrs>(node.attrs);
  return attrs.activation == Activation::kNone && !attrs.scales && !attrs.shifts;
}

std::vector<ConvMerge> find_merges(const Graph& graph, const OpDef& into,
                                   bool (*is_mergeable)(const GraphNode&)) {
  const auto consumers = graph.consumers();
  std::vector<ConvMerge> merges;
  for (int n = 0; n < static_cast<int>(graph.nodes.size()); ++n) {
    if (!is_mergeable(graph.nodes[n])) continue;
    if (auto next = only_consumer(graph, consumers, graph.nodes[n].outputs[0], into)) {
      merges.push_back({n, *next});
    }
  }
  return merges;
}

Graph apply_merges(const Graph& graph, const std::vector<ConvMerge>& merges,
                   const MergeRewrite& rewrite) {
  Graph result = graph;
  result.nodes.clear();
  std::set<int> moved;
  std::map<int, int> conv_of;
  for (const ConvMerge& merge : merges) {
    moved.insert(merge.conv);
    conv_of[merge.into] = merge.conv;
  }
  for (int n = 0; n < static_cast<int>(graph.nodes.size()); ++n) {
    if (moved.contains(n)) continue;
    const auto found = conv_of.find(n);
    if (found == conv_of.end()) {
      result.nodes.push_back(graph.nodes[n]);
      continue;
    }
    GraphNode conv = graph.nodes[found->second];
    conv.outputs = graph.nodes[n].outputs;
    rewrite(result, conv, graph.nodes[n]);
    result.nodes.push_back(std::move(conv));
  }
  return result;
}

}  // namespace ebb
