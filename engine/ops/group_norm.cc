#include "engine/op.h"
#include "engine/ops/image_runs.h"
#include "kernels/kernel_table.h"

namespace ebb::ops {
namespace {

// Vectors per image; null if absent.
template <typename T>
struct Modulation {
  const T *scale = nullptr, *shift = nullptr;

  Modulation(const GroupNormAttrs& attrs, std::span<const T> inputs) {
    size_t next = 3;
    if (attrs.scales) scale = &inputs[next++];
    if (attrs.shifts) shift = &inputs[next++];
  }
};

void check_vectors(const Shape& x, const char* name, const Shape& s) {
  EBB_CHECK(s.rank() == 2 && s[1] == x.back(), ShapeError, "group_norm: ", name, " ", s,
            " for input ", x, ", expected [N, ", x.back(), "]");
}

// The batch of the result; those of x and of the vectors per image divide it.
int64_t batch_of(std::span<const Shape> inputs) {
  std::vector<Shape> images{inputs[0]};
  images.insert(images.end(), inputs.begin() + 3, inputs.end());
  return common_batch("group_norm", images);
}

// x [N, ..., C], weight [C], bias [C][, scale [N, C]][, shift [N, C]], both in f32, -> y, mean [N,
// groups], rstd [N, groups]. Batches are read modulo theirs.
std::vector<Shape> infer(const OpAttrs& op_attrs, std::span<const Shape> inputs) {
  const auto& attrs = std::get<GroupNormAttrs>(op_attrs);
  EBB_CHECK(inputs.size() == size_t{3} + attrs.scales + attrs.shifts, ShapeError,
            "group_norm: got ", inputs.size(), " inputs, expected x, weight, bias",
            attrs.scales ? ", scale" : "", attrs.shifts ? ", shift" : "");
  EBB_CHECK(is_fusable(attrs.activation), ShapeError, "group_norm: activation ",
            to_string(attrs.activation), ", expected one that can be fused");
  const Shape& x = inputs[0];
  EBB_CHECK(x.rank() >= 2 && attrs.groups > 0 && x.back() % attrs.groups == 0, ShapeError,
            "group_norm: input ", x, ", expected [N, ..., C] with C a multiple of ", attrs.groups,
            " groups");
  for (size_t i = 1; i < 3; ++i) {
    EBB_CHECK(inputs[i] == Shape{x.back()}, ShapeError,
              "group_norm: ", i == 1 ? "weight " : "bias ", inputs[i], " for input ", x,
              ", expected ", Shape{x.back()});
  }
  const Modulation<Shape> modulation(attrs, inputs);
  if (modulation.scale != nullptr) check_vectors(x, "scale", *modulation.scale);
  if (modulation.shift != nullptr) check_vectors(x, "shift", *modulation.shift);
  Shape y = x;
  y[0] = batch_of(inputs);
  const Shape per_group{y[0], attrs.groups};
  return {y, per_group, per_group};
}

// Runs of images take it in turn.
int64_t workspace_bytes(const Context& context, const OpAttrs& op_attrs,
                        std::span<const Shape> inputs, DType) {
  const auto& attrs = std::get<GroupNormAttrs>(op_attrs);
  const Shape& x = inputs[0];
  return context.kernel(&KernelTable::group_norm_forward_workspace_bytes)(
      {batch_of(inputs), pixel_count(x), x.back(), attrs.groups});
}

void run(Context& context, const OpCall& call) {
  const auto& attrs = std::get<GroupNormAttrs>(call.attrs);
  const Tensor &x = call.inputs[0], &y = call.outputs[0];
  const Modulation<Tensor> modulation(attrs, call.inputs);
  const int64_t c = x.shape().back();
  const auto vectors_of = [&](const Tensor* all, int64_t n) {
    return all == nullptr ? nullptr : all->data<float>() + n % all->shape()[0] * c;
  };
  for_each_run(y.shape()[0], {&x, modulation.scale, modulation.shift},
               [&](int64_t n, int64_t count) {
                 context.launch(
                     &KernelTable::group_norm_forward,
                     GroupNormForwardArgs{.size = {count, pixel_count(x.shape()), c, attrs.groups},
                                          .dtype = x.dtype(),
                                          .activation = attrs.activation,
                                          .eps = attrs.eps,
                                          .x = image_of(x, n),
                                          .gamma = call.inputs[1].data<float>(),
                                          .beta = call.inputs[2].data<float>(),
                                          .scale = vectors_of(modulation.scale, n),
                                          .shift = vectors_of(modulation.shift, n),
                                          .y = image_of(y, n),
                                          .mean = call.outputs[1].data<float>() + n * attrs.groups,
                                          .rstd = call.outputs[2].data<float>() + n * attrs.groups,
                                          .workspace = call.workspace});
               });
}

}  // namespace

const OpDef kGroupNorm = {
    .name = "group_norm", .infer = infer, .workspace_bytes = workspace_bytes, .run = run};

}  // namespace ebb::ops
