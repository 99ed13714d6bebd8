#pragma once

#include "tests/engine/graph_tools.h"

namespace ebb::test {

// Grows a graph of random operations over images of 2x2 and 4x4 pixels and vectors, with batches 1,
// 2 and 4 that read each other modulo, constant branches, shared operands and residuals.
class RandomGraph {
 public:
  RandomGraph(Context& context, uint64_t seed) : writer(context, seed), random_(writer.random()) {
    add_value(writer.input("x", {2, 4, 4, 3}));
    add_value(writer.input("y", {4, 4, 4, 2}));
    add_value(writer.input("t", {4, 5}));
    add_value(writer.param({1, 4, 4, 2}, -1, 1));
    add_value(writer.param({2, 3}, -1, 1));
    for (int64_t size = random_.integer(3, 14); size > 0; --size) grow();
    writer.graph.output = pool_.back();
    for (const GraphNode& node : writer.graph.nodes) {
      if (random_.integer(0, 3) == 0) writer.graph.module_outputs[node.layer] = node.outputs[0];
    }
  }

  GraphWriter writer;

 private:
  void add_value(ValueId value) { pool_.push_back(value); }
  const Shape& shape(ValueId value) const { return writer.shape(value); }
  bool is_image(ValueId value) const { return shape(value).rank() == 4; }

  // A random value, the newer ones more often.
  ValueId pick() {
    const int64_t last = static_cast<int64_t>(pool_.size()) - 1;
    return pool_[random_.integer(random_.integer(0, last), last)];
  }
  ValueId pick_like(ValueId value) {  // same height and width
    for (int trial = 0; trial < 20; ++trial) {
      const ValueId other = pick();
      if (is_image(other) != is_image(value)) continue;
      if (!is_image(value) || shape(other)[1] == shape(value)[1]) return other;
    }
    return value;
  }
  Activation any_activation() {
    return static_cast<Activation>(random_.integer(0, static_cast<int>(Activation::kGeluTanh)));
  }

  void grow() {
    const ValueId x = pick();
    switch (random_.integer(0, 7)) {
      case 0:
      case 1:
        return add_value(writer.batch_norm(convolve(x), any_activation()));
      case 2:
        return add_value(writer.activation(convolve(x), any_activation()));
      case 3:
        return add_value(residual_conv(x));
      case 4:
        return add_value(modulate(x));
      case 5:
        return add_value(convolve(x));
      default:
        return add_value(join(x));
    }
  }

  ValueId convolve(ValueId x) {
    const int64_t out = random_.integer(1, 4);
    if (!is_image(x)) return writer.linear(x, out);
    const bool large = shape(x)[1] == 4;
    switch (random_.integer(0, 3)) {
      case 0:
        return large ? writer.conv(x, out, {3, 2, 1}) : writer.conv(x, out, up_sampling());
      case 1:
        if (large) return writer.node(ops::kAvgPool, PoolAttrs{2}, {x});
        return writer.conv(x, out, {1, 1, 0});
      default:
        return writer.conv(x, out, plain());
    }
  }
  ConvAttrs plain() {
    ConvAttrs attrs{3, 1, 1};
    attrs.reads_bias = random_.integer(0, 2) != 0;
    return attrs;
  }
  static ConvAttrs up_sampling() {
    return {.kernel = 4, .stride = 2, .pad = 1, .transposed = true};
  }

  // conv(x) + r, where r may be x itself.
  ValueId residual_conv(ValueId x) {
    if (!is_image(x)) return convolve(x);
    const ValueId r = pick_like(x);
    if (shape(r)[0] > shape(x)[0]) return writer.conv_with_residual(r, r, plain());
    return writer.conv_with_residual(x, r, plain());
  }

  // x + s or x * s with a vector computed for it.
  ValueId modulate(ValueId x) {
    ValueId s = pick();
    while (is_image(s)) s = pick();
    s = writer.linear(s, shape(x).back());
    return writer.node(random_.integer(0, 1) == 0 ? ops::kAdd : ops::kMultiply, {}, {x, s});
  }

  ValueId join(ValueId x) {
    std::vector<ValueId> parts{x, pick_like(x)};
    if (random_.integer(0, 2) == 0) parts.push_back(pick_like(x));
    if (random_.integer(0, 1) == 0) parts.push_back(convolve_in_place(x));
    return writer.concat(parts);
  }
  ValueId convolve_in_place(ValueId x) {
    return is_image(x) ? writer.conv(x, random_.integer(1, 4)) : writer.linear(x, 2);
  }

  RandomData& random_;
  std::vector<ValueId> pool_;
};

}  // namespace ebb::test
