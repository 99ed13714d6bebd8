#include "nn/param_collector.h"

namespace ebb {

Shape with_batch(int64_t batch, const Shape& image) {
  Shape shape{batch};
  for (int64_t dim : image) shape.push_back(dim);
  return shape;
}

Value ParamCollector::add_value(const Shape& shape) {
  shapes_.push_back(shape);
  return {static_cast<int>(shapes_.size()) - 1};
}

Value ParamCollector::input(const Shape& image_shape) {
  return add_value(with_batch(1, image_shape));
}

Value ParamCollector::param(const Scope& name, const Shape& shape, const ParamInfo& info) {
  specs_.push_back({name.path(), shape, info});
  return add_value(shape);
}

Value ParamCollector::emit(const OpDef& op, const OpAttrs& attrs, const std::vector<Value>& inputs,
                           const Scope&) {
  std::vector<Shape> shapes;
  for (Value input : inputs) shapes.push_back(shape(input));
  const auto outputs = op.infer(attrs, shapes);
  return add_value(outputs.front());
}

}  // namespace ebb
