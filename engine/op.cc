#include "engine/op.h"

#include <algorithm>

namespace ebb {

DType first_output_dtype(const OpDef& def, const OpAttrs& attrs, DType input) {
  return def.output_dtype == nullptr ? input : def.output_dtype(attrs, input);
}

std::vector<Tensor> run_op(Context& context, const OpDef& op, const OpAttrs& attrs,
                           std::span<const Tensor> inputs) {
  std::vector<Shape> shapes;
  for (const Tensor& input : inputs) shapes.push_back(input.shape());
  std::vector<Tensor> outputs;
  const DType dtype = inputs[0].dtype(), first = first_output_dtype(op, attrs, dtype);
  for (const Shape& shape : op.infer(attrs, shapes)) {
    outputs.push_back(Tensor::empty(context, shape, outputs.empty() ? first : DType::kF32));
  }
  const int64_t bytes =
      op.workspace_bytes == nullptr ? 0 : op.workspace_bytes(context, attrs, shapes, dtype);
  const Tensor workspace = Tensor::empty(context, {bytes}, DType::kU8);
  op.run(context, {attrs, inputs, outputs, workspace.raw()});
  return outputs;
}

Tensor to_dtype(Context& context, const Tensor& x, DType dtype) {
  if (x.dtype() == dtype) return x;
  return run_op(context, ops::kConvert, ConvertAttrs{dtype}, {&x, 1}).front();
}

void check_input_count(const char* op, size_t got, size_t expected) {
  EBB_CHECK(got == expected, ShapeError, op, ": got ", got, " inputs, expected ", expected);
}

int64_t common_batch(const char* op, std::span<const Shape> inputs) {
  int64_t batch = 0;
  for (const Shape& shape : inputs) {
    EBB_CHECK(shape.rank() >= 2, ShapeError, op, ": input ", shape, ", expected [N, ..., C]");
    batch = std::max(batch, shape[0]);
  }
  for (const Shape& shape : inputs) {
    EBB_CHECK(shape[0] > 0 && batch % shape[0] == 0, ShapeError, op, ": batch ", shape[0],
              " does not divide batch ", batch);
  }
  return batch;
}

int64_t row_count(const Shape& shape) {
  int64_t rows = 1;
  for (int i = 0; i + 1 < shape.rank(); ++i) rows *= shape[i];
  return rows;
}

int64_t pixel_count(const Shape& shape) {
  int64_t pixels = 1;
  for (int i = 1; i + 1 < shape.rank(); ++i) pixels *= shape[i];
  return pixels;
}

}  // namespace ebb
