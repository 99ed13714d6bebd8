#include "kernels/norm/rms_norm.h"

#include <cmath>
#include <vector>

#include "testing/backend.h"
#include "testing/catch.h"
#include "testing/compare.h"
#include "testing/cpu_stream.h"
#include "testing/gradcheck.h"
#include "testing/random_data.h"
#include "testing/storage.h"

namespace ebb::test {
namespace {

constexpr float kEps = 1e-5f;

struct Problem {
  int64_t rows, c;
  std::vector<float> x, gamma, dy;

  Problem(int64_t rows_in, int64_t c_in, uint64_t seed) : rows(rows_in), c(c_in) {
    RandomData random(seed);
    x = random.normal(rows * c, 0.5, 2);
    gamma = random.uniform(c, 0.5, 2);
    dy = random.normal(rows * c);
  }
};

struct Gradients {
  std::vector<float> dx, dgamma;
};

std::vector<float> rstd_of(const Problem& p) {
  std::vector<float> y(p.x.size()), rstd(static_cast<size_t>(p.rows), NAN);
  KernelCall call;
  call.run(&KernelTable::rms_norm_forward, {p.rows, p.c, DType::kF32, kEps, call.in(p.x),
                                            call.in(p.gamma), call.out(y), call.out(rstd)});
  return rstd;
}

Gradients backward(const Problem& p, int threads = 1) {
  const std::vector<float> rstd = rstd_of(p);
  Gradients result{std::vector<float>(p.x.size(), NAN), std::vector<float>(p.gamma.size(), NAN)};
  KernelCall call;
  call.run(&KernelTable::rms_norm_backward,
           {p.rows, p.c, DType::kF32, call.in(p.x), call.in(p.gamma), call.in(rstd), call.in(p.dy),
            call.out(result.dx), call.out(result.dgamma),
            call.scratch(current_kernels().rms_norm_workspace_bytes.fn(p.rows, p.c))},
           threads);
  return result;
}

// <y, dy> in double.
double loss(const Problem& p, std::span<const double> x, std::span<const double> gamma) {
  double total = 0;
  for (int64_t r = 0; r < p.rows; ++r) {
    double mean = 0;
    for (int64_t i = r * p.c; i < (r + 1) * p.c; ++i)
      mean += x[i] * x[i] / static_cast<double>(p.c);
    for (int64_t c = 0; c < p.c; ++c) {
      const int64_t i = r * p.c + c;
      total += x[i] / std::sqrt(mean + kEps) * gamma[c] * p.dy[i];
    }
  }
  return total;
}

TEST_CASE("rms_norm: gradients are the derivatives of the definition", "[kernels]") {
  const TestBackend backend(GENERATE(from_range(test_backends())));
  for (const auto& [rows, c] : {std::pair<int64_t, int64_t>{1, 1}, {3, 7}, {5, 32}, {2, 41}}) {
    CAPTURE(backend.name(), rows, c);
    const Problem p(rows, c, 1);
    const Gradients actual = backward(p);
    const std::vector<double> x = to_double(p.x), gamma = to_double(p.gamma);
    CHECK(gradcheck([&](std::span<const double> at) { return loss(p, at, gamma); }, x,
                    to_double(actual.dx)) == "");
    CHECK(gradcheck([&](std::span<const double> at) { return loss(p, x, at); }, gamma,
                    to_double(actual.dgamma)) == "");
  }
}

TEST_CASE("rms_norm: gradients of many rows and channels add up", "[kernels]") {
  const TestBackend backend(GENERATE(from_range(test_backends())));
  for (const auto& [rows, c] : {std::pair<int64_t, int64_t>{197, 33}, {3, 1000}, {17000, 3}}) {
    if (backend.emulated() && rows > 1000) continue;  // as many chunks, at a price
    CAPTURE(backend.name(), rows, c);
    const Problem p(rows, c, 2);
    const Gradients actual = backward(p);
    std::vector<double> dx, dgamma(p.gamma.size()), magnitude(p.gamma.size());
    for (int64_t r = 0; r < rows; ++r) {
      double squares = 0, products = 0;
      for (int64_t k = 0; k < c; ++k) squares += std::pow(p.x[r * c + k], 2);
      const double rstd = 1 / std::sqrt(squares / static_cast<double>(c) + kEps);
      for (int64_t k = 0; k < c; ++k) {
        const double xh = p.x[r * c + k] * rstd, dy = p.dy[r * c + k];
        products += dy * p.gamma[k] * xh;
        dgamma[k] += dy * xh;
        magnitude[k] += std::fabs(dy * xh);
      }
      for (int64_t k = 0; k < c; ++k) {
        const double xh = p.x[r * c + k] * rstd;
        dx.push_back(rstd *
                     (p.dy[r * c + k] * p.gamma[k] - xh * products / static_cast<double>(c)));
      }
    }
    // Terms of size 1 each round a few times; sums are in double.
    CHECK(compare(actual.dx, dx, {16 * kEps32, 8 * kEps32}) == "");
    CHECK(compare_sums(actual.dgamma, dgamma, magnitude, 4) == "");
    for (const int threads : kThreadCounts) {
      CHECK(compare_bits(backward(p, threads).dgamma, actual.dgamma) == "");
    }
  }
}

TEST_CASE("rms_norm: the gradient may be written over dy", "[kernels]") {
  const TestBackend backend(GENERATE(from_range(test_backends())));
  const Problem p(5, 40, 3);
  const Gradients expected = backward(p);
  const std::vector<float> rstd = rstd_of(p);
  std::vector<float> in_place = p.dy, dgamma(p.gamma.size());
  KernelCall call;
  call.run(&KernelTable::rms_norm_backward,
           {p.rows, p.c, DType::kF32, call.in(p.x), call.in(p.gamma), call.in(rstd),
            call.inout(in_place), call.inout(in_place), call.out(dgamma),
            call.scratch(current_kernels().rms_norm_workspace_bytes.fn(p.rows, p.c))});
  CHECK(compare_bits(in_place, expected.dx) == "");
  CHECK(compare_bits(dgamma, expected.dgamma) == "");
}

TEST_CASE("rms_norm: 16-bit gradients round inputs and outputs only", "[kernels]") {
  const TestBackend backend(GENERATE(from_range(test_backends())));
  if (!backend.emulated()) return;  // CPU kernels store f32 only
  const DType dtype = GENERATE(DType::kBF16, DType::kF16);
  Problem p(3, 40, 4);
  p.x = rounded(p.x, dtype);
  p.dy = rounded(p.dy, dtype);
  const Gradients expected = backward(p);
  const std::vector<float> rstd = rstd_of(p);
  const std::vector<uint16_t> x = to_storage(p.x, dtype), dy = to_storage(p.dy, dtype);
  std::vector<uint16_t> dx(x.size());
  std::vector<float> dgamma(p.gamma.size());
  KernelCall call;
  call.run(
      &KernelTable::rms_norm_backward,
      {p.rows, p.c, dtype, call.in(x), call.in(p.gamma), call.in(rstd), call.in(dy), call.out(dx),
       call.out(dgamma), call.scratch(current_kernels().rms_norm_workspace_bytes.fn(p.rows, p.c))});
  CHECK(dx == to_storage(expected.dx, dtype));
  CHECK(compare_bits(dgamma, expected.dgamma) == "");
}

}  // namespace
}  // namespace ebb::test
