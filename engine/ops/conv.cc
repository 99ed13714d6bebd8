#include "engine/ops/ops.h"
#include "kernels/kernel_table.h"

namespace ebb::ops {
namespace {

int64_t round_up(int64_t bytes) {
  return (bytes + Allocator::kAlignment - 1) / Allocator::kAlignment * Allocator::kAlignment;
}

int64_t out_channels(const ConvAttrs& attrs, std::span<const Shape> inputs) {
  return attrs.packed_weight ? attrs.out_channels : inputs[1][0];
}

void check_image(const ConvAttrs& attrs, const Shape& x) {
  EBB_CHECK(x.rank() == 4 || (x.rank() == 2 && attrs.kernel == 1), ShapeError, "conv: input ", x,
            ", expected [N, H, W, C]");
}

void check_weight(const ConvAttrs& attrs, const Shape& x, const Shape& w) {
  const Shape as_linear{w[0], x.back()};
  const Shape as_conv{w[0], attrs.kernel, attrs.kernel, x.back()};
  EBB_CHECK(w == as_conv || (attrs.kernel == 1 && w == as_linear), ShapeError, "conv: weight ", w,
            " for input ", x, ", expected ", as_conv);
}

std::vector<Shape> infer(const OpAttrs& op_attrs, std::span<const Shape> inputs) {
  const auto& attrs = std::get<ConvAttrs>(op_attrs);
  EBB_CHECK(inputs.size() == 3 || inputs.size() == 4, ShapeError, "conv: got ", inputs.size(),
            " inputs, expected x, w, b[, residual]");
  const Shape& x = inputs[0];
  check_image(attrs, x);
  if (!attrs.packed_weight) check_weight(attrs, x, inputs[1]);
  const int64_t o = out_channels(attrs, inputs);
  EBB_CHECK(inputs[2] == Shape{o}, ShapeError, "conv: bias ", inputs[2], ", expected ", Shape{o});
  ConvGeometry g = conv_op_geometry(attrs, x, o);
  Shape y = x.rank() == 2 ? Shape{g.n, o} : Shape{g.n, g.ho, g.wo, o};
  if (inputs.size() == 4) {
    Shape residual = inputs[3];
    EBB_CHECK(residual.rank() == y.rank() && residual[0] > 0 && y[0] % residual[0] == 0, ShapeError,
              "conv: residual ", residual, " for output ", y);
    residual[0] = y[0];
    EBB_CHECK(residual == y, ShapeError, "conv: residual ", inputs[3], " for output ", y);
  }
  return {y};
}

int64_t packed_bytes(const Context& context, const ConvGeometry& geometry) {
  return context.kernel(&KernelTable::conv_packed_bytes, "conv_packed_bytes")(
      geometry, ConvPass::kForward, DType::kF32);
}

int64_t workspace_bytes(const Context& context, const OpAttrs& op_attrs,
                        std::span<const Shape> inputs) {
  const auto& attrs = std::get<ConvAttrs>(op_attrs);
  const ConvGeometry g = conv_op_geometry(attrs, inputs[0], out_channels(attrs, inputs));
  const int64_t scratch =
      context.kernel(&KernelTable::conv_workspace_bytes, "conv_workspace_bytes")(
          g, ConvPass::kForward, DType::kF32, context.stream().threads);
  return scratch + (attrs.packed_weight ? 0 : round_up(packed_bytes(context, g)));
}

void run(Context& context, const OpCall& call) {
  const auto& attrs = std::get<ConvAttrs>(call.attrs);
  const Tensor &x = call.inputs[0], &w = call.inputs[1], &b = call.inputs[2], &y = call.outputs[0];
  ConvGeometry g = conv_op_geometry(attrs, x.shape(), y.shape().back());
  g.x_pitch = x.pitch();
  g.y_pitch = y.pitch();
  const void* packed = w.raw();
  char* scratch = static_cast<char*>(call.workspace);
  if (!attrs.packed_weight) {
    context.launch(&KernelTable::conv_pack, "conv_pack",
                   ConvPackArgs{g, ConvPass::kForward, DType::kF32, w.data<float>(), scratch});
    packed = scratch;
    scratch += round_up(packed_bytes(context, g));
  }
  const bool has_residual = call.inputs.size() == 4;
  context.launch(&KernelTable::conv_forward, "conv_forward",
                 ConvForwardArgs{.geometry = g,
                                 .dtype = x.dtype(),
                                 .x = x.raw(),
                                 .packed = packed,
                                 .bias = attrs.reads_bias ? b.data<float>() : nullptr,
                                 .residual = has_residual ? call.inputs[3].raw() : nullptr,
                                 .residual_n = has_residual ? call.inputs[3].shape()[0] : 0,
                                 .activation = attrs.activation,
                                 .y = y.raw(),
                                 .workspace = scratch});
}

std::vector<Shape> infer_pack(const OpAttrs& op_attrs, std::span<const Shape>) {
  return {Shape{std::get<ConvPackAttrs>(op_attrs).bytes / size_of(DType::kF32)}};
}

void run_pack(Context& context, const OpCall& call) {
  context.launch(&KernelTable::conv_pack, "conv_pack",
                 ConvPackArgs{std::get<ConvPackAttrs>(call.attrs).geometry, ConvPass::kForward,
                              DType::kF32, call.inputs[0].data<float>(), call.outputs[0].raw()});
}

}  // namespace

ConvGeometry conv_op_geometry(const ConvAttrs& attrs, const Shape& x, int64_t out_channels) {
  const bool vector = x.rank() == 2;
  return conv_geometry(x[0], vector ? 1 : x[1], vector ? 1 : x[2], x.back(), out_channels,
                       attrs.kernel, attrs.kernel, attrs.stride, attrs.pad, attrs.transposed);
}

const OpDef kConv = {.name = "conv",
                     .infer = infer,
                     .workspace_bytes = workspace_bytes,
                     .run = run,
                     .reads_pitched = true,
                     .writes_pitched = true};
const OpDef kConvPack = {
    .name = "conv_pack", .infer = infer_pack, .workspace_bytes = nullptr, .run = run_pack};

}  // namespace ebb::ops
