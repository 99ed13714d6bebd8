#include "engine/passes.h"

#include <algorithm>
#include <optional>
#include <set>

#include "engine/ops/ops.h"
#include "kernels/kernel_table.h"

namespace ebb {
namespace {

// The node that alone reads `value`, if that is all anybody does with it.
std::optional<int> only_consumer(const Graph& graph, const std::vector<std::vector<int>>& consumers,
                                 ValueId value, OpKind kind) {
  if (graph.is_visible(value) || consumers[value].size() != 1) return std::nullopt;
  const int node = consumers[value][0];
  if (graph.nodes[node].kind != kind || graph.nodes[node].inputs[0] != value) return std::nullopt;
  return node;
}

bool is_plain_conv(const GraphNode& node) {
  return node.kind == OpKind::kConv &&
         std::get<ConvAttrs>(node.attrs).activation == Activation::kNone;
}

// A conv whose output goes only into the node `into` takes over that node's output.
struct Merge {
  int conv;
  int into;
};

std::vector<Merge> find_merges(const Graph& graph, OpKind into) {
  const auto consumers = graph.consumers();
  std::vector<Merge> merges;
  for (int n = 0; n < static_cast<int>(graph.nodes.size()); ++n) {
    if (!is_plain_conv(graph.nodes[n])) continue;
    if (auto next = only_consumer(graph, consumers, graph.nodes[n].outputs[0], into)) {
      merges.push_back({n, *next});
    }
  }
  return merges;
}

// Rebuilds the node list with `rewrite` called for each merged conv and the merged-into nodes gone.
template <typename Rewrite>
Graph apply_merges(const Graph& graph, const std::vector<Merge>& merges, Rewrite rewrite) {
  Graph result = graph;
  result.nodes.clear();
  std::set<int> removed;
  for (const Merge& merge : merges) removed.insert(merge.into);
  auto merge = merges.begin();
  for (int n = 0; n < static_cast<int>(graph.nodes.size()); ++n) {
    if (merge != merges.end() && merge->conv == n) {
      GraphNode conv = graph.nodes[n];
      conv.outputs = graph.nodes[merge->into].outputs;
      rewrite(result, conv, graph.nodes[merge->into]);
      result.nodes.push_back(std::move(conv));
      ++merge;
    } else if (!removed.contains(n)) {
      result.nodes.push_back(graph.nodes[n]);
    }
  }
  return result;
}

}  // namespace

Graph fold_batch_norm(const Graph& graph) {
  std::vector<Merge> merges;
  for (const Merge& merge : find_merges(graph, OpKind::kBatchNorm)) {
    const GraphNode& conv = graph.nodes[merge.conv];
    const bool has_residual = conv.inputs.size() == 4;
    const bool packed = std::get<ConvAttrs>(conv.attrs).packed_weight;
    if (!has_residual && !packed) merges.push_back(merge);
  }
  return apply_merges(
      graph, merges, [](Graph& result, GraphNode& conv, const GraphNode& batch_norm) {
        std::vector<ValueId> inputs{conv.inputs[1], conv.inputs[2]};
        inputs.insert(inputs.end(), batch_norm.inputs.begin() + 1, batch_norm.inputs.end());
        const auto folded =
            result.add_node(OpKind::kFoldBatchNorm, batch_norm.attrs, inputs, batch_norm.layer);
        conv.inputs[1] = folded[0];
        conv.inputs[2] = folded[1];
        std::get<ConvAttrs>(conv.attrs).activation =
            std::get<BatchNormAttrs>(batch_norm.attrs).activation;
      });
}

Graph fuse_epilogues(const Graph& graph) {
  return apply_merges(graph, find_merges(graph, OpKind::kActivation),
                      [](Graph&, GraphNode& conv, const GraphNode& activation) {
                        std::get<ConvAttrs>(conv.attrs).activation =
                            std::get<ActivationAttrs>(activation.attrs).activation;
                      });
}

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
  if (conv.kind != OpKind::kConv || conv.inputs.size() != 3) return std::nullopt;
  if (std::get<ConvAttrs>(conv.attrs).packed_weight) return std::nullopt;
  const ValueId joined = conv.inputs[0];
  if (producers[joined] < 0 || graph.is_visible(joined)) return std::nullopt;
  if (consumers[joined].size() != 1) return std::nullopt;
  const GraphNode& concat = graph.nodes[producers[joined]];
  if (concat.kind != OpKind::kConcat || concat.inputs.size() != 2) return std::nullopt;
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
  std::set<ValueId> replaced;  // outputs of concatenations that nobody reads any more
  for (const GraphNode& node : graph.nodes) {
    const auto parts = shared_and_own_part(graph, node, producers, consumers);
    if (!parts) {
      result.nodes.push_back(node);
      continue;
    }
    const auto& [shared, own] = *parts;
    const auto weights = [&](const ConcatPart& part) {
      return result.add_node(OpKind::kSliceChannels, part.channels, {node.inputs[1]}, node.layer)
          .front();
    };
    ConvAttrs shared_attrs = std::get<ConvAttrs>(node.attrs);
    shared_attrs.activation = Activation::kNone;
    shared_attrs.reads_bias = false;
    const ValueId shared_sum =
        result
            .add_node(OpKind::kConv, shared_attrs, {shared.value, weights(shared), node.inputs[2]},
                      node.layer)
            .front();
    GraphNode conv = node;
    conv.inputs = {own.value, weights(own), node.inputs[2], shared_sum};
    result.nodes.push_back(std::move(conv));
    replaced.insert(node.inputs[0]);
  }
  std::erase_if(result.nodes,
                [&](const GraphNode& node) { return replaced.contains(node.outputs[0]); });
  return result;
}

Graph hoist_packing(const Graph& graph, const Context& context) {
  auto* packed_bytes = context.kernel(&KernelTable::conv_packed_bytes, "conv_packed_bytes");
  Graph result = graph;
  result.nodes.clear();
  for (GraphNode node : graph.nodes) {
    if (node.kind == OpKind::kConv && !std::get<ConvAttrs>(node.attrs).packed_weight) {
      auto& attrs = std::get<ConvAttrs>(node.attrs);
      const Shape &x = graph.values[node.inputs[0]].shape, &w = graph.values[node.inputs[1]].shape;
      const ConvGeometry geometry = ops::conv_op_geometry(attrs, x, w[0]);
      const ConvPackAttrs pack{geometry, packed_bytes(geometry, ConvPass::kForward, DType::kF32)};
      attrs.packed_weight = true;
      attrs.out_channels = w[0];
      node.inputs[1] =
          result.add_node(OpKind::kConvPack, pack, {node.inputs[1]}, node.layer).front();
    }
    result.nodes.push_back(std::move(node));
  }
  return result;
}

Graph place_concat_operands(const Graph& graph) {
  Graph result = graph;
  const auto producers = graph.producers();
  const auto consumers = graph.consumers();
  const auto can_place = [&](ValueId value, ValueId target) {
    if (graph.values[value].kind != ValueKind::kComputed) return false;
    if (result.values[value].placed_in >= 0 || value == graph.output) return false;
    if (graph.values[value].shape[0] != graph.values[target].shape[0]) return false;
    if (!op_def(graph.nodes[producers[value]].kind).writes_pitched) return false;
    for (int n : consumers[value]) {
      if (!op_def(graph.nodes[n].kind).reads_pitched) return false;
      // Only the first input of a conv may be pitched: a residual is dense.
      const auto& inputs = graph.nodes[n].inputs;
      const bool beyond_first = std::find(inputs.begin() + 1, inputs.end(), value) != inputs.end();
      if (graph.nodes[n].kind == OpKind::kConv && beyond_first) return false;
    }
    return true;
  };
  for (const GraphNode& node : graph.nodes) {
    if (node.kind != OpKind::kConcat) continue;
    int64_t channel = 0;
    for (ValueId operand : node.inputs) {
      if (can_place(operand, node.outputs[0])) {
        result.values[operand].placed_in = node.outputs[0];
        result.values[operand].placed_channel = channel;
      }
      channel += graph.values[operand].shape.back();
    }
  }
  return result;
}

Graph optimize(const Graph& graph, const Context& context) {
  const Graph fused = fuse_epilogues(fold_batch_norm(graph));
  return place_concat_operands(hoist_packing(share_concat_halves(fused), context));
}

}  // namespace ebb
