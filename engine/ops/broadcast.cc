#include <algorithm>

#include "engine/ops/ops.h"
#include "kernels/kernel_table.h"

namespace ebb::ops {
namespace {

// x [N, H, W, C] or [N, C] with s [N, C], which is broadcast over the pixels of its image, or with
// s of the shape of x but for the batch.
Shape infer_broadcast(const char* op, std::span<const Shape> inputs) {
  check_input_count(op, inputs.size(), 2);
  const Shape &x = inputs[0], &s = inputs[1];
  Shape y = x;
  y[0] = common_batch(op, inputs);
  const bool is_vector = s.rank() == 2 && s[1] == x.back();
  EBB_CHECK(is_vector || is_elementwise(x, s), ShapeError, op, ": operand ", s, " for input ", x,
            ", expected [N, ", x.back(), "] or ", x);
  return y;
}

void run_broadcast(Context& context, BroadcastOp op, const char* label, const OpCall& call) {
  const Tensor &x = call.inputs[0], &s = call.inputs[1], &y = call.outputs[0];
  const int64_t n = y.shape()[0];
  const int64_t pixels = is_elementwise(x.shape(), s.shape()) ? 1 : pixel_count(y.shape());
  context.launch(&KernelTable::broadcast_forward,
                 BroadcastForwardArgs{.op = op,
                                      .n = n,
                                      .pixels = pixels,
                                      .c = y.elements() / (n * pixels),
                                      .x_n = x.shape()[0],
                                      .s_n = s.shape()[0],
                                      .dtype = x.dtype(),
                                      .x = x.raw(),
                                      .s = s.raw(),
                                      .y = y.raw()},
                 label);
}

std::vector<Shape> infer_add(const OpAttrs&, std::span<const Shape> inputs) {
  return {infer_broadcast("add", inputs)};
}
void run_add(Context& context, const OpCall& call) {
  run_broadcast(context, BroadcastOp::kAdd, "add_forward", call);
}
std::vector<Shape> infer_multiply(const OpAttrs&, std::span<const Shape> inputs) {
  return {infer_broadcast("multiply", inputs)};
}
void run_multiply(Context& context, const OpCall& call) {
  run_broadcast(context, BroadcastOp::kMultiply, "multiply_forward", call);
}

}  // namespace

bool is_elementwise(const Shape& x, const Shape& s) {
  if (s.rank() != x.rank() || s.rank() < 2) return false;
  return std::equal(x.begin() + 1, x.end(), s.begin() + 1);
}

const OpDef kAdd = {.name = "add", .infer = infer_add, .workspace_bytes = nullptr, .run = run_add};
const OpDef kMultiply = {
    .name = "multiply", .infer = infer_multiply, .workspace_bytes = nullptr, .run = run_multiply};

}  // namespace ebb::ops
