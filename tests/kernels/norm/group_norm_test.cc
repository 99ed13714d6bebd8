#include "kernels/norm/group_norm.h"

#include <array>
#include <cmath>
#include <vector>

#include "base/error.h"
#include "testing/backend.h"
#include "testing/catch.h"
#include "testing/compare.h"
#include "testing/gradcheck.h"
#include "testing/op_cases.h"
#include "testing/random_data.h"
#include "testing/reference/group_norm.h"
#include "testing/storage.h"

namespace ebb::test {
namespace {

constexpr std::array kActivations = {Activation::kNone, Activation::kGelu, Activation::kSilu,
                                     Activation::kGeluTanh};
constexpr float kNormEps = 1e-5f;

struct Problem {
  GroupNormSize size;
  Activation activation;
  bool with_scale;
  std::vector<float> x, gamma, beta, scale, shift, dy;

  Problem(const GroupNormSize& size_in, Activation activation_in, bool with_scale_in,
          double mean = 0.5)
      : size(size_in), activation(activation_in), with_scale(with_scale_in) {
    RandomData random(static_cast<uint64_t>(size.pixels * 1000 + size.c));
    x = random.normal(size.n * size.pixels * size.c, mean, 1.5);
    gamma = random.uniform(size.c, 0.5, 1.5);
    beta = random.normal(size.c);
    dy = random.normal(size.n * size.pixels * size.c);
    scale = random.normal(with_scale ? size.n * size.c : 0, 0, 0.3);
    shift = random.normal(with_scale ? size.n * size.c : 0);
  }

  reference::GroupNormProblem reference() const {
    return {size,
            activation,
            kNormEps,
            to_double(x),
            to_double(gamma),
            to_double(beta),
            to_double(scale),
            to_double(shift)};
  }
};

struct Output {
  std::vector<float> y, mean, rstd;
};

const float* optional(KernelCall& call, const std::vector<float>& values) {
  return values.empty() ? nullptr : call.in(values);
}

Output forward(const Problem& p, DType dtype = DType::kF32, int threads = 1,
               bool in_place = false) {
  const size_t groups = static_cast<size_t>(p.size.n * p.size.groups);
  Output result = {p.x, std::vector<float>(groups, NAN), std::vector<float>(groups, NAN)};
  std::vector<uint16_t> bits = to_storage(p.x, dtype), bits_out(bits.size());
  KernelCall call;
  const void* x = dtype != DType::kF32 ? static_cast<const void*>(call.in(bits))
                  : in_place           ? static_cast<const void*>(call.inout(result.y))
                                       : static_cast<const void*>(call.in(p.x));
  void* y = dtype != DType::kF32 ? static_cast<void*>(call.out(bits_out))
            : in_place           ? static_cast<void*>(call.inout(result.y))
                                 : static_cast<void*>(call.out(result.y));
  call.run(&KernelTable::group_norm_forward,
           {p.size, dtype, p.activation, kNormEps, x, call.in(p.gamma), call.in(p.beta),
            optional(call, p.scale), optional(call, p.shift), y, call.out(result.mean),
            call.out(result.rstd),
            call.scratch(current_kernels().group_norm_forward_workspace_bytes.fn(p.size))},
           threads);
  if (dtype != DType::kF32) result.y = from_storage(bits_out, dtype);
  return result;
}

struct Gradients {
  std::vector<float> dx, dgamma, dbeta, dscale, dshift;
};

Gradients backward(const Problem& p, const Output& out, int threads = 1) {
  const size_t c = p.gamma.size();
  Gradients g = {std::vector<float>(p.x.size(), NAN), std::vector<float>(c, NAN),
                 std::vector<float>(c, NAN), std::vector<float>(p.scale.size(), NAN),
                 std::vector<float>(p.shift.size(), NAN)};
  KernelCall call;
  call.run(
      &KernelTable::group_norm_backward,
      {p.size, DType::kF32, p.activation, call.in(p.x), call.in(p.gamma), call.in(p.beta),
       optional(call, p.scale), optional(call, p.shift), call.in(out.mean), call.in(out.rstd),
       call.in(p.dy), call.out(g.dx), call.out(g.dgamma), call.out(g.dbeta),
       p.with_scale ? call.out(g.dscale) : nullptr, p.with_scale ? call.out(g.dshift) : nullptr,
       call.scratch(current_kernels().group_norm_workspace_bytes.fn(p.size))},
      threads);
  return g;
}

TEST_CASE("group_norm: forward follows the definition", "[kernels]") {
  const TestBackend backend(GENERATE(from_range(test_backends())));
  const Activation activation = GENERATE(from_range(kActivations));
  const bool with_scale = GENERATE(false, true);
  CAPTURE(backend.name(), to_string(activation), with_scale);
  for (const auto& [set, name, size] : cases_of(CaseSet::kEdge, kGroupNormCases)) {
    CAPTURE(name);
    const Problem p(size, activation, with_scale);
    const std::vector<double> y = reference::group_norm(p.reference());
    // The activation's argument is a sum of three products of O(1) factors, each a few roundings.
    CHECK(compare(forward(p).y, y, {40 * kEps32, 8 * kEps32}) == "");
    CHECK(nmse(forward(p).y, y) < 1e-12);
  }
}

TEST_CASE("group_norm: 16-bit storage rounds inputs and outputs and nothing between", "[kernels]") {
  const TestBackend backend(GENERATE(from_range(test_backends())));
  if (!backend.emulated()) return;  // CPU kernels store f32 only
  const DType dtype = GENERATE(DType::kBF16, DType::kF16);
  CAPTURE(to_string(dtype));
  for (const auto& [set, name, size] : cases_of(CaseSet::kEdge, kGroupNormCases)) {
    CAPTURE(name);
    Problem p(size, Activation::kSilu, true);
    p.x = rounded(p.x, dtype);
    const double eps = roundoff(dtype);
    CHECK(compare(forward(p, dtype).y, reference::group_norm(p.reference()),
                  {40 * kEps32, 1.01 * eps}) == "");
  }
}

TEST_CASE("group_norm: a large common offset costs no accuracy", "[kernels]") {
  const TestBackend backend(GENERATE(from_range(test_backends())));
  for (const GroupNormSize& size :
       {GroupNormSize{1, 100, 12, 3}, GroupNormSize{1, 50, 12, 3}, GroupNormSize{1, 300, 80, 2}}) {
    const Problem p(size, Activation::kNone, false, 1e4);
    const std::vector<double> y = reference::group_norm(p.reference());
    CHECK(nmse(forward(p).y, y) < 1e-12);
  }
}

TEST_CASE("group_norm: gradients are the derivatives of the definition", "[kernels]") {
  const TestBackend backend(GENERATE(from_range(test_backends())));
  const Activation activation = GENERATE(from_range(kActivations));
  const bool with_scale = GENERATE(false, true);
  CAPTURE(backend.name(), to_string(activation), with_scale);
  // The last has more rows than one sum of the parameters' gradients takes.
  for (const GroupNormSize& size :
       {GroupNormSize{2, 9, 8, 4}, GroupNormSize{3, 1, 33, 1}, GroupNormSize{150, 1, 5, 1}}) {
    const Problem p(size, activation, with_scale);
    const Gradients g = backward(p, forward(p));
    const reference::GroupNormProblem problem = p.reference();
    const std::vector<double> dy = to_double(p.dy);
    const auto loss_of = [&](std::vector<double> reference::GroupNormProblem::*member) {
      return [&problem, &dy, member](std::span<const double> at) {
        reference::GroupNormProblem moved = problem;
        (moved.*member).assign(at.begin(), at.end());
        return inner_product(reference::group_norm(moved), dy);
      };
    };
    using P = reference::GroupNormProblem;
    CHECK(gradcheck(loss_of(&P::x), problem.x, to_double(g.dx)) == "");
    CHECK(gradcheck(loss_of(&P::gamma), problem.gamma, to_double(g.dgamma)) == "");
    CHECK(gradcheck(loss_of(&P::beta), problem.beta, to_double(g.dbeta)) == "");
    CHECK(gradcheck(loss_of(&P::scale), problem.scale, to_double(g.dscale)) == "");
    CHECK(gradcheck(loss_of(&P::shift), problem.shift, to_double(g.dshift)) == "");
  }
}

TEST_CASE("group_norm: y may be x; threads change no bit; bad groups are refused", "[kernels]") {
  const TestBackend backend(GENERATE(from_range(test_backends())));
  const GroupNormSize size = GENERATE(GroupNormSize{3, 25, 12, 3}, GroupNormSize{3, 130, 72, 3});
  const Problem p(size, Activation::kSilu, true);
  const Output out = forward(p);
  CHECK(compare_bits(forward(p, DType::kF32, 3).y, out.y) == "");
  CHECK(compare_bits(forward(p, DType::kF32, 1, true).y, out.y) == "");
  CHECK(compare_bits(backward(p, out, 3).dx, backward(p, out).dx) == "");
  CHECK_THROWS_AS(current_kernels().group_norm_workspace_bytes.fn({1, 1, 10, 3}), ShapeError);
}

TEST_CASE("group_norm: mean and rstd are the groups'; an image does not depend on its batch",
          "[kernels]") {
  const TestBackend backend(GENERATE(from_range(test_backends())));
  const GroupNormSize size = GENERATE(GroupNormSize{3, 25, 12, 3}, GroupNormSize{3, 300, 136, 2});
  const Problem p(size, Activation::kNone, false);
  const Output out = forward(p);
  const int64_t image = size.pixels * size.c, width = size.group_channels();
  const double count = static_cast<double>(size.pixels * width);
  std::vector<double> means, rstds;
  for (int64_t task = 0; task < size.n * size.groups; ++task) {
    double mean = 0, squares = 0;
    const auto for_each = [&](const auto& visit) {
      for (int64_t i = 0; i < size.pixels * width; ++i) {
        const int64_t c = task % size.groups * width + i % width;
        visit(double{p.x[task / size.groups * image + i / width * size.c + c]});
      }
    };
    for_each([&](double value) { mean += value / count; });
    for_each([&](double value) { squares += (value - mean) * (value - mean) / count; });
    means.push_back(mean);
    rstds.push_back(1 / std::sqrt(squares + kNormEps));
  }
  CHECK(compare(out.mean, means, {kEps32, 2 * kEps32}) == "");
  CHECK(compare(out.rstd, rstds, {0, 8 * kEps32}) == "");

  Problem last = p;
  last.size.n = 1;
  last.x.erase(last.x.begin(), last.x.begin() + 2 * image);
  const std::vector<float> of_last(out.y.begin() + 2 * image, out.y.end());
  CHECK(compare_bits(forward(last).y, of_last) == "");
}

}  // namespace
}  // namespace ebb::test
