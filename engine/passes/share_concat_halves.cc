#include <optional>
#include <set>
#include <utility>

#include "engine/ops/ops.h"
#include "engine/passes/passes.h"

namespace ebb {
namespace {

// An operand of a concatenation and where it starts.
struct ConcatPart {
  ValueId value;
  SliceAttrs channels;
};

// The operands of the two-operand concatenation that feeds only this conv, the one with the smaller
// batch first; nullopt where there is none.
std::optional<std::pair<ConcatPart, ConcatPart>> shared_and_own_part(
    const Graph& graph, const GraphNode& conv, const std::vector<int>& producers,
    const std::vector<std::vector<int>>& consumers) {
  if (conv.op != &ops::kConv) return std::nullopt;
  const auto& attrs = std::get<ConvAttrs>(conv.attrs);
  if (attrs.packed_weight || ops::has_residual(attrs, conv.inputs.size())) return std::nullopt;
  const ValueId joined = conv.inputs[0];
  if (producers[joined] < 0 || graph.is_visible(joined)) return std::nullopt;
  if (consumers[joined].size() != 1) return std::nullopt;
  const GraphNode& concat = graph.nodes[producers[joined]];
  if (concat.op != &ops::kConcat || concat.inputs.size() != 2) return std::nullopt;
  const Shape &a = graph.values[concat.inputs[0]].shape, &b = graph.values[concat.inputs[1]].shape;
  if (a[0] == b[0]) return std::nullopt;
  const ConcatPart first{concat.inputs[0], {0, a.back()}};
  const ConcatPart second{concat.inputs[1], {a.back(), b.back()}};
  return a[0] < b[0] ? std::pair(first, second) : std::pair(second, first);
}

}  // namespace

Graph share_concat_halves(const Graph& graph) {
  const auto producers = graph.producers();
  const auto consumers = graph.consumers();
  Graph result = graph;
  result.nodes.clear();
  std::set<ValueId> replaced;  // outputs of concatenations without readers left
  for (const GraphNode& node : graph.nodes) {
    const auto parts = shared_and_own_part(graph, node, producers, consumers);
    if (!parts) {
      result.nodes.push_back(node);
      continue;
    }
    const auto& [shared, own] = *parts;
    const auto weights = [&](const ConcatPart& part) {
      return result.add_node(ops::kSliceChannels, part.channels, {node.inputs[1]}, node.layer)
          .front();
    };
    ConvAttrs shared_attrs = std::get<ConvAttrs>(node.attrs);
    shared_attrs.activation = Activation::kNone;
    shared_attrs.reads_bias = shared_attrs.scales = shared_attrs.shifts = false;
    const ValueId shared_sum =
        result.add_node(ops::kConv, shared_attrs, {shared.value, weights(shared)}, node.layer)
            .front();
    GraphNode conv = node;
    conv.inputs[0] = own.value;
    conv.inputs[1] = weights(own);
    const auto residual =
        conv.inputs.begin() + (std::get<ConvAttrs>(node.attrs).reads_bias ? 3 : 2);
    conv.inputs.insert(residual, shared_sum);
    result.nodes.push_back(std::move(conv));
    replaced.insert(node.inputs[0]);
  }
  std::erase_if(result.nodes,
                [&](const GraphNode& node) { return replaced.contains(node.outputs[0]); });
  return result;
}

}  // namespace ebb
