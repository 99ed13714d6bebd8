#pragma once

#include <cmath>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "engine/ops/ops.h"
#include "nn/ops.h"
#include "testing/reference/activation.h"
#include "testing/reference/attention.h"
#include "testing/reference/avg_pool.h"
#include "testing/reference/batch_norm.h"
#include "testing/reference/broadcast.h"
#include "testing/reference/conv.h"
#include "testing/reference/group_norm.h"
#include "testing/reference/layer_norm.h"
#include "testing/reference/learned_range_loss.h"
#include "testing/reference/mse_loss.h"
#include "testing/reference/rms_norm.h"
#include "testing/reference/softmax.h"
#include "testing/reference/softmax_cross_entropy.h"
#include "testing/reference/timestep_embedding.h"
#include "testing/reference/upsample.h"

namespace ebb::test {

using DoubleMap = std::map<std::string, std::vector<double>>;

// Computes a network in double precision, in training mode, from the plain loops of
// tests/reference: what f32 results and gradients are compared with. Forward only.
class ReferenceOps final : public Ops {
 public:
  explicit ReferenceOps(const DoubleMap& params) : params_(params) {}

  Value input(const Shape& shape, std::vector<double> values) {
    arrays_.push_back({shape, std::move(values)});
    return {static_cast<int>(arrays_.size()) - 1};
  }

  Value param(const Scope& name, const Shape& shape, const ParamInfo&) override {
    return input(shape, params_.at(name.path()));
  }

  Value emit(const OpDef& op, const OpAttrs& attrs, const std::vector<Value>& inputs,
             const Scope&) override {
    std::vector<Shape> shapes;
    std::vector<const std::vector<double>*> x;
    for (Value value : inputs) {
      shapes.push_back(shape(value));
      x.push_back(&values(value));
    }
    const Shape y = op.infer(attrs, shapes).front();
    return input(y, compute(op, attrs, shapes, x, y));
  }

  Shape shape(Value value) const override { return arrays_.at(value.id).shape; }
  const std::vector<double>& values(Value value) const { return arrays_.at(value.id).values; }

 private:
  struct Array {
    Shape shape;
    std::vector<double> values;
  };
  using Operands = std::vector<const std::vector<double>*>;

  static std::vector<double> compute(const OpDef& op, const OpAttrs& attrs,
                                     const std::vector<Shape>& shapes, const Operands& x,
                                     const Shape& y) {
    const Shape& s = shapes[0];
    if (&op == &ops::kConv) return conv(std::get<ConvAttrs>(attrs), s, x, y);
    if (&op == &ops::kBatchNorm) {
      const auto& norm = std::get<BatchNormAttrs>(attrs);
      const reference::BatchNormProblem problem{
          row_count(s), s.back(), norm.activation, norm.eps, *x[0], *x[1], *x[2]};
      return reference::batch_norm(problem, reference::batch_statistics(problem));
    }
    if (&op == &ops::kGroupNorm) return group_norm(std::get<GroupNormAttrs>(attrs), s, x);
    if (&op == &ops::kLayerNorm) {
      const std::vector<double> none;
      return reference::layer_norm({row_count(s), s.back(), std::get<LayerNormAttrs>(attrs).eps,
                                    *x[0], x.size() > 1 ? *x[1] : none,
                                    x.size() > 2 ? *x[2] : none});
    }
    if (&op == &ops::kRmsNorm) {
      return reference::rms_norm(s.back(), std::get<RmsNormAttrs>(attrs).eps, *x[0], *x[1]);
    }
    if (&op == &ops::kAttention) return attention(std::get<AttentionAttrs>(attrs), shapes, x);
    if (&op == &ops::kSliceChannels) {
      const auto& slice = std::get<SliceAttrs>(attrs);
      std::vector<double> result;
      for (int64_t row = 0; row < row_count(s); ++row) {
        const auto first = x[0]->begin() + row * s.back() + slice.first;
        result.insert(result.end(), first, first + slice.count);
      }
      return result;
    }
    if (&op == &ops::kActivation) {
      std::vector<double> result;
      for (double v : *x[0]) {
        result.push_back(reference::activation(std::get<ActivationAttrs>(attrs).activation, v));
      }
      return result;
    }
    if (&op == &ops::kAvgPool) {
      const ops::PoolWindows w = ops::pool_windows(std::get<PoolAttrs>(attrs), s);
      return reference::avg_pool_forward({s[0], w.h, w.w, s.back(), w.kh, w.kw}, *x[0]);
    }
    if (&op == &ops::kAffine) {
      const auto& [scale, shift] = std::get<AffineAttrs>(attrs);
      std::vector<double> result;
      for (double v : *x[0]) result.push_back(double{scale} * v + double{shift});
      return result;
    }
    if (&op == &ops::kConcat) return concat(shapes, x, y);
    if (&op == &ops::kAdd || &op == &ops::kMultiply) {
      const auto broadcast = &op == &ops::kAdd ? BroadcastOp::kAdd : BroadcastOp::kMultiply;
      const int64_t pixels = ops::is_elementwise(s, shapes[1]) ? 1 : pixel_count(y);
      return reference::broadcast_forward(
          {broadcast, y[0], pixels, y.elements() / (y[0] * pixels), s[0], shapes[1][0]}, *x[0],
          *x[1]);
    }
    if (&op == &ops::kSoftmax) return reference::softmax(s.back(), *x[0]);
    if (&op == &ops::kUpsample) {
      return reference::upsample(std::get<UpsampleAttrs>(attrs).interpolation,
                                 ops::upsample_size(s, y), *x[0]);
    }
    if (&op == &ops::kTimestepEmbedding) {
      const auto& [channels, max_period, shift, sin_first] = std::get<TimestepAttrs>(attrs);
      return reference::timestep_embedding({channels, max_period, shift, sin_first}, *x[0]);
    }
    if (&op == &ops::kEmbedding) return embedding(s.back(), *x[0], *x[1]);
    if (&op == &ops::kMseLoss) return {reference::mse_loss(*x[0], *x[1])};
    if (&op == &ops::kLearnedRangeLoss) {
      const Shape& noise = shapes[1];
      const reference::LearnedRangeLoss loss{
          noise[0],     pixel_count(noise),
          noise.back(), std::get<LearnedRangeAttrs>(attrs).vlb_weight,
          *x[1],        *x[2],
          *x[3]};
      return {loss.loss(*x[0])};
    }
    if (&op == &ops::kSoftmaxCrossEntropy) {
      return {reference::softmax_cross_entropy(*x[0], *x[1], s[1])};
    }
    throw Error(cat("reference: no ", op.name));
  }

  static std::vector<double> conv(const ConvAttrs& attrs, const Shape& s, const Operands& x,
                                  const Shape& y) {
    const ConvGeometry g = ops::conv_op_geometry(attrs, s, y.back());
    std::vector<double> result;
    for (int64_t p = 0; p < g.n * g.ho * g.wo; ++p) {
      if (attrs.reads_bias) {
        result.insert(result.end(), x[2]->begin(), x[2]->end());
      } else {
        result.insert(result.end(), static_cast<size_t>(g.o), 0.0);
      }
    }
    reference::for_each_meeting(g, [&](int64_t px, int64_t py, int64_t k) {
      for (int64_t o = 0; o < g.o; ++o) {
        const double* w = x[1]->data() + (o * g.kh * g.kw + k) * g.c;
        const double* pixel = x[0]->data() + px * g.c;
        for (int64_t c = 0; c < g.c; ++c) result[py * g.o + o] += pixel[c] * w[c];
      }
    });
    return result;
  }

  static std::vector<double> embedding(int64_t c, const std::vector<double>& table,
                                       const std::vector<double>& ids) {
    std::vector<double> result;
    for (const double id : ids) {
      const auto row = table.begin() + static_cast<int64_t>(id) * c;
      result.insert(result.end(), row, row + c);
    }
    return result;
  }

  static std::vector<double> concat(const std::vector<Shape>& shapes, const Operands& x,
                                    const Shape& y) {
    std::vector<double> result;
    for (int64_t row = 0; row < row_count(y); ++row) {
      for (size_t i = 0; i < x.size(); ++i) {
        const int64_t c = shapes[i].back();
        const auto begin = x[i]->begin() + row % row_count(shapes[i]) * c;
        result.insert(result.end(), begin, begin + c);
      }
    }
    return result;
  }

  // For a single batch: no operand is read modulo it.
  static std::vector<double> group_norm(const GroupNormAttrs& attrs, const Shape& s,
                                        const Operands& x) {
    const std::vector<double> none;
    const size_t at_shift = attrs.scales ? 4 : 3;
    return reference::group_norm({{s[0], pixel_count(s), s.back(), attrs.groups},
                                  attrs.activation,
                                  attrs.eps,
                                  *x[0],
                                  *x[1],
                                  *x[2],
                                  attrs.scales ? *x[3] : none,
                                  attrs.shifts ? *x[at_shift] : none});
  }

  static std::vector<double> attention(const AttentionAttrs& attrs,
                                       const std::vector<Shape>& shapes, const Operands& x) {
    const std::vector<double> none;
    const Shape& q = shapes[0];
    const int64_t d = q.back() / attrs.heads, extra = attrs.extra ? pixel_count(shapes[3]) : 0;
    const AttentionSize size{.b = q[0],
                             .heads = attrs.heads,
                             .d = d,
                             .queries = pixel_count(q),
                             .keys = pixel_count(shapes[1]),
                             .extra = extra,
                             .q_pitch = 0,  // the reference reads dense operands
                             .kv_pitch = 0,
                             .extra_pitch = 0,
                             .o_pitch = 0};
    const double scale = attrs.scale != 0 ? attrs.scale : 1 / std::sqrt(static_cast<double>(d));
    return reference::attention({size, scale, *x[0], *x[1], *x[2], attrs.extra ? *x[3] : none,
                                 attrs.extra ? *x[4] : none, attrs.bias ? *x.back() : none});
  }

  const DoubleMap& params_;
  std::vector<Array> arrays_;
};

}  // namespace ebb::test
