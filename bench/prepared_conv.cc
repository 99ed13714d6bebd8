#include <cmath>
#include <memory>

#include "bench/operands.h"
#include "bench/prepared_op.h"
#include "kernels/kernel_table.h"
#include "testing/reference/conv.h"

namespace ebb {
namespace {

// The operands of a convolution's pass; null where the pass has none.
struct ConvOperands {
  ConvGeometry g;
  ConvPass pass;
  DType dtype;
  const void *x, *dy, *packed;
  const float* bias;
  void* out;  // y, dx or, f32, dw
  float* db;
  void* workspace;
};

void launch_conv(Context& context, const ConvOperands& c) {
  if (c.pass == ConvPass::kForward) {
    context.launch(&KernelTable::conv_forward, ConvForwardArgs{.geometry = c.g,
                                                               .dtype = c.dtype,
                                                               .x = c.x,
                                                               .packed = c.packed,
                                                               .bias = c.bias,
                                                               .residual = nullptr,
                                                               .residual_n = 0,
                                                               .activation = Activation::kNone,
                                                               .y = c.out,
                                                               .workspace = c.workspace});
  } else if (c.pass == ConvPass::kBackwardInput) {
    context.launch(&KernelTable::conv_backward_input,
                   ConvBackwardInputArgs{.geometry = c.g,
                                         .dtype = c.dtype,
                                         .dy = c.dy,
                                         .packed = c.packed,
                                         .dx = c.out,
                                         .workspace = c.workspace});
  } else {
    context.launch(&KernelTable::conv_backward_weight,
                   ConvBackwardWeightArgs{.geometry = c.g,
                                          .dtype = c.dtype,
                                          .x = c.x,
                                          .dy = c.dy,
                                          .dw = static_cast<float*>(c.out),
                                          .db = c.db,
                                          .workspace = c.workspace});
  }
}

// Packs the weights and allocates the result, so that launch_conv() can run.
void complete(Context& context, Operands& on, ConvOperands& c, const float* w) {
  const auto bytes_of = [&](auto entry, auto... args) {
    return context.kernel(entry)(c.g, c.pass, c.dtype, context.conv_math(), args...);
  };
  c.workspace =
      on.bytes(bytes_of(&KernelTable::conv_workspace_bytes, context.kernel_stream().threads));
  if (c.pass == ConvPass::kBackwardWeight) {
    c.out = on.space(c.g.o * c.g.kh * c.g.kw * c.g.c);
    return;
  }
  void* packed = on.bytes(bytes_of(&KernelTable::conv_packed_bytes));
  context.launch(&KernelTable::conv_pack, ConvPackArgs{c.g, c.pass, c.dtype, w, packed});
  c.packed = packed;
  const bool forward = c.pass == ConvPass::kForward;
  c.out = forward ? on.space(extent(c.g.n * c.g.ho * c.g.wo, c.g.o, c.g.y_pitch), c.dtype)
                  : on.space(extent(c.g.n * c.g.h * c.g.w, c.g.c, c.g.x_pitch), c.dtype);
}

std::vector<float> download(Context& context, const void* from, int64_t count, DType dtype) {
  const int64_t bytes = count * size_of(dtype);
  std::vector<float> values(static_cast<size_t>(count));
  if (dtype == DType::kF32) {
    context.stream()->copy_to_host(values.data(), from, 1, bytes, bytes);
    return values;
  }
  std::vector<uint16_t> bits(values.size());
  context.stream()->copy_to_host(bits.data(), from, 1, bytes, bytes);
  return test::from_storage(bits, dtype);
}

}  // namespace

std::function<void()> prepare_conv(Context& context, const ConvShape& shape, CasePass pass,
                                   DType dtype) {
  auto on = std::make_shared<Operands>(context);
  ConvOperands c{};
  c.g = shape.geometry();
  c.pass = conv_pass_of(pass);
  c.dtype = dtype;
  if (c.pass != ConvPass::kBackwardInput) {
    c.x = on->random(extent(c.g.n * c.g.h * c.g.w, c.g.c, c.g.x_pitch), dtype);
  }
  if (c.pass != ConvPass::kForward) {
    c.dy = on->random(extent(c.g.n * c.g.ho * c.g.wo, c.g.o, c.g.y_pitch), dtype);
  }
  c.bias = on->random_floats(c.g.o);
  complete(context, *on, c, on->random_floats(c.g.o * c.g.kh * c.g.kw * c.g.c));
  return [&context, on, c] { launch_conv(context, c); };
}

double conv_error(Context& context, const ConvShape& shape, ConvPass pass, DType dtype) {
  ConvShape two = shape;
  two.n = 2;
  const ConvGeometry g = two.geometry();
  test::RandomData random(1);
  const auto stored = [&](int64_t count, DType type) {
    return test::rounded(random.uniform(count, -1, 1), type);
  };
  const std::vector<float> x = stored(extent(g.n * g.h * g.w, g.c, g.x_pitch), dtype);
  const std::vector<float> dy = stored(extent(g.n * g.ho * g.wo, g.o, g.y_pitch), dtype);
  const std::vector<float> w = stored(g.o * g.kh * g.kw * g.c, dtype);
  Operands on(context);
  ConvOperands c{};
  c.g = g;
  c.pass = pass;
  c.dtype = dtype;
  c.x = on.upload(x, static_cast<int64_t>(x.size()), dtype);
  c.dy = on.upload(dy, static_cast<int64_t>(dy.size()), dtype);
  complete(context, on, c,
           static_cast<const float*>(on.upload(w, static_cast<int64_t>(w.size()), DType::kF32)));
  const bool forward = pass == ConvPass::kForward, weight = pass == ConvPass::kBackwardWeight;
  const DType out_type = weight ? DType::kF32 : dtype;
  const std::vector<reference::Sum> sums =
      forward  ? reference::conv_forward(g, x.data(), w.data())
      : weight ? reference::conv_backward_weight(g, x.data(), dy.data())
               : reference::conv_backward_input(g, dy.data(), w.data());
  const int64_t count = static_cast<int64_t>(sums.size());
  const int64_t row = forward ? g.o : weight ? count : g.c;
  const int64_t pitch = forward ? g.y_pitch : weight ? row : g.x_pitch;
  // The gaps between rows must keep this value, which every type represents exactly.
  constexpr float kGap = -1024;
  const int64_t span = extent(count / row, row, pitch);
  c.out = on.upload({kGap}, span, out_type);
  launch_conv(context, c);

  const std::vector<float> actual = download(context, c.out, span, out_type);
  double error = 0, largest = 0;
  for (int64_t i = 0; i < span; ++i) {
    const int64_t at = i / pitch * row + i % pitch;  // in the sums
    const double expected = i % pitch < row ? sums[static_cast<size_t>(at)].value : kGap;
    const double difference = std::abs(actual[static_cast<size_t>(i)] - expected);
    if (std::isnan(difference) || difference > error) error = difference;  // a NaN stays
    if (i % pitch < row) largest = std::max(largest, std::abs(expected));
  }
  return error / largest;
}

ConvPass conv_pass_of(CasePass pass) {
  return pass == CasePass::kForward         ? ConvPass::kForward
         : pass == CasePass::kBackwardInput ? ConvPass::kBackwardInput
                                            : ConvPass::kBackwardWeight;
}

}  // namespace ebb
