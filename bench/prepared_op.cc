#include "bench/prepared_op.h"

#include <cmath>

#include "base/error.h"
#include "bench/operands.h"
#include "kernels/kernel_table.h"

namespace ebb {
namespace {

// The launch of `entry`, which keeps the operands alive.
template <typename Entry, typename Args>
std::function<void()> launches(Context& context, std::shared_ptr<Operands> on, Entry entry,
                               const Args& args) {
  return [&context, on = std::move(on), entry, args] { context.launch(entry, args); };
}

std::function<void()> in_turn(std::function<void()> first, std::function<void()> second) {
  return [first = std::move(first), second = std::move(second)] {
    first();
    second();
  };
}

std::function<void()> prepare(Context& context, const ConvShape& shape, CasePass pass,
                              DType dtype) {
  return prepare_conv(context, shape, pass, dtype);
}

std::function<void()> prepare(Context& context, const GroupNormCase& c, CasePass pass,
                              DType dtype) {
  auto on = std::make_shared<Operands>(context);
  const GroupNormSize s = c.size;
  const int64_t count = s.n * s.pixels * s.c, groups = s.n * s.groups;
  const int64_t forward_scratch =
      context.kernel(&KernelTable::group_norm_forward_workspace_bytes)(s);
  const GroupNormForwardArgs forward{.size = s,
                                     .dtype = dtype,
                                     .activation = Activation::kSilu,
                                     .eps = 1e-5f,
                                     .x = on->random(count, dtype),
                                     .gamma = on->random_floats(s.c),
                                     .beta = on->random_floats(s.c),
                                     .scale = nullptr,
                                     .shift = nullptr,
                                     .y = on->space(count, dtype),
                                     .mean = on->floats(groups),
                                     .rstd = on->floats(groups),
                                     .workspace = on->bytes(forward_scratch)};
  auto run_forward = launches(context, on, &KernelTable::group_norm_forward, forward);
  if (pass == CasePass::kForward) return run_forward;
  const int64_t scratch = context.kernel(&KernelTable::group_norm_workspace_bytes)(s);
  const GroupNormBackwardArgs backward{.size = s,
                                       .dtype = dtype,
                                       .activation = Activation::kSilu,
                                       .x = forward.x,
                                       .gamma = forward.gamma,
                                       .beta = forward.beta,
                                       .scale = nullptr,
                                       .shift = nullptr,
                                       .mean = forward.mean,
                                       .rstd = forward.rstd,
                                       .dy = on->random(count, dtype),
                                       .dx = on->space(count, dtype),
                                       .dgamma = on->floats(s.c),
                                       .dbeta = on->floats(s.c),
                                       .dscale = nullptr,
                                       .dshift = nullptr,
                                       .workspace = on->bytes(scratch)};
  return in_turn(run_forward, launches(context, on, &KernelTable::group_norm_backward, backward));
}

std::function<void()> prepare(Context& context, const BatchNormCase& c, CasePass pass,
                              DType dtype) {
  auto on = std::make_shared<Operands>(context);
  const int64_t count = c.rows * c.c;
  const int64_t scratch = context.kernel(&KernelTable::batch_norm_workspace_bytes)(c.rows, c.c);
  const BatchNormTrainArgs forward{.rows = c.rows,
                                   .c = c.c,
                                   .dtype = dtype,
                                   .activation = Activation::kGelu,
                                   .eps = 1e-5f,
                                   .momentum = 0.1f,
                                   .x = on->random(count, dtype),
                                   .gamma = on->random_floats(c.c),
                                   .beta = on->random_floats(c.c),
                                   .running_mean = on->zero_floats(c.c),
                                   .running_var = on->zero_floats(c.c),
                                   .y = on->space(count, dtype),
                                   .mean = on->floats(c.c),
                                   .rstd = on->floats(c.c),
                                   .workspace = on->bytes(scratch)};
  const BatchNormBackwardArgs backward{.rows = c.rows,
                                       .c = c.c,
                                       .dtype = dtype,
                                       .activation = Activation::kGelu,
                                       .x = forward.x,
                                       .gamma = forward.gamma,
                                       .beta = forward.beta,
                                       .mean = forward.mean,
                                       .rstd = forward.rstd,
                                       .dy = on->random(count, dtype),
                                       .dx = on->space(count, dtype),
                                       .dgamma = on->floats(c.c),
                                       .dbeta = on->floats(c.c),
                                       .workspace = forward.workspace};
  auto run_forward = launches(context, on, &KernelTable::batch_norm_train, forward);
  if (pass == CasePass::kForward) return run_forward;
  return in_turn(run_forward, launches(context, on, &KernelTable::batch_norm_backward, backward));
}

std::function<void()> prepare(Context& context, const LayerNormCase& c, CasePass pass,
                              DType dtype) {
  auto on = std::make_shared<Operands>(context);
  const int64_t count = c.rows * c.c;
  const LayerNormForwardArgs forward{.rows = c.rows,
                                     .c = c.c,
                                     .dtype = dtype,
                                     .eps = 1e-5f,
                                     .x = on->random(count, dtype),
                                     .gamma = on->random_floats(c.c),
                                     .beta = on->random_floats(c.c),
                                     .y = on->space(count, dtype),
                                     .mean = on->floats(c.rows),
                                     .rstd = on->floats(c.rows)};
  auto run_forward = launches(context, on, &KernelTable::layer_norm_forward, forward);
  if (pass == CasePass::kForward) return run_forward;
  const int64_t scratch = context.kernel(&KernelTable::layer_norm_workspace_bytes)(c.rows, c.c);
  const LayerNormBackwardArgs backward{.rows = c.rows,
                                       .c = c.c,
                                       .dtype = dtype,
                                       .x = forward.x,
                                       .gamma = forward.gamma,
                                       .mean = forward.mean,
                                       .rstd = forward.rstd,
                                       .dy = on->random(count, dtype),
                                       .dx = on->space(count, dtype),
                                       .dgamma = on->floats(c.c),
                                       .dbeta = on->floats(c.c),
                                       .workspace = on->bytes(scratch)};
  return in_turn(run_forward, launches(context, on, &KernelTable::layer_norm_backward, backward));
}

std::function<void()> prepare(Context& context, const AttentionCase& c, CasePass pass,
                              DType dtype) {
  auto on = std::make_shared<Operands>(context);
  const AttentionSize s = c.size();
  const int64_t q = s.b * s.queries * s.q_pitch, k = s.b * s.keys * s.kv_pitch;
  const int64_t extra = s.b * s.extra * s.extra_pitch;
  const auto random_or_null = [&](int64_t count) {
    return count > 0 ? on->random(count, dtype) : nullptr;
  };
  const auto space_or_null = [&](int64_t count) {
    return count > 0 ? on->space(count, dtype) : nullptr;
  };
  const AttentionForwardArgs forward{.size = s,
                                     .dtype = dtype,
                                     .scale = 1 / std::sqrt(static_cast<float>(s.d)),
                                     .q = on->random(q, dtype),
                                     .k = random_or_null(k),
                                     .v = random_or_null(k),
                                     .extra_k = random_or_null(extra),
                                     .extra_v = random_or_null(extra),
                                     .bias = nullptr,
                                     .o = on->space(q, dtype),
                                     .lse = on->floats(s.b * s.heads * s.queries)};
  auto run_forward = launches(context, on, &KernelTable::attention_forward, forward);
  if (pass == CasePass::kForward) return run_forward;
  const AttentionBackwardArgs backward{.size = s,
                                       .dtype = dtype,
                                       .scale = forward.scale,
                                       .q = forward.q,
                                       .k = forward.k,
                                       .v = forward.v,
                                       .extra_k = forward.extra_k,
                                       .extra_v = forward.extra_v,
                                       .bias = nullptr,
                                       .o = forward.o,
                                       .lse = forward.lse,
                                       .d_o = on->random(q, dtype),
                                       .dq = on->space(q, dtype),
                                       .dk = space_or_null(k),
                                       .dv = space_or_null(k),
                                       .dextra_k = space_or_null(extra),
                                       .dextra_v = space_or_null(extra),
                                       .workspace = on->bytes(attention_workspace_bytes(s))};
  return in_turn(run_forward, launches(context, on, &KernelTable::attention_backward, backward));
}

std::function<void()> prepare(Context& context, const UpsampleCase& c, CasePass pass, DType dtype) {
  auto on = std::make_shared<Operands>(context);
  const UpsampleSize s = c.size;
  const int64_t small = s.n * s.h * s.w * s.c, large = s.n * s.ho * s.wo * s.c;
  if (pass == CasePass::kForward) {
    const UpsampleForwardArgs args{c.interpolation, s, dtype, on->random(small, dtype),
                                   on->space(large, dtype)};
    return launches(context, on, &KernelTable::upsample_forward, args);
  }
  const UpsampleBackwardArgs args{c.interpolation, s, dtype, on->random(large, dtype),
                                  on->space(small, dtype)};
  return launches(context, on, &KernelTable::upsample_backward, args);
}

std::function<void()> prepare(Context& context, const StreamCase& c, CasePass, DType dtype) {
  auto on = std::make_shared<Operands>(context);
  const int64_t count = c.rows * c.c;
  switch (c.op) {
    case StreamOp::kGelu:
      return launches(context, on, &KernelTable::activation_forward,
                      ActivationArgs{Activation::kGelu, dtype, count, on->random(count, dtype),
                                     on->space(count, dtype)});
    case StreamOp::kAdd: {
      constexpr int64_t kPixels = 49;
      const int64_t n = c.rows / kPixels;
      return launches(context, on, &KernelTable::broadcast_forward,
                      BroadcastForwardArgs{BroadcastOp::kAdd, n, kPixels, c.c, n, n, dtype,
                                           on->random(count, dtype), on->random(n * c.c, dtype),
                                           on->space(count, dtype)});
    }
    case StreamOp::kResidual:
      return launches(context, on, &KernelTable::broadcast_forward,
                      BroadcastForwardArgs{BroadcastOp::kAdd, c.rows, 1, c.c, c.rows, c.rows, dtype,
                                           on->random(count, dtype), on->random(count, dtype),
                                           on->space(count, dtype)});
    case StreamOp::kCopyRows:
      return launches(context, on, &KernelTable::copy_rows,
                      CopyRowsArgs{c.rows, c.rows, c.c, c.c, 2 * c.c, dtype,
                                   on->random(count, dtype), on->space(2 * count, dtype)});
    case StreamOp::kAvgPool7:
      return launches(context, on, &KernelTable::avg_pool_forward,
                      AvgPoolForwardArgs{c.rows / 49, 7, 7, c.c, 7, 7, dtype,
                                         on->random(count, dtype), on->space(count / 49, dtype)});
    case StreamOp::kSoftmax:
      return launches(context, on, &KernelTable::softmax_forward,
                      SoftmaxForwardArgs{c.rows, c.c, dtype, on->random(count, dtype),
                                         on->space(count, dtype)});
    case StreamOp::kRmsNorm:
      return launches(context, on, &KernelTable::rms_norm_forward,
                      RmsNormForwardArgs{c.rows, c.c, dtype, 1e-6f, on->random(count, dtype),
                                         on->random_floats(c.c), on->space(count, dtype), nullptr});
    case StreamOp::kMseLoss: {
      const int64_t scratch = context.kernel(&KernelTable::mse_loss_workspace_bytes)(count);
      return launches(context, on, &KernelTable::mse_loss_forward,
                      MseLossArgs{count, dtype, on->random(count, dtype), on->random(count, dtype),
                                  on->floats(1), on->bytes(scratch)});
    }
    case StreamOp::kAdam:
      return launches(context, on, &KernelTable::adam,
                      AdamArgs{count, 0.9, 0.999, 1e-8,
                               reinterpret_cast<const AdamRates*>(on->random_floats(3, 0.5, 1)),
                               nullptr, on->random_floats(count), on->random_floats(count),
                               on->random_floats(count), on->random_floats(count, 0, 1), nullptr});
    case StreamOp::kConvert:
      return launches(context, on, &KernelTable::convert,
                      ConvertArgs{count, DType::kF32, dtype, on->random_floats(count),
                                  on->space(count, dtype)});
    case StreamOp::kEmbeddingGradient: {
      std::vector<int32_t> ids;
      for (int64_t i = 0; i < c.rows; ++i) {
        ids.push_back(static_cast<int32_t>(i * 37 % kEmbeddingEntries));
      }
      return launches(
          context, on, &KernelTable::embedding_backward,
          EmbeddingBackwardArgs{c.rows, kEmbeddingEntries, c.c, dtype, on->numbers(ids),
                                on->random(count, dtype), on->floats(kEmbeddingEntries * c.c)});
    }
    case StreamOp::kRandomNormal:
      return launches(
          context, on, &KernelTable::random_normal,
          RandomFillArgs{1, RandomStream::kNoise, 0, 0, c.rows, c.c, on->floats(count)});
  }
  throw Error(cat("op cases: no kernel for ", c.name));
}

}  // namespace

PreparedOp::PreparedOp(Context& context, const OpCase& op_case, CasePass pass, DType dtype)
    : run_(std::visit([&](const auto& shape) { return prepare(context, shape, pass, dtype); },
                      op_case.shape)) {}

}  // namespace ebb
