#pragma once

#include "nn/ops.h"

namespace ebb {

// The building blocks of the assignment's UNets. Parameter names under `s`: <layer>.conv.{weight,
// bias}, <layer>.bn.{weight, bias, running_mean, running_var}; FCBlock fc1, fc2.

Value conv(Ops& ops, const Scope& s, Value x, int64_t out);       // 3x3 -> BN -> GELU
Value down_conv(Ops& ops, const Scope& s, Value x, int64_t out);  // 3x3 stride 2 -> BN -> GELU
Value up_conv(Ops& ops, const Scope& s, Value x, int64_t out);  // ConvT 4x4 stride 2 -> BN -> GELU
Value flatten(Ops& ops, const Scope& s, Value x);               // 7x7 -> 1x1: average pool -> GELU
Value unflatten(Ops& ops, const Scope& s, Value x);  // 1x1 -> 7x7: ConvT 7x7 stride 7 -> BN -> GELU

Value conv_block(Ops& ops, const Scope& s, Value x, int64_t out);  // conv1, conv2
Value down_block(Ops& ops, const Scope& s, Value x, int64_t out);  // down, block
Value up_block(Ops& ops, const Scope& s, Value x, int64_t out);    // up, block
Value fc_block(Ops& ops, const Scope& s, Value x, int64_t out);    // fc1 -> GELU -> fc2

}  // namespace ebb
