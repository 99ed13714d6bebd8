#pragma once

#include <vector>

#include "nn/ops.h"

namespace ebb {

// Collects a network's parameters: names, shapes, layouts, initial values. Computes nothing.
class ParamCollector final : public Ops {
 public:
  // An input of one image.
  Value input(const Shape& image_shape);

  Value param(const Scope& name, const Shape& shape, const ParamInfo& info) override;
  Value emit(const OpDef& op, const OpAttrs& attrs, const std::vector<Value>& inputs,
             const Scope& layer) override;
  Shape shape(Value value) const override { return shapes_.at(value.id); }

  const std::vector<ParamSpec>& specs() const { return specs_; }

 private:
  Value add_value(const Shape& shape);

  std::vector<Shape> shapes_;
  std::vector<ParamSpec> specs_;
};

// `image` with a batch dimension in front.
Shape with_batch(int64_t batch, const Shape& image);

}  // namespace ebb
