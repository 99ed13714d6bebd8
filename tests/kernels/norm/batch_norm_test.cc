#include "kernels/norm/batch_norm.h"

#include <array>
#include <cmath>
#include <numeric>
#include <utility>
#include <vector>

#include "base/error.h"
#include "testing/backend.h"
#include "testing/catch.h"
#include "testing/compare.h"
#include "testing/cpu_stream.h"
#include "testing/gradcheck.h"
#include "testing/op_cases.h"
#include "testing/random_data.h"
#include "testing/reference/batch_norm.h"

namespace ebb::test {
namespace {

constexpr std::array kActivations = {Activation::kNone, Activation::kGelu, Activation::kSilu,
                                     Activation::kGeluTanh};
constexpr float kBatchNormEps = 1e-5f, kMomentum = 0.1f;

struct Problem {
  int64_t rows, c;
  Activation activation;
  std::vector<float> x, gamma, beta, dy, running_mean, running_var;

  Problem(int64_t rows_in, int64_t c_in, Activation activation_in, double mean = 0.5,
          double deviation = 1.5)
      : rows(rows_in), c(c_in), activation(activation_in) {
    RandomData random(static_cast<uint64_t>(rows * 1000 + c));
    x = random.normal(rows * c, mean, deviation);
    gamma = random.uniform(c, 0.5, 1.5);
    beta = random.normal(c);
    dy = random.normal(rows * c);
    running_mean = random.normal(c);
    running_var = random.uniform(c, 0.5, 2);
  }

  reference::BatchNormProblem reference() const {
    return {rows, c, activation, kBatchNormEps, to_double(x), to_double(gamma), to_double(beta)};
  }
};

void* workspace(KernelCall& call, const Problem& p) {
  return call.scratch(current_kernels().batch_norm_workspace_bytes.fn(p.rows, p.c));
}

// Rows and channels that exercise every edge of the plans; emulated threads are too slow for more
// than the rows of the table.
std::vector<std::pair<int64_t, int64_t>> problem_sizes(const TestBackend& backend) {
  std::vector<std::pair<int64_t, int64_t>> sizes;
  for (const BatchNormCase& size : cases_of(CaseSet::kEdge, kBatchNormCases)) {
    sizes.emplace_back(size.rows, size.c);
  }
  if (backend.emulated()) return sizes;
  for (const auto& more : {std::pair{65537, 3}, {70001, 16}, {9, 8200}}) sizes.push_back(more);
  for (int64_t c : {1, 3, 7, 10, 13, 64, 130}) {
    for (int64_t rows : {2, 17, 127, 128, 129, 1009}) sizes.emplace_back(rows, c);
  }
  return sizes;
}

struct Trained {
  std::vector<float> y, mean, rstd, running_mean, running_var;
};

// Moments of x in chunks that end before these rows, as a producer would report them.
std::vector<RowMoments> moments_of(const Problem& p, const std::vector<int64_t>& ends) {
  std::vector<RowMoments> moments;
  int64_t first = 0;
  for (int64_t end : ends) {
    for (int64_t c = 0; c < p.c; ++c) {
      double mean = 0, m2 = 0;
      const double count = static_cast<double>(end - first);
      for (int64_t r = first; r < end; ++r) mean += p.x[r * p.c + c] / count;
      for (int64_t r = first; r < end; ++r) m2 += std::pow(p.x[r * p.c + c] - mean, 2);
      const float near = static_cast<float>(mean);
      moments.push_back({static_cast<float>(count), near, static_cast<float>(mean - near),
                         static_cast<float>(m2)});
    }
    first = end;
  }
  return moments;
}

Trained train(const Problem& p, int threads = 1, bool in_place = false,
              const std::vector<RowMoments>& moments = {}) {
  const size_t c = static_cast<size_t>(p.c);
  Trained t = {p.x, std::vector<float>(c, NAN), std::vector<float>(c, NAN), p.running_mean,
               p.running_var};
  if (!in_place) std::fill(t.y.begin(), t.y.end(), NAN);
  KernelCall call;
  float* y = in_place ? call.inout(t.y) : call.out(t.y);
  call.run(
      &KernelTable::batch_norm_train,
      {p.rows, p.c, DType::kF32, p.activation, kBatchNormEps, kMomentum,
       in_place ? y : call.in(p.x), call.in(p.gamma), call.in(p.beta), call.inout(t.running_mean),
       call.inout(t.running_var), y, call.out(t.mean), call.out(t.rstd), workspace(call, p),
       moments.empty() ? nullptr : call.in(moments), static_cast<int64_t>(moments.size()) / p.c},
      threads);
  return t;
}

std::vector<float> infer(const Problem& p, int threads = 1, bool in_place = false) {
  std::vector<float> y = in_place ? p.x : std::vector<float>(p.x.size(), NAN);
  KernelCall call;
  float* result = in_place ? call.inout(y) : call.out(y);
  call.run(
      &KernelTable::batch_norm_infer,
      {p.rows, p.c, DType::kF32, p.activation, kBatchNormEps, in_place ? result : call.in(p.x),
       call.in(p.gamma), call.in(p.beta), call.in(p.running_mean), call.in(p.running_var), result},
      threads);
  return y;
}

struct Gradients {
  std::vector<float> dx, dgamma, dbeta;
};

Gradients backward(const Problem& p, const std::vector<float>& mean, const std::vector<float>& rstd,
                   int threads = 1, bool in_place = false) {
  const size_t c = static_cast<size_t>(p.c);
  Gradients g = {in_place ? p.dy : std::vector<float>(p.dy.size(), NAN), std::vector<float>(c, NAN),
                 std::vector<float>(c, NAN)};
  KernelCall call;
  float* dx = in_place ? call.inout(g.dx) : call.out(g.dx);
  call.run(&KernelTable::batch_norm_backward,
           {p.rows, p.c, DType::kF32, p.activation, call.in(p.x), call.in(p.gamma), call.in(p.beta),
            call.in(mean), call.in(rstd), in_place ? dx : call.in(p.dy), dx, call.out(g.dgamma),
            call.out(g.dbeta), workspace(call, p)},
           threads);
  return g;
}

// Error that z, or act(z), may have: a few roundings of each of its terms.
std::vector<double> z_magnitudes(const Problem& p, const reference::BatchNormStatistics& s) {
  std::vector<double> magnitudes = reference::normalize(p.reference(), s);
  for (size_t i = 0; i < magnitudes.size(); ++i) {
    const size_t c = i % static_cast<size_t>(p.c);
    magnitudes[i] = p.gamma[c] * (std::fabs(magnitudes[i]) + 1) + std::fabs(p.beta[c]) + 1;
  }
  return magnitudes;
}

void check_training(const Problem& p, const std::vector<RowMoments>& moments = {}) {
  CAPTURE(p.rows, p.c, to_string(p.activation));
  const reference::BatchNormStatistics s = reference::batch_statistics(p.reference());
  const Trained t = train(p, 1, false, moments);
  std::vector<double> rstd, running_mean, running_var, mean_limit;
  const double unbias = static_cast<double>(p.rows) / static_cast<double>(p.rows - (p.rows > 1));
  for (size_t c = 0; c < s.mean.size(); ++c) {
    rstd.push_back(1 / std::sqrt(s.var[c] + kBatchNormEps));
    running_mean.push_back((1 - kMomentum) * p.running_mean[c] + kMomentum * s.mean[c]);
    running_var.push_back((1 - kMomentum) * p.running_var[c] + kMomentum * s.var[c] * unbias);
    mean_limit.push_back(std::fabs(s.mean[c]) + std::sqrt(s.var[c]) + std::fabs(running_mean[c]));
  }
  CHECK(compare_sums(t.mean, s.mean, mean_limit, 2) == "");
  CHECK(compare_sums(t.running_mean, running_mean, mean_limit, 2) == "");
  CHECK(compare(t.rstd, rstd, {0, 8 * kEps32}) == "");
  CHECK(compare(t.running_var, running_var, {0, 16 * kEps32}) == "");
  const std::vector<double> y = reference::batch_norm(p.reference(), s);
  CHECK(compare_sums(t.y, y, z_magnitudes(p, s), 6) == "");
  CHECK(nmse(t.y, y) < 1e-12);
}

TEST_CASE("batch_norm: training normalizes with the batch's own statistics", "[kernels]") {
  const TestBackend backend(GENERATE(from_range(test_backends())));
  CAPTURE(backend.name());
  const Activation activation = GENERATE(from_range(kActivations));
  for (const auto& [rows, c] : problem_sizes(backend)) check_training({rows, c, activation});
}

TEST_CASE("batch_norm: a large common offset costs no accuracy in training", "[kernels]") {
  const TestBackend backend(GENERATE(from_range(test_backends())));
  CAPTURE(backend.name());
  const int64_t rows = backend.emulated() ? 1501 : 20011;
  check_training({rows, 13, Activation::kGelu, 1e4, 1});
  check_training({rows, 13, Activation::kNone, -1e4, 1});
}

TEST_CASE("batch_norm: an outlier in the first row does not spoil the statistics", "[kernels]") {
  const TestBackend backend(GENERATE(from_range(test_backends())));
  if (!backend.has_fma()) return;  // one rounding more than the limit of check_training()
  Problem p(backend.emulated() ? 1003 : 5003, 10, Activation::kNone, 100, 1);
  for (int64_t c = 0; c < p.c; ++c) p.x[c] = -1e5f;
  check_training(p);
}

TEST_CASE("batch_norm: moments from the producer are as good as the rows", "[kernels]") {
  const TestBackend backend(GENERATE(from_range(test_backends())));
  CAPTURE(backend.name());
  const Problem p(300, 13, Activation::kGelu), far(300, 13, Activation::kNone, 1e4, 1);
  const std::vector<RowMoments> moments = moments_of(p, {64, 128, 128, 131, 300});
  if (!backend.emulated()) {  // its convolutions report none
    CHECK_THROWS_AS(train(p, 1, false, moments), Error);
    return;
  }
  check_training(p, moments);
  check_training(far, moments_of(far, {1, 65, 257, 300}));
  std::vector<int64_t> every;
  for (int64_t row = 1; row <= 300; ++row) every.push_back(row);
  check_training(p, moments_of(p, every));
  const Problem many(2100, 3, Activation::kNone);  // more chunks than a block loads at once
  for (int64_t row = 301; row <= many.rows; ++row) every.push_back(row);
  check_training(many, moments_of(many, every));
  // It uses the given moments; the means of the chunks differ as before.
  std::vector<RowMoments> other = moments;
  for (RowMoments& m : other) m.m2 *= 4;
  const Trained own = train(p), given = train(p, 1, false, other);
  for (size_t c = 0; c < 13; ++c) CHECK(given.rstd[c] < 0.55f * own.rstd[c]);
}

TEST_CASE("batch_norm: a single row keeps everything finite", "[kernels]") {
  const TestBackend backend(GENERATE(from_range(test_backends())));
  Problem p(1, 13, Activation::kNone);
  const Trained t = train(p);
  CHECK(compare_bits(t.y, p.beta) == "");
  CHECK(compare_bits(t.mean, p.x) == "");
  for (size_t c = 0; c < t.mean.size(); ++c) {
    CHECK(t.running_var[c] == Approx(0.9f * p.running_var[c]));
  }
  const Gradients g = backward(p, t.mean, t.rstd);
  for (size_t c = 0; c < 13; ++c) {  // dz - dbeta / 1, up to the roundings of both
    CHECK(std::fabs(g.dx[c]) <= 4 * kEps32 * p.gamma[c] * t.rstd[c] * std::fabs(p.dy[c]));
  }
  CHECK(compare_bits(g.dbeta, p.dy) == "");
}

TEST_CASE("batch_norm: no rows are refused", "[kernels]") {
  CHECK_THROWS_AS(current_kernels().batch_norm_workspace_bytes.fn(0, 3), ShapeError);
  CHECK_THROWS_AS(train(Problem(0, 3, Activation::kNone)), ShapeError);
}

TEST_CASE("batch_norm: a NaN reaches the statistics of its channel only", "[kernels]") {
  Problem p(300, 5, Activation::kGelu);
  p.x[7 * 5 + 2] = NAN;
  const Trained t = train(p);
  for (size_t c = 0; c < 5; ++c) {
    CHECK(std::isnan(t.mean[c]) == (c == 2));
    CHECK(std::isnan(t.running_var[c]) == (c == 2));
    CHECK(std::isnan(t.y[c]) == (c == 2));
  }
}

TEST_CASE("batch_norm: inference uses the running statistics", "[kernels]") {
  const TestBackend backend(GENERATE(from_range(test_backends())));
  const Activation activation = GENERATE(from_range(kActivations));
  CAPTURE(backend.name(), to_string(activation));
  for (int64_t c : {1, 3, 7, 10, 13, 64, 130, 300}) {
    const Problem p(211, c, activation);
    CAPTURE(c);
    const reference::BatchNormStatistics s = {to_double(p.running_mean), to_double(p.running_var)};
    const std::vector<double> y = reference::batch_norm(p.reference(), s);
    CHECK(compare_sums(infer(p), y, z_magnitudes(p, s), 6) == "");
    CHECK(nmse(infer(p), y) < 1e-12);
  }
}

TEST_CASE("batch_norm: inference of a row does not depend on the other rows", "[kernels]") {
  const TestBackend backend(GENERATE(from_range(test_backends())));
  CAPTURE(backend.name());
  const Problem all(5 * 784, 13, Activation::kGelu);
  const std::vector<float> y = infer(all);
  for (int64_t image : {0, 3}) {
    Problem one = all;
    one.rows = 784;
    const int64_t first = image * 784 * 13;
    one.x.assign(all.x.begin() + first, all.x.begin() + first + 784 * 13);
    CHECK(compare_bits(infer(one), std::span(y).subspan(static_cast<size_t>(first), 784 * 13)) ==
          "");
  }
}

void check_gradients(const Problem& p) {
  CAPTURE(p.rows, p.c, to_string(p.activation));
  const reference::BatchNormProblem problem = p.reference();
  const reference::BatchNormStatistics s = reference::batch_statistics(problem);
  const size_t channels = static_cast<size_t>(p.c);
  std::vector<float> mean, rstd;
  for (size_t c = 0; c < channels; ++c) {
    mean.push_back(static_cast<float>(s.mean[c]));
    rstd.push_back(static_cast<float>(1 / std::sqrt(s.var[c] + kBatchNormEps)));
  }
  const reference::BatchNormGradients expected =
      reference::batch_norm_backward(problem, s, to_double(p.dy));

  // Errors of one element, in roundoffs: of the normalized value (the saved mean is f32) and of dz.
  const std::vector<double> xh = reference::normalize(problem, s);
  std::vector<double> dbeta_limit(channels), dgamma_limit(channels), dx_limit(xh.size());
  const auto xh_size = [&](size_t i) {
    const size_t c = i % channels;
    return std::fabs(xh[i]) + 1 + std::fabs(mean[c]) * rstd[c];
  };
  const auto dz_size = [&](size_t i) {
    const size_t c = i % channels;
    return std::fabs(p.dy[i]) * (1 + p.gamma[c] * xh_size(i) + std::fabs(p.beta[c]));
  };
  for (size_t i = 0; i < xh.size(); ++i) {
    dbeta_limit[i % channels] += dz_size(i);
    dgamma_limit[i % channels] += dz_size(i) * xh_size(i);
  }
  const double rows = static_cast<double>(p.rows);
  for (size_t i = 0; i < xh.size(); ++i) {
    const size_t c = i % channels;
    dx_limit[i] = p.gamma[c] * rstd[c] *
                  (dz_size(i) + dbeta_limit[c] / rows + xh_size(i) * dgamma_limit[c] / rows);
  }
  const Gradients g = backward(p, mean, rstd);
  CHECK(compare_sums(g.dbeta, expected.dbeta, dbeta_limit, 4) == "");
  CHECK(compare_sums(g.dgamma, expected.dgamma, dgamma_limit, 4) == "");
  CHECK(compare_sums(g.dx, expected.dx, dx_limit, 4) == "");
}

TEST_CASE("batch_norm: backward follows the definition", "[kernels]") {
  const TestBackend backend(GENERATE(from_range(test_backends())));
  const Activation activation = GENERATE(from_range(kActivations));
  CAPTURE(backend.name());
  for (const auto& [rows, c] : problem_sizes(backend)) check_gradients({rows, c, activation});
  check_gradients({backend.emulated() ? 1501 : 20011, 13, activation, 1e4, 1});
}

TEST_CASE("batch_norm: threads do not change a bit", "[kernels]") {
  const TestBackend backend(GENERATE(from_range(test_backends())));
  CAPTURE(backend.name());
  const Problem p(backend.emulated() ? 500 : 20011, 13, Activation::kGelu);
  const Trained one = train(p);
  const Gradients g = backward(p, one.mean, one.rstd);
  for (int threads : kThreadCounts) {
    const Trained several = train(p, threads);
    CHECK(compare_bits(several.y, one.y) == "");
    CHECK(compare_bits(several.mean, one.mean) == "");
    CHECK(compare_bits(several.rstd, one.rstd) == "");
    CHECK(compare_bits(several.running_mean, one.running_mean) == "");
    CHECK(compare_bits(several.running_var, one.running_var) == "");
    CHECK(compare_bits(infer(p, threads), infer(p)) == "");
    const Gradients other = backward(p, one.mean, one.rstd, threads);
    CHECK(compare_bits(other.dx, g.dx) == "");
    CHECK(compare_bits(other.dgamma, g.dgamma) == "");
    CHECK(compare_bits(other.dbeta, g.dbeta) == "");
  }
}

TEST_CASE("batch_norm: y may be x and dx may be dy", "[kernels]") {
  const TestBackend backend(GENERATE(from_range(test_backends())));
  const Problem p(1009, GENERATE(12, 13), GENERATE(from_range(kActivations)));
  const Trained t = train(p);
  CHECK(compare_bits(train(p, 1, true).y, t.y) == "");
  CHECK(compare_bits(infer(p, 1, true), infer(p)) == "");
  CHECK(compare_bits(backward(p, t.mean, t.rstd, 1, true).dx, backward(p, t.mean, t.rstd).dx) ==
        "");
}

TEST_CASE("batch_norm: reference gradients are derivatives of the reference", "[kernels]") {
  const Problem p(7, 3, GENERATE(from_range(kActivations)));
  const reference::BatchNormProblem problem = p.reference();
  const std::vector<double> dy = to_double(p.dy);
  const auto g = reference::batch_norm_backward(problem, reference::batch_statistics(problem), dy);
  const auto loss_of = [&](std::vector<double> reference::BatchNormProblem::*member) {
    return [&problem, &dy, member](std::span<const double> at) {
      reference::BatchNormProblem moved = problem;
      (moved.*member).assign(at.begin(), at.end());
      return inner_product(reference::batch_norm(moved, reference::batch_statistics(moved)), dy);
    };
  };
  using reference::BatchNormProblem;
  CHECK(gradcheck(loss_of(&BatchNormProblem::x), problem.x, g.dx) == "");
  CHECK(gradcheck(loss_of(&BatchNormProblem::gamma), problem.gamma, g.dgamma) == "");
  CHECK(gradcheck(loss_of(&BatchNormProblem::beta), problem.beta, g.dbeta) == "");
}

}  // namespace
}  // namespace ebb::test
