#pragma once

#include "base/dtype.h"
#include "testing/op_cases.h"

// Lower bounds on the time of the rows of testing/op_cases.h.
namespace ebb {

enum class CasePass { kForward, kBackward, kBoth, kBackwardInput, kBackwardWeight };

inline const char* to_string(CasePass pass) {
  switch (pass) {
    case CasePass::kForward:
      return "forward";
    case CasePass::kBackward:
      return "backward";
    case CasePass::kBoth:
      return "forward and backward";
    case CasePass::kBackwardInput:
      return "input gradient";
    case CasePass::kBackwardWeight:
      return "weight gradient";
  }
  return "unknown";
}

inline std::vector<CasePass> passes_of(const OpCase& c) {
  if (std::holds_alternative<ConvShape>(c.shape)) {
    return {CasePass::kForward, CasePass::kBackwardInput, CasePass::kBackwardWeight};
  }
  if (std::holds_alternative<StreamCase>(c.shape)) return {CasePass::kForward};
  if (std::holds_alternative<UpsampleCase>(c.shape)) {
    return {CasePass::kForward, CasePass::kBackward};
  }
  // As a training step runs them, and as PyTorch can be timed.
  return {CasePass::kForward, CasePass::kBoth};
}

// Floating-point operations (a multiply-add counts as two; only products count) and bytes when
// every operand is read once and every result written once.
struct OpRoofline {
  double flops = 0, bytes = 0;
};

// All passes of a convolution multiply the same pairs. Taps that fall outside the image count.
inline OpRoofline roofline_of(const ConvShape& shape, CasePass, double size) {
  const ConvGeometry g = shape.geometry();
  const int64_t pixels = g.transposed ? g.h * g.w : g.ho * g.wo;
  const int64_t x = g.n * g.h * g.w * g.c, y = g.n * g.ho * g.wo * g.o;
  const int64_t w = g.o * g.kh * g.kw * g.c;
  return {2.0 * static_cast<double>(g.n * pixels * w), size * static_cast<double>(x + y + w)};
}

inline OpRoofline roofline_of(const GroupNormCase& c, CasePass pass, double size) {
  const double elements = static_cast<double>(c.size.n * c.size.pixels * c.size.c);
  return {0, (pass == CasePass::kForward ? 2 : 5) * elements * size};
}

// Statistics over the whole batch come before the first result: x is read twice, and so are x and
// dy on the way back.
inline OpRoofline roofline_of(const BatchNormCase& c, CasePass pass, double size) {
  const double elements = static_cast<double>(c.rows * c.c);
  return {0, (pass == CasePass::kForward ? 3 : 8) * elements * size};
}

// x and dy come back for dx; what a row's sums read stays in a cache.
inline OpRoofline roofline_of(const LayerNormCase& c, CasePass pass, double size) {
  const double elements = static_cast<double>(c.rows * c.c);
  return {0, (pass == CasePass::kForward ? 2 : 5) * elements * size};
}

// Backward multiplies five matrices where forward multiplies two, and moves eight where forward
// moves four.
inline OpRoofline roofline_of(const AttentionCase& c, CasePass pass, double size) {
  const bool forward = pass == CasePass::kForward;
  const double per_matrix =
      2.0 * static_cast<double>(c.b * c.heads * c.queries * c.size().all_keys() * c.d);
  const double q = static_cast<double>(c.b * c.heads * c.queries * c.d);
  const double k = static_cast<double>(c.b * c.heads * c.size().all_keys() * c.d);
  return {(forward ? 2 : 7) * per_matrix, size * (forward ? 2 : 6) * (q + k)};
}

inline OpRoofline roofline_of(const UpsampleCase& c, CasePass, double size) {
  const UpsampleSize& s = c.size;
  return {0, size * static_cast<double>(s.n * s.c * (s.h * s.w + s.ho * s.wo))};
}

inline OpRoofline roofline_of(const StreamCase& c, CasePass, double size) {
  const double elements = static_cast<double>(c.rows * c.c);
  switch (c.op) {
    case StreamOp::kAvgPool7:
      return {0, size * elements * (1 + 1.0 / 49)};
    case StreamOp::kAdam:  // reads p, g, m, v and writes p, m, v, always in f32
      return {0, 4 * 7 * elements};
    case StreamOp::kRandomNormal:
      return {0, 4 * elements};
    case StreamOp::kConvert:
      return {0, (4 + size) * elements};
    case StreamOp::kEmbeddingGradient:
      return {0, size * elements + 4 * static_cast<double>(kEmbeddingEntries * c.c)};
    case StreamOp::kResidual:
      return {0, 3 * size * elements};
    case StreamOp::kGelu:
    case StreamOp::kAdd:
    case StreamOp::kCopyRows:
    case StreamOp::kSoftmax:
    case StreamOp::kRmsNorm:
    case StreamOp::kMseLoss:
      break;
  }
  return {0, 2 * size * elements};
}

inline OpRoofline roofline_of(const OpCase& c, CasePass pass, DType dtype) {
  const double size = static_cast<double>(size_of(dtype));
  return std::visit([&](const auto& shape) { return roofline_of(shape, pass, size); }, c.shape);
}

}  // namespace ebb
