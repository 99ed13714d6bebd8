#pragma once

#include "engine/graph.h"
#include "engine/tensor.h"

namespace ebb {

// Graph -> graph rewrites. Each keeps every visible value (the output and the module outputs).

// conv, batch_norm -> conv with folded weights, computed once from the parameters. Changes
// rounding: outputs agree within a few eps of the layer's scale.
Graph fold_batch_norm(const Graph& graph);

// conv, activation -> conv with the activation in its epilogue. Bitwise equal on the CPU.
Graph fuse_epilogues(const Graph& graph);

// conv, multiply by a vector per image, add another (either may be missing) -> conv that does so in
// its epilogue. Bitwise equal on the CPU; a GPU rounds once less.
Graph fuse_modulation(const Graph& graph);

// conv(concat(a, b)), where a has a smaller batch than b and so is read once per guidance branch ->
// conv(b) + conv(a): the part of a is computed once for all branches and enters as a residual.
// Changes the order of a sum: outputs agree within a few eps of the layer's scale.
Graph share_concat_halves(const Graph& graph);

// Rearranging weights becomes a node of its own, which depends on parameters alone and so runs
// once. Bitwise equal.
Graph hoist_packing(const Graph& graph, const Context& context);

// Parameters that are stored in 16 bits stay so when they are packed, where kernels can widen them
// in use (ConvGeometry::weight_dtype). After hoist_packing. Bitwise equal.
Graph keep_weight_types(const Graph& graph, const std::map<std::string, DType>& stored,
                        const Context& context);
std::map<std::string, DType> types_of(const TensorMap& params);

// Producers write operands of a concatenation into their place. Bitwise equal.
Graph place_concat_operands(const Graph& graph);

// All of the above that need no parameters, in order.
Graph optimize(const Graph& graph, const Context& context);

}  // namespace ebb
