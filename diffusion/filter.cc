#include "diffusion/filter.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "diffusion/combine.h"
#include "kernels/kernel_table.h"

namespace ebb {
namespace {

Filter one_minus(const BaseFilter& base) { return {{{1, {}}, {-1, base}}}; }

BaseFilter gaussian(int64_t taps, double sigma) { return {BaseKind::kGaussian, taps, sigma}; }
BaseFilter motion(int64_t taps) { return {BaseKind::kMotion, taps, 1}; }

std::vector<double> line_weights(const BaseFilter& base) {
  if (base.kind == BaseKind::kGaussian) return gaussian_weights(base.taps, base.sigma);
  return std::vector<double>(static_cast<size_t>(base.taps), 1.0 / static_cast<double>(base.taps));
}

}  // namespace

bool Filter::is_identity() const {
  return terms.size() == 1 && terms[0].weight == 1 && terms[0].base == BaseFilter{};
}

Filter low_pass(int64_t taps, double sigma) { return {{{1, gaussian(taps, sigma)}}}; }
Filter high_pass(int64_t taps, double sigma) { return one_minus(gaussian(taps, sigma)); }
Filter gray() { return {{{1, {BaseKind::kGray, 1, 1}}}}; }
Filter color_residual() { return one_minus({BaseKind::kGray, 1, 1}); }
Filter motion_blur(int64_t taps) { return {{{1, motion(taps)}}}; }
Filter motion_residual(int64_t taps) { return one_minus(motion(taps)); }

std::vector<Filter> three_bands(int64_t taps, double sigma_near, double sigma_far) {
  const BaseFilter near = gaussian(taps, sigma_near), far = gaussian(taps, sigma_far);
  return {Filter{{{1, far}}}, Filter{{{1, near}, {-1, far}}}, one_minus(near)};
}

bool sum_to_identity(std::span<const Filter> parts) {
  std::vector<Filter::Term> total;
  for (const Filter& part : parts) {
    for (const Filter::Term& term : part.terms) {
      const auto same = std::find_if(total.begin(), total.end(),
                                     [&](const auto& t) { return t.base == term.base; });
      if (same == total.end()) {
        total.push_back(term);
      } else {
        same->weight += term.weight;
      }
    }
  }
  return std::all_of(total.begin(), total.end(), [](const Filter::Term& term) {
    return term.weight == (term.base == BaseFilter{} ? 1 : 0);
  });
}

std::vector<double> gaussian_weights(int64_t taps, double sigma) {
  std::vector<double> weights;
  double sum = 0;
  const int64_t center = taps / 2;
  for (int64_t k = 0; k < taps; ++k) {
    const double distance = static_cast<double>(k - center) / sigma;
    weights.push_back(std::exp(-0.5 * distance * distance));
    sum += weights.back();
  }
  for (double& weight : weights) weight /= sum;
  return weights;
}

int64_t max_taps(int64_t height, int64_t width) { return 2 * std::min(height, width) - 1; }

BaseFilterRunner::BaseFilterRunner(Context& context, const BaseFilter& base)
    : context_(context), base_(base) {
  const bool is_line = base.kind == BaseKind::kGaussian || base.kind == BaseKind::kMotion;
  if (is_line) weights_ = coefficients(context, line_weights(base));
}

void BaseFilterRunner::run(const Tensor& x, const Tensor& y) const {
  EBB_CHECK(x.shape() == y.shape() && x.shape().rank() == 4, ShapeError, "filter: ", x.shape(),
            " into ", y.shape());
  switch (base_.kind) {
    case BaseKind::kIdentity:
      y.copy_from(x);
      return;
    case BaseKind::kGaussian: {
      const Tensor rows = Tensor::empty(context_, x.shape());
      run_line(x, 0, 1, rows);
      run_line(rows, 1, 0, y);
      return;
    }
    case BaseKind::kMotion:
      run_line(x, 1, 1, y);
      return;
    case BaseKind::kGray:
      run_gray(x, y);
      return;
  }
}

void BaseFilterRunner::run_line(const Tensor& x, int64_t dy, int64_t dx, const Tensor& y) const {
  const Shape& s = x.shape();
  context_.launch(&KernelTable::line_filter, LineFilterArgs{.n = s[0],
                                                            .h = s[1],
                                                            .w = s[2],
                                                            .c = s[3],
                                                            .dy = dy,
                                                            .dx = dx,
                                                            .taps = base_.taps,
                                                            .weights = weights_.data<float>(),
                                                            .x = x.data<float>(),
                                                            .y = y.data<float>()});
}

// The mean as a sum over the C ways to rotate the channels of a pixel.
void BaseFilterRunner::run_gray(const Tensor& x, const Tensor& y) const {
  const Shape& s = x.shape();
  const int64_t channels = s[3], elements = s[1] * s[2] * channels;
  std::vector<Tensor> rotated{x};
  for (int64_t shift = 1; shift < channels; ++shift) {
    std::vector<int32_t> index;
    for (int64_t e = 0; e < elements; ++e) {
      index.push_back(static_cast<int32_t>(e - e % channels + (e + shift) % channels));
    }
    const Tensor on_device =
        Tensor::from_host(context_, {elements}, std::span<const int32_t>(index));
    rotated.push_back(Tensor::empty(context_, s));
    context_.launch(&KernelTable::signed_gather,
                    SignedGatherArgs{.n = s[0],
                                     .x_elements = elements,
                                     .elements = elements,
                                     .index = on_device.data<int32_t>(),
                                     .x = x.data<float>(),
                                     .y = rotated.back().data<float>()});
  }
  const std::vector<double> weights(static_cast<size_t>(channels),
                                    1.0 / static_cast<double>(channels));
  combine(context_, rotated, coefficients(context_, weights), y);
}

FilterRunner::FilterRunner(Context& context, const Filter& filter) : context_(context) {
  std::vector<double> weights;
  for (const Filter::Term& term : filter.terms) {
    bases_.emplace_back(context, term.base);
    weights.push_back(term.weight);
  }
  weights_ = coefficients(context, weights);
}

Tensor FilterRunner::run(const Tensor& x) const {
  std::vector<Tensor> parts;
  for (const BaseFilterRunner& base : bases_) {
    parts.push_back(Tensor::empty(context_, x.shape()));
    base.run(x, parts.back());
  }
  const Tensor y = Tensor::empty(context_, x.shape());
  combine(context_, parts, weights_, y);
  return y;
}

}  // namespace ebb
