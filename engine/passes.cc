#include "engine/passes.h"

#include <algorithm>
#include <map>
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

// A conv whose epilogue has nothing behind the sum but a residual.
bool is_plain_conv(const GraphNode& node) {
  if (node.kind != OpKind::kConv) return false;
  const auto& attrs = std::get<ConvAttrs>(node.attrs);
  return attrs.activation == Activation::kNone && !attrs.scales && !attrs.shifts;
}

// A conv whose output goes only into the node `into` takes over that node's output.
struct Merge {
  int conv;
  int into;
};

std::vector<Merge> find_merges(const Graph& graph, OpKind into,
                               bool (*is_mergeable)(const GraphNode&) = is_plain_conv) {
  const auto consumers = graph.consumers();
  std::vector<Merge> merges;
  for (int n = 0; n < static_cast<int>(graph.nodes.size()); ++n) {
    if (!is_mergeable(graph.nodes[n])) continue;
    if (auto next = only_consumer(graph, consumers, graph.nodes[n].outputs[0], into)) {
      merges.push_back({n, *next});
    }
  }
  return merges;
}

// Rebuilds the node list with `rewrite` called for each merged conv, which moves to the place of
// the node that it takes over: what that node reads is there by then.
template <typename Rewrite>
Graph apply_merges(const Graph& graph, const std::vector<Merge>& merges, Rewrite rewrite) {
  Graph result = graph;
  result.nodes.clear();
  std::set<int> moved;
  std::map<int, int> conv_of;
  for (const Merge& merge : merges) {
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

}  // namespace

Graph fold_batch_norm(const Graph& graph) {
  std::vector<Merge> merges;
  for (const Merge& merge : find_merges(graph, OpKind::kBatchNorm)) {
    const GraphNode& conv = graph.nodes[merge.conv];
    const auto& attrs = std::get<ConvAttrs>(conv.attrs);
    const bool has_residual = ops::has_residual(attrs, conv.inputs.size());
    if (!has_residual && !attrs.packed_weight) merges.push_back(merge);
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

// Moves one kind of broadcast operation into the convs in front, whose attribute says that they do
// it. A conv of a smaller batch stays: its output is computed once for all branches.
Graph fuse_broadcast(const Graph& graph, OpKind kind, bool(ConvAttrs::*does)) {
  std::vector<Merge> merges;
  const auto is_conv = [](const GraphNode& node) {
    return node.kind == OpKind::kConv && !std::get<ConvAttrs>(node.attrs).shifts;
  };
  for (const Merge& merge : find_merges(graph, kind, is_conv)) {
    const GraphNode &conv = graph.nodes[merge.conv], &into = graph.nodes[merge.into];
    const bool same_batch =
        graph.values[conv.outputs[0]].shape == graph.values[into.outputs[0]].shape;
    if (same_batch && !(std::get<ConvAttrs>(conv.attrs).*does)) merges.push_back(merge);
  }
  return apply_merges(graph, merges, [&](Graph&, GraphNode& conv, const GraphNode& broadcast) {
    std::get<ConvAttrs>(conv.attrs).*does = true;
    conv.inputs.push_back(broadcast.inputs[1]);
  });
}

}  // namespace

Graph fuse_modulation(const Graph& graph) {
  const Graph scaled = fuse_broadcast(graph, OpKind::kMultiply, &ConvAttrs::scales);
  return fuse_broadcast(scaled, OpKind::kAdd, &ConvAttrs::shifts);
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
  if (conv.kind != OpKind::kConv) return std::nullopt;
  const auto& attrs = std::get<ConvAttrs>(conv.attrs);
  if (attrs.packed_weight || ops::has_residual(attrs, conv.inputs.size())) return std::nullopt;
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
    shared_attrs.reads_bias = shared_attrs.scales = shared_attrs.shifts = false;
    const ValueId shared_sum =
        result
            .add_node(OpKind::kConv, shared_attrs, {shared.value, weights(shared), node.inputs[2]},
                      node.layer)
            .front();
    GraphNode conv = node;
    conv.inputs[0] = own.value;
    conv.inputs[1] = weights(own);
    conv.inputs.insert(conv.inputs.begin() + 3, shared_sum);
    result.nodes.push_back(std::move(conv));
    replaced.insert(node.inputs[0]);
  }
  std::erase_if(result.nodes,
                [&](const GraphNode& node) { return replaced.contains(node.outputs[0]); });
  return result;
}

Graph hoist_packing(const Graph& graph, const Context& context) {
  auto* packed_bytes = context.kernel(&KernelTable::conv_packed_bytes);
  Graph result = graph;
  result.nodes.clear();
  for (GraphNode node : graph.nodes) {
    if (node.kind == OpKind::kConv && !std::get<ConvAttrs>(node.attrs).packed_weight) {
      auto& attrs = std::get<ConvAttrs>(node.attrs);
      const Shape &x = graph.values[node.inputs[0]].shape, &w = graph.values[node.inputs[1]].shape;
      const ConvGeometry geometry = ops::conv_op_geometry(attrs, x, w[0]);
      const DType dtype = graph.values[node.inputs[0]].dtype;
      const int64_t bytes = packed_bytes(geometry, ConvPass::kForward, dtype, context.conv_math());
      const ConvPackAttrs pack{geometry, dtype, bytes};
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
  const Graph fused = fuse_modulation(fuse_epilogues(fold_batch_norm(graph)));
  return place_concat_operands(hoist_packing(share_concat_halves(fused), context));
}

}  // namespace ebb
