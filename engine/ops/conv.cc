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
  const bool rows = attrs.kernel == 1 && (x.rank() == 2 || x.rank() == 3);
  EBB_CHECK(x.rank() == 4 || rows, ShapeError, "conv: input ", x, ", expected [N, H, W, C]");
}

void check_weight(const ConvAttrs& attrs, const Shape& x, const Shape& w) {
  const Shape as_linear{w[0], x.back()};
  const Shape as_conv{w[0], attrs.kernel, attrs.kernel, x.back()};
  EBB_CHECK(w == as_conv || (attrs.kernel == 1 && w == as_linear), ShapeError, "conv: weight ", w,
            " for input ", x, ", expected ", as_conv);
}

// Indices of the epilogue's inputs; 0: absent.
struct Epilogue {
  size_t residual = 0, scale = 0, shift = 0;

  Epilogue(const ConvAttrs& attrs, size_t inputs) {
    size_t next = attrs.reads_bias ? 3 : 2;
    if (has_residual(attrs, inputs)) residual = next++;
    if (attrs.scales) scale = next++;
    if (attrs.shifts) shift = next++;
    EBB_CHECK(inputs == next, ShapeError, "conv: got ", inputs, " inputs, expected x, w",
              attrs.reads_bias ? ", b" : "", "[, residual]", attrs.scales ? ", scale" : "",
              attrs.shifts ? ", shift" : "");
  }
};

void check_residual(Shape residual, const Shape& y) {
  const Shape found = residual;
  EBB_CHECK(residual.rank() == y.rank() && residual[0] > 0 && y[0] % residual[0] == 0, ShapeError,
            "conv: residual ", found, " for output ", y);
  residual[0] = y[0];
  EBB_CHECK(residual == y, ShapeError, "conv: residual ", found, " for output ", y);
}

void check_modulation(const char* name, const Shape& s, const Shape& y) {
  EBB_CHECK(s.rank() == 2 && s[1] == y.back() && s[0] > 0 && y[0] % s[0] == 0, ShapeError,
            "conv: ", name, " ", s, " for output ", y, ", expected ", Shape{y[0], y.back()},
            " or a batch that divides it");
}

std::vector<Shape> infer(const OpAttrs& op_attrs, std::span<const Shape> inputs) {
  const auto& attrs = std::get<ConvAttrs>(op_attrs);
  EBB_CHECK(is_fusable(attrs.activation), ShapeError, "conv: activation ",
            to_string(attrs.activation), ", expected one that can be fused");
  const Epilogue epilogue(attrs, inputs.size());
  const Shape& x = inputs[0];
  check_image(attrs, x);
  if (!attrs.packed_weight) check_weight(attrs, x, inputs[1]);
  const int64_t o = out_channels(attrs, inputs);
  EBB_CHECK(!attrs.reads_bias || inputs[2] == Shape{o}, ShapeError, "conv: bias ", inputs[2],
            ", expected ", Shape{o});
  ConvGeometry g = conv_op_geometry(attrs, x, o);
  Shape y = x;
  if (x.rank() == 4) y = {g.n, g.ho, g.wo, o};
  y[y.rank() - 1] = o;
  if (epilogue.residual > 0) check_residual(inputs[epilogue.residual], y);
  if (epilogue.scale > 0) check_modulation("scale", inputs[epilogue.scale], y);
  if (epilogue.shift > 0) check_modulation("shift", inputs[epilogue.shift], y);
  if (attrs.moment_chunks == 0) return {y};
  return {y, moments_shape(attrs.moment_chunks, o)};
}

int64_t packed_bytes(const Context& context, const ConvGeometry& geometry, DType dtype) {
  return context.kernel(&KernelTable::conv_packed_bytes)(geometry, ConvPass::kForward, dtype,
                                                         context.conv_math());
}

int64_t workspace_bytes(const Context& context, const OpAttrs& op_attrs,
                        std::span<const Shape> inputs, DType dtype) {
  const auto& attrs = std::get<ConvAttrs>(op_attrs);
  const ConvGeometry g = conv_op_geometry(attrs, inputs[0], out_channels(attrs, inputs));
  const int64_t scratch = context.kernel(&KernelTable::conv_workspace_bytes)(
      g, ConvPass::kForward, dtype, context.conv_math(), context.kernel_stream().threads);
  return scratch + (attrs.packed_weight ? 0 : round_up(packed_bytes(context, g, dtype)));
}

// A convolution of images gives moments, where its kernels can: a BatchNorm follows nearly all of
// them.
OpAttrs attrs_with_moments(const Context& context, const OpAttrs& op_attrs,
                           std::span<const Tensor> inputs) {
  auto attrs = std::get<ConvAttrs>(op_attrs);
  const Tensor& x = inputs[0];
  if (x.shape().rank() == 4) {
    attrs.moment_chunks = context.kernel(&KernelTable::conv_moment_chunks)(
        conv_op_geometry(attrs, x.shape(), inputs[1].shape()[0]), x.dtype(), context.conv_math());
  }
  return attrs;
}

void run(Context& context, const OpCall& call) {
  const auto& attrs = std::get<ConvAttrs>(call.attrs);
  const Tensor &x = call.inputs[0], &w = call.inputs[1], &y = call.outputs[0];
  ConvGeometry g = conv_op_geometry(attrs, x.shape(), y.shape().back());
  g.x_pitch = x.pitch();
  g.y_pitch = y.pitch();
  const void* packed = w.raw();
  char* scratch = static_cast<char*>(call.workspace);
  if (!attrs.packed_weight) {
    context.launch(&KernelTable::conv_pack,
                   ConvPackArgs{g, ConvPass::kForward, x.dtype(), w.data<float>(), scratch});
    packed = scratch;
    scratch += round_up(packed_bytes(context, g, x.dtype()));
  }
  const Epilogue epilogue(attrs, call.inputs.size());
  const auto data = [&](size_t input) { return input > 0 ? call.inputs[input].raw() : nullptr; };
  const auto batch = [&](size_t input) { return input > 0 ? call.inputs[input].shape()[0] : 1; };
  context.launch(&KernelTable::conv_forward,
                 ConvForwardArgs{.geometry = g,
                                 .dtype = x.dtype(),
                                 .x = x.raw(),
                                 .packed = packed,
                                 .bias = attrs.reads_bias ? call.inputs[2].data<float>() : nullptr,
                                 .residual = data(epilogue.residual),
                                 .residual_n = batch(epilogue.residual),
                                 .activation = attrs.activation,
                                 .y = y.raw(),
                                 .workspace = scratch,
                                 .scale = data(epilogue.scale),
                                 .scale_n = batch(epilogue.scale),
                                 .shift = data(epilogue.shift),
                                 .shift_n = batch(epilogue.shift),
                                 .moments = attrs.moment_chunks > 0
                                                ? static_cast<RowMoments*>(call.outputs[1].raw())
                                                : nullptr});
}

std::vector<Shape> infer_pack(const OpAttrs& op_attrs, std::span<const Shape>) {
  return {Shape{std::get<ConvPackAttrs>(op_attrs).bytes}};
}

DType pack_dtype(const OpAttrs&, DType) { return DType::kU8; }

void run_pack(Context& context, const OpCall& call) {
  const auto& attrs = std::get<ConvPackAttrs>(call.attrs);
  context.launch(&KernelTable::conv_pack,
                 ConvPackArgs{attrs.geometry, ConvPass::kForward, attrs.dtype,
                              call.inputs[0].data<float>(), call.outputs[0].raw()});
}

}  // namespace

bool has_residual(const ConvAttrs& attrs, size_t inputs) {
  return inputs > 2 + size_t{attrs.reads_bias} + size_t{attrs.scales} + size_t{attrs.shifts};
}

ConvGeometry conv_op_geometry(const ConvAttrs& attrs, const Shape& x, int64_t out_channels) {
  const bool image = x.rank() == 4;
  const int64_t width = image ? x[2] : x.rank() == 3 ? x[1] : 1;
  ConvGeometry geometry =
      conv_geometry(x[0], image ? x[1] : 1, width, x.back(), out_channels, attrs.kernel,
                    attrs.kernel, attrs.stride, attrs.pad, attrs.transposed, attrs.end_pad);
  geometry.weight_dtype = attrs.weight_dtype;
  return geometry;
}

const OpDef kConv = {.name = "conv",
                     .infer = infer,
                     .workspace_bytes = workspace_bytes,
                     .run = run,
                     .reads_pitched = true,
                     .writes_pitched = true,
                     .attrs_with_moments = attrs_with_moments};
const OpDef kConvPack = {.name = "conv_pack",
                         .infer = infer_pack,
                         .workspace_bytes = nullptr,
                         .run = run_pack,
                         .output_dtype = pack_dtype};

}  // namespace ebb::ops
