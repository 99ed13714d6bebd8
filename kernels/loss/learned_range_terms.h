#pragma once

#include <cmath>

#include "kernels/loss/learned_range_loss.h"
#include "kernels/simt/host_device.h"

namespace ebb {

// A term of the variational bound in bits and its derivative with respect to the code.
struct LearnedRangeTerm {
  double bits, slope;
};

// The normal distribution's function and density as Nichol & Dhariwal approximate them.
struct NormalApproximation {
  double below, density;

  EBB_HOST_DEVICE explicit NormalApproximation(double x) {
    constexpr double kScale = 0.7978845608028654, kCube = 0.044715;  // sqrt(2 / pi)
    const double t = tanh(kScale * (x + kCube * x * x * x));
    below = 0.5 * (1 + t);
    density = 0.5 * (1 - t * t) * kScale * (1 + 3 * kCube * x * x);
  }
};

// The probability of the level of an image that is `gap` above the mean, as a likelihood: the
// first and the last of 256 levels take what lies beyond them.
EBB_HOST_DEVICE inline LearnedRangeTerm level_term(double image, double gap, double log_variance) {
  constexpr double kHalfLevel = 1.0 / 255, kLeast = 1e-12, kEdge = 0.999;
  const double inverse = exp(-0.5 * log_variance);
  const double upper = inverse * (gap + kHalfLevel), lower = inverse * (gap - kHalfLevel);
  const NormalApproximation up(upper), low(lower);
  const bool is_last = image > kEdge, is_first = image < -kEdge;
  const double p = (is_last ? 1 : up.below) - (is_first ? 0 : low.below);
  if (p < kLeast) return {-log(kLeast), 0};
  const double dp =
      -0.5 * ((is_last ? 0 : up.density * upper) - (is_first ? 0 : low.density * lower));
  return {-log(p), -dp / p};
}

// error: predicted noise minus noise.
EBB_HOST_DEVICE inline LearnedRangeTerm learned_range_term(const LearnedRangeStep& step,
                                                           double error, double code,
                                                           double image) {
  constexpr double kBits = 1.4426950408889634;  // 1 / ln 2
  const double range = (static_cast<double>(step.max_log) - step.min_log) / 2;
  const double log_variance = step.min_log + (code + 1) * range, gap = step.gap * error;
  LearnedRangeTerm nats{};
  if (step.is_first != 0) {
    nats = level_term(image, gap, log_variance);
  } else {  // the divergence of two normal distributions, the true one with the least variance
    const double ratio = exp(step.min_log - log_variance);
    const double square = gap * gap * exp(-log_variance);
    nats = {0.5 * (log_variance - step.min_log - 1 + ratio + square), 0.5 * (1 - ratio - square)};
  }
  return {kBits * nats.bits, kBits * nats.slope * range};
}

// Positions of the parts of number i of [n, pixels, c].
struct LearnedRangePlace {
  int64_t image, noise, code;  // of the step; in the prediction

  EBB_HOST_DEVICE LearnedRangePlace(int64_t i, int64_t pixels, int64_t c)
      : image(i / (pixels * c)), noise(i / c * 2 * c + i % c), code(noise + c) {}
};

template <class Args>
EBB_HOST_DEVICE double learned_range_error(const Args& args, int64_t i,
                                           const LearnedRangePlace& at) {
  return static_cast<double>(args.prediction[at.noise]) - args.noise[i];
}

// The whole term of number i.
EBB_HOST_DEVICE inline double learned_range_loss_at(const LearnedRangeLossArgs& args, int64_t i) {
  const LearnedRangePlace at(i, args.pixels, args.c);
  const double error = learned_range_error(args, i, at);
  const LearnedRangeTerm term =
      learned_range_term(args.steps[at.image], error, args.prediction[at.code], args.images[i]);
  return error * error + args.vlb_weight * term.bits;
}

// Writes the gradient of number i; scale: dloss / count.
EBB_HOST_DEVICE inline void learned_range_gradient_at(const LearnedRangeLossBackwardArgs& args,
                                                      double scale, int64_t i) {
  const LearnedRangePlace at(i, args.pixels, args.c);
  const double error = learned_range_error(args, i, at);
  const LearnedRangeTerm term =
      learned_range_term(args.steps[at.image], error, args.prediction[at.code], args.images[i]);
  args.dprediction[at.noise] = static_cast<float>(2 * scale * error);
  args.dprediction[at.code] = static_cast<float>(scale * args.vlb_weight * term.slope);
}

}  // namespace ebb
