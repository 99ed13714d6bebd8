#include "kernels/norm/layer_norm.h"

#include <array>
#include <cmath>
#include <vector>

#include "testing/backend.h"
#include "testing/catch.h"
#include "testing/compare.h"
#include "testing/cpu_stream.h"
#include "testing/gradcheck.h"
#include "testing/op_cases.h"
#include "testing/random_data.h"
#include "testing/reference/layer_norm.h"
#include "testing/storage.h"

namespace ebb::test {
namespace {

constexpr float kEps = 1e-5f;

// PyTorch's elementwise_affine=False, bias=False, and both parameters.
enum class Affine { kNone, kGamma, kGammaAndBeta };
constexpr std::array kAffines = {Affine::kNone, Affine::kGamma, Affine::kGammaAndBeta};

struct Problem {
  int64_t rows, c;
  std::vector<float> x, gamma, beta, dy;

  Problem(int64_t rows_in, int64_t c_in, Affine affine = Affine::kGammaAndBeta, double mean = 0.5)
      : rows(rows_in), c(c_in) {
    RandomData random(static_cast<uint64_t>(rows * 1000 + c));
    x = random.normal(rows * c, mean, 2);
    dy = random.normal(rows * c);
    if (affine != Affine::kNone) gamma = random.uniform(c, 0.5, 2);
    if (affine == Affine::kGammaAndBeta) beta = random.normal(c);
  }

  reference::LayerNormProblem reference() const {
    return {rows, c, kEps, to_double(x), to_double(gamma), to_double(beta)};
  }
};

const float* optional(KernelCall& call, const std::vector<float>& values) {
  return values.empty() ? nullptr : call.in(values);
}
float* optional_out(KernelCall& call, std::vector<float>& values) {
  return values.empty() ? nullptr : call.out(values);
}

struct Output {
  std::vector<float> y, mean, rstd;
};

Output forward(const Problem& p, int threads = 1, bool in_place = false) {
  const std::vector<float> empty(static_cast<size_t>(p.rows), NAN);
  Output result{in_place ? p.x : std::vector<float>(p.x.size(), NAN), empty, empty};
  KernelCall call;
  float* y = in_place ? call.inout(result.y) : call.out(result.y);
  call.run(&KernelTable::layer_norm_forward,
           {p.rows, p.c, DType::kF32, kEps, in_place ? y : call.in(p.x), optional(call, p.gamma),
            optional(call, p.beta), y, call.out(result.mean), call.out(result.rstd)},
           threads);
  return result;
}

struct Gradients {
  std::vector<float> dx, dgamma, dbeta;
};

Gradients backward(const Problem& p, int threads = 1, bool in_place = false) {
  const Output out = forward(p);
  Gradients g{in_place ? p.dy : std::vector<float>(p.dy.size(), NAN),
              std::vector<float>(p.gamma.size(), NAN), std::vector<float>(p.beta.size(), NAN)};
  KernelCall call;
  float* dx = in_place ? call.inout(g.dx) : call.out(g.dx);
  call.run(&KernelTable::layer_norm_backward,
           {p.rows, p.c, DType::kF32, call.in(p.x), optional(call, p.gamma), call.in(out.mean),
            call.in(out.rstd), in_place ? dx : call.in(p.dy), dx, optional_out(call, g.dgamma),
            optional_out(call, g.dbeta),
            call.scratch(current_kernels().layer_norm_workspace_bytes.fn(p.rows, p.c))},
           threads);
  return g;
}

TEST_CASE("layer_norm: forward follows the definition, with and without its parameters",
          "[kernels]") {
  const TestBackend backend(GENERATE(from_range(test_backends())));
  const Affine affine = GENERATE(from_range(kAffines));
  for (const LayerNormCase& size : cases_of(CaseSet::kEdge, kLayerNormCases)) {
    if (backend.emulated() && size.rows > 1000) continue;  // slow, and for the gradients
    CAPTURE(backend.name(), size.name, static_cast<int>(affine));
    const Problem p(size.rows, size.c, affine);
    const std::vector<double> y = reference::layer_norm(p.reference());
    const Output out = forward(p);
    // A sum of a product of O(1) factors and a parameter, each a few roundings.
    CHECK(compare(out.y, y, {24 * kEps32, 8 * kEps32}) == "");
    CHECK(nmse(out.y, y) < 1e-12);
    CHECK(compare_bits(forward(p, 3).y, out.y) == "");
    CHECK(compare_bits(forward(p, 1, true).y, out.y) == "");
  }
}

TEST_CASE("layer_norm: a large common offset costs no accuracy", "[kernels]") {
  const TestBackend backend(GENERATE(from_range(test_backends())));
  const Problem p(3, 700, Affine::kGammaAndBeta, 1e4);
  CHECK(nmse(forward(p).y, reference::layer_norm(p.reference())) < 1e-12);
}

TEST_CASE("layer_norm: a row of equal numbers is beta", "[kernels]") {
  const TestBackend backend(GENERATE(from_range(test_backends())));
  Problem p(2, 40);
  std::fill(p.x.begin(), p.x.end(), 3.0f);
  const std::vector<float> y = forward(p).y;
  CHECK(compare_bits(std::span(y).first(40), p.beta) == "");
  CHECK(compare_bits(std::span(y).last(40), p.beta) == "");
}

TEST_CASE("layer_norm: gradients are the derivatives of the definition", "[kernels]") {
  const TestBackend backend(GENERATE(from_range(test_backends())));
  const Affine affine = GENERATE(from_range(kAffines));
  for (const auto& [rows, c] : {std::pair<int64_t, int64_t>{1, 1}, {3, 7}, {5, 32}, {2, 41}}) {
    CAPTURE(backend.name(), rows, c, static_cast<int>(affine));
    const Problem p(rows, c, affine);
    const Gradients g = backward(p);
    const reference::LayerNormProblem problem = p.reference();
    const std::vector<double> dy = to_double(p.dy);
    using P = reference::LayerNormProblem;
    const auto loss_of = [&](std::vector<double> P::*member) {
      return [&problem, &dy, member](std::span<const double> at) {
        P moved = problem;
        (moved.*member).assign(at.begin(), at.end());
        return inner_product(reference::layer_norm(moved), dy);
      };
    };
    CHECK(gradcheck(loss_of(&P::x), problem.x, to_double(g.dx)) == "");
    CHECK(gradcheck(loss_of(&P::gamma), problem.gamma, to_double(g.dgamma)) == "");
    CHECK(gradcheck(loss_of(&P::beta), problem.beta, to_double(g.dbeta)) == "");
  }
}

TEST_CASE("layer_norm: gradients of many rows and channels add up", "[kernels]") {
  const TestBackend backend(GENERATE(from_range(test_backends())));
  for (const LayerNormCase& size : cases_of(CaseSet::kEdge, kLayerNormCases)) {
    if (backend.emulated() && size.rows > 1000) continue;  // as many chunks, at a price
    CAPTURE(backend.name(), size.name);
    const Problem p(size.rows, size.c);
    const Gradients g = backward(p);
    const reference::LayerNormGradients expected =
        reference::layer_norm_backward(p.reference(), to_double(p.dy));
    // Every term rounds a few times; sums are in double.
    CHECK(compare_sums(g.dx, expected.dx, expected.dx_magnitude, 4) == "");
    CHECK(compare_sums(g.dgamma, expected.dgamma, expected.dgamma_magnitude, 4) == "");
    CHECK(compare_sums(g.dbeta, expected.dbeta, expected.dbeta_magnitude, 1) == "");
    for (const int threads : kThreadCounts) {
      const Gradients several = backward(p, threads);
      CHECK(compare_bits(several.dgamma, g.dgamma) == "");
      CHECK(compare_bits(several.dbeta, g.dbeta) == "");
      CHECK(compare_bits(several.dx, g.dx) == "");
    }
  }
}

TEST_CASE("layer_norm: the gradient may be written over dy", "[kernels]") {
  const TestBackend backend(GENERATE(from_range(test_backends())));
  const Problem p(5, 40);
  const Gradients expected = backward(p), in_place = backward(p, 1, true);
  CHECK(compare_bits(in_place.dx, expected.dx) == "");
  CHECK(compare_bits(in_place.dgamma, expected.dgamma) == "");
  CHECK(compare_bits(in_place.dbeta, expected.dbeta) == "");
}

TEST_CASE("layer_norm: 16-bit storage rounds inputs and outputs only", "[kernels]") {
  const TestBackend backend(GENERATE(from_range(test_backends())));
  if (!backend.emulated()) return;  // CPU kernels store f32 only
  const DType dtype = GENERATE(DType::kBF16, DType::kF16);
  Problem p(3, 300);
  p.x = rounded(p.x, dtype);
  p.dy = rounded(p.dy, dtype);
  const Output out = forward(p);
  const std::vector<uint16_t> x = to_storage(p.x, dtype), dy = to_storage(p.dy, dtype);
  std::vector<uint16_t> y(x.size()), dx(x.size());
  KernelCall norm;
  norm.run(&KernelTable::layer_norm_forward,
           {p.rows, p.c, dtype, kEps, norm.in(x), norm.in(p.gamma), norm.in(p.beta), norm.out(y),
            nullptr, nullptr});
  CHECK(y == to_storage(out.y, dtype));
  const Gradients expected = backward(p);
  Gradients g{{}, std::vector<float>(p.gamma.size(), NAN), std::vector<float>(p.beta.size(), NAN)};
  KernelCall call;
  call.run(&KernelTable::layer_norm_backward,
           {p.rows, p.c, dtype, call.in(x), call.in(p.gamma), call.in(out.mean), call.in(out.rstd),
            call.in(dy), call.out(dx), call.out(g.dgamma), call.out(g.dbeta),
            call.scratch(current_kernels().layer_norm_workspace_bytes.fn(p.rows, p.c))});
  CHECK(dx == to_storage(expected.dx, dtype));
  CHECK(compare_bits(g.dgamma, expected.dgamma) == "");
  CHECK(compare_bits(g.dbeta, expected.dbeta) == "");
}

}  // namespace
}  // namespace ebb::test
