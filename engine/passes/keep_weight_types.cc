#include "engine/ops/ops.h"
#include "engine/passes/passes.h"
#include "kernels/kernel_table.h"

namespace ebb {

std::map<std::string, DType> types_of(const TensorMap& params) {
  std::map<std::string, DType> types;
  for (const auto& [name, tensor] : params) types[name] = tensor.dtype();
  return types;
}

Graph keep_weight_types(const Graph& graph, const std::map<std::string, DType>& stored,
                        const Context& context) {
  auto* packed_bytes = context.kernel(&KernelTable::conv_packed_bytes);
  Graph result = graph;
  std::map<ValueId, DType> types;  // of packed weights
  for (GraphNode& node : result.nodes) {
    if (node.op == &ops::kConvPack) {
      const auto param = stored.find(result.values[node.inputs[0]].name);
      const bool is_param = result.values[node.inputs[0]].kind == ValueKind::kParam;
      if (!is_param || param == stored.end() || size_of(param->second) != 2) continue;
      auto& attrs = std::get<ConvPackAttrs>(node.attrs);
      attrs.geometry.weight_dtype = param->second;
      attrs.bytes =
          packed_bytes(attrs.geometry, ConvPass::kForward, attrs.dtype, context.conv_math());
      result.values[node.outputs[0]].shape = {attrs.bytes};
      types[node.outputs[0]] = param->second;
    } else if (node.op == &ops::kConv && types.contains(node.inputs[1])) {
      std::get<ConvAttrs>(node.attrs).weight_dtype = types[node.inputs[1]];
    }
  }
  return result;
}

}  // namespace ebb
