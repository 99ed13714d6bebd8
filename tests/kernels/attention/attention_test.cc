#include "kernels/attention/attention.h"

#include <array>
#include <cmath>
#include <limits>
#include <vector>

#include "base/error.h"
#include "testing/backend.h"
#include "testing/catch.h"
#include "testing/compare.h"
#include "testing/gradcheck.h"
#include "testing/op_cases.h"
#include "testing/random_data.h"
#include "testing/reference/attention.h"
#include "testing/storage.h"

namespace ebb::test {
namespace {

AttentionSize dense(int64_t b, int64_t heads, int64_t d, int64_t queries, int64_t keys,
                    int64_t extra) {
  return {b, heads, d, queries, keys, extra, heads * d, heads * d, heads * d, heads * d};
}

struct Problem {
  AttentionSize size;
  float scale;
  std::vector<float> q, k, v, extra_k, extra_v, bias, d_o;

  explicit Problem(const AttentionSize& s, bool with_bias = false)
      : size(s), scale(1 / std::sqrt(static_cast<float>(s.d))) {
    RandomData random(static_cast<uint64_t>(s.d * 1000 + s.queries));
    q = random.normal(s.b * s.queries * s.heads * s.d);
    k = random.normal(s.b * s.keys * s.heads * s.d);
    v = random.normal(s.b * s.keys * s.heads * s.d);
    extra_k = random.normal(s.b * s.extra * s.heads * s.d);
    extra_v = random.normal(s.b * s.extra * s.heads * s.d);
    d_o = random.normal(s.b * s.queries * s.heads * s.d);
    if (with_bias) bias = random.normal(s.heads * s.queries * s.all_keys());
  }

  reference::AttentionProblem reference() const {
    return {size,
            scale,
            to_double(q),
            to_double(k),
            to_double(v),
            to_double(extra_k),
            to_double(extra_v),
            to_double(bias)};
  }
};

struct Output {
  std::vector<float> o, lse;
};

template <typename T>
const T* optional(KernelCall& call, const std::vector<T>& values) {
  return values.empty() ? nullptr : call.in(values);
}

Output forward(const Problem& p, int threads = 1) {
  const AttentionSize& s = p.size;
  Output result = {std::vector<float>(p.q.size(), NAN),
                   std::vector<float>(static_cast<size_t>(s.b * s.heads * s.queries), NAN)};
  KernelCall call;
  call.run(
      &KernelTable::attention_forward,
      {s, DType::kF32, p.scale, call.in(p.q), call.in(p.k), call.in(p.v), optional(call, p.extra_k),
       optional(call, p.extra_v), optional(call, p.bias), call.out(result.o), call.out(result.lse)},
      threads);
  return result;
}

struct Gradients {
  std::vector<float> dq, dk, dv, dextra_k, dextra_v;
};

Gradients backward(const Problem& p, const Output& out) {
  Gradients g = {std::vector<float>(p.q.size(), NAN), std::vector<float>(p.k.size(), NAN),
                 std::vector<float>(p.v.size(), NAN), std::vector<float>(p.extra_k.size(), NAN),
                 std::vector<float>(p.extra_v.size(), NAN)};
  KernelCall call;
  const bool extra = !p.extra_k.empty();
  call.run(
      &KernelTable::attention_backward,
      {p.size, DType::kF32, p.scale, call.in(p.q), call.in(p.k), call.in(p.v),
       optional(call, p.extra_k), optional(call, p.extra_v), optional(call, p.bias), call.in(out.o),
       call.in(out.lse), call.in(p.d_o), call.out(g.dq), call.out(g.dk), call.out(g.dv),
       extra ? call.out(g.dextra_k) : nullptr, extra ? call.out(g.dextra_v) : nullptr,
       call.scratch(attention_workspace_bytes(p.size))});
  return g;
}

TEST_CASE("attention: forward follows the definition with and without text keys", "[kernels]") {
  const TestBackend backend(GENERATE(from_range(test_backends())));
  const bool with_bias = GENERATE(false, true);
  CAPTURE(backend.name(), with_bias);
  for (const AttentionCase& c : cases_of(CaseSet::kEdge, kAttentionCases)) {
    CAPTURE(c.name);
    const Problem p(c.size(), with_bias);
    const std::vector<double> expected = reference::attention(p.reference());
    const Output out = forward(p);
    // Outputs are averages of N(0, 1); scores of a few units carry d roundings of their terms.
    CHECK(compare(out.o, expected, {128 * kEps32, 32 * kEps32}) == "");
    CHECK(nmse(out.o, expected) < 1e-11);
  }
}

TEST_CASE("attention: gradients are the derivatives of the definition", "[kernels]") {
  const TestBackend backend(GENERATE(from_range(test_backends())));
  const bool with_bias = GENERATE(false, true);
  CAPTURE(backend.name(), with_bias);
  // Heads of every width of the kernels' tiles, up to 32, 64 and 128 numbers, and of several
  // slices; more keys and more queries than a tile has.
  for (const AttentionSize& size :
       {dense(1, 2, 8, 5, 7, 3), dense(2, 1, 5, 18, 34, 0), dense(1, 1, 3, 34, 2, 0),
        dense(1, 1, 40, 3, 2, 1), dense(1, 1, 70, 2, 3, 2), dense(1, 2, 150, 2, 3, 1)}) {
    const Problem p(size, with_bias);
    const Gradients g = backward(p, forward(p));
    const reference::AttentionProblem problem = p.reference();
    const std::vector<double> d_o = to_double(p.d_o);
    const auto loss_of = [&](std::vector<double> reference::AttentionProblem::*member) {
      return [&problem, &d_o, member](std::span<const double> at) {
        reference::AttentionProblem moved = problem;
        (moved.*member).assign(at.begin(), at.end());
        return inner_product(reference::attention(moved), d_o);
      };
    };
    using P = reference::AttentionProblem;
    CHECK(gradcheck(loss_of(&P::q), problem.q, to_double(g.dq)) == "");
    CHECK(gradcheck(loss_of(&P::k), problem.k, to_double(g.dk)) == "");
    CHECK(gradcheck(loss_of(&P::v), problem.v, to_double(g.dv)) == "");
    CHECK(gradcheck(loss_of(&P::extra_k), problem.extra_k, to_double(g.dextra_k)) == "");
    CHECK(gradcheck(loss_of(&P::extra_v), problem.extra_v, to_double(g.dextra_v)) == "");
  }
}

TEST_CASE("attention: a masked key has no influence, wherever it stands", "[kernels]") {
  const TestBackend backend(GENERATE(from_range(test_backends())));
  Problem p(dense(1, 1, 8, 3, 70, 0));
  p.bias.assign(3 * 70, 0.0f);
  for (int64_t i = 0; i < 3; ++i) {  // the whole first tile and the last key
    for (int64_t j = 0; j < 70; ++j) {
      if (j < 40 || j == 69) p.bias[i * 70 + j] = -std::numeric_limits<float>::infinity();
    }
  }
  const Output out = forward(p);
  for (int64_t j : {0, 39, 69}) {
    for (int64_t e = 0; e < 8; ++e) p.k[j * 8 + e] = p.v[j * 8 + e] = 50;
  }
  CHECK(compare_bits(forward(p).o, out.o) == "");
  CHECK(std::isfinite(out.o[0]));
}

TEST_CASE("attention: scores of +-1e4 stay finite, and an image does not depend on its batch",
          "[kernels]") {
  const TestBackend backend(GENERATE(from_range(test_backends())));
  Problem p(dense(2, 2, 8, 5, 40, 4));
  for (float& value : p.q) value *= 3000;
  const Output out = forward(p);
  for (float value : out.o) REQUIRE(std::isfinite(value));
  Problem one = p;
  one.size.b = 1;
  const auto second = [](std::vector<float>& values) {
    values.erase(values.begin(), values.begin() + static_cast<int64_t>(values.size() / 2));
  };
  for (auto* values : {&one.q, &one.k, &one.v, &one.extra_k, &one.extra_v}) second(*values);
  std::vector<float> expected = out.o;
  second(expected);
  CHECK(compare_bits(forward(one).o, expected) == "");
  CHECK(compare_bits(forward(p, 3).o, out.o) == "");
}

TEST_CASE("attention: keys far below later ones leave nothing behind", "[kernels]") {
  const TestBackend backend(GENERATE(from_range(test_backends())));
  // Tiles of keys whose scores rise by more than 104, of which e^-104 is 0 in f32.
  Problem p(dense(1, 1, 8, 3, 300, 0));
  p.bias.assign(3 * 300, 0.0f);
  for (size_t i = 0; i < p.bias.size(); ++i) {
    p.bias[i] = static_cast<float>(i % 300 / 64) * 150;
  }
  // A score of 600 has an ulp of 6e-5, and so has its exponential.
  CHECK(compare(forward(p).o, reference::attention(p.reference()), {1e-3, 1e-3}) == "");
}

TEST_CASE("attention: operands may be parts of wider rows", "[kernels]") {
  const TestBackend backend(GENERATE(from_range(test_backends())));
  const Problem p(dense(2, 1, 8, 5, 5, 0));
  std::vector<float> qkv;  // [B, T, 3 D]
  for (int64_t t = 0; t < 10; ++t) {
    for (const auto* part : {&p.q, &p.k, &p.v}) {
      qkv.insert(qkv.end(), part->begin() + t * 8, part->begin() + (t + 1) * 8);
    }
  }
  AttentionSize wide = p.size;
  wide.q_pitch = wide.kv_pitch = 24;
  std::vector<float> o(p.q.size(), NAN);
  KernelCall call;
  const float* packed = call.in(qkv);
  call.run(&KernelTable::attention_forward,
           {wide, DType::kF32, p.scale, packed, packed + 8, packed + 16, nullptr, nullptr, nullptr,
            call.out(o), nullptr});
  CHECK(compare_bits(o, forward(p).o) == "");
}

// A problem whose operands are numbers of 16 bits.
Problem rounded_problem(const AttentionSize& size, DType dtype, bool with_bias = false) {
  Problem p(size, with_bias);
  for (auto* values : {&p.q, &p.k, &p.v, &p.extra_k, &p.extra_v}) *values = rounded(*values, dtype);
  return p;
}

Output forward_in(DType dtype, const Problem& p) {
  const AttentionSize& s = p.size;
  const auto store = [&](const std::vector<float>& values) { return to_storage(values, dtype); };
  const auto q = store(p.q), k = store(p.k), v = store(p.v), extra_k = store(p.extra_k),
             extra_v = store(p.extra_v);
  std::vector<uint16_t> o(q.size());
  Output result = {{}, std::vector<float>(static_cast<size_t>(s.b * s.heads * s.queries), NAN)};
  KernelCall call;
  call.run(&KernelTable::attention_forward,
           {s, dtype, p.scale, call.in(q), call.in(k), call.in(v), optional(call, extra_k),
            optional(call, extra_v), optional(call, p.bias), call.out(o), call.out(result.lse)});
  result.o = from_storage(o, dtype);
  return result;
}

// Whether tensor cores multiply it; then the weights p are rounded to 16 bits.
bool rounds_weights(const AttentionSize& s) { return s.d % 8 == 0 && s.d <= 256; }

// The averages of |v|: what rounding the weights by a part may change the averages of v by that
// part of.
std::vector<double> averages_of_sizes(reference::AttentionProblem p) {
  for (auto* values : {&p.v, &p.extra_v}) {
    for (double& value : *values) value = std::fabs(value);
  }
  return reference::attention(p);
}

TEST_CASE("attention in 16 bits: inputs, outputs and on tensor cores weights are rounded",
          "[kernels]") {
  const TestBackend backend(GENERATE(from_range(test_backends())));
  if (!backend.emulated()) return;  // CPU kernels store f32 only
  const DType dtype = GENERATE(DType::kBF16, DType::kF16);
  const bool with_bias = GENERATE(false, true);
  CAPTURE(to_string(dtype), with_bias);
  const double unit = roundoff(dtype);
  for (const AttentionCase& c : cases_of(CaseSet::kEdge, kAttentionCases)) {
    CAPTURE(c.name);
    const Problem p = rounded_problem(c.size(), dtype, with_bias);
    std::vector<double> sums;
    const std::vector<double> expected = reference::attention(p.reference(), &sums);
    const std::vector<double> sizes = averages_of_sizes(p.reference());
    const double weights = rounds_weights(p.size) ? unit : 0;
    // Weights below 2^-14 have less precision in f16: 2^-25 at most for each key.
    const double tiny =
        rounds_weights(p.size) ? 0x1p-25 * 4 * static_cast<double>(p.size.all_keys()) : 0;
    const Output out = forward_in(dtype, p);
    CHECK(compare_with<float>(out.o, expected, [&](size_t i) {
            return 128 * kEps32 + tiny +
                   1.01 * (unit * std::fabs(expected[i]) + weights * sizes[i]);
          }) == "");
    CHECK(nmse(out.o, expected) < 2 * unit * unit);
    // The sum of the weights is not rounded: the backward pass gets it as f32 would have it.
    CHECK(compare(out.lse, sums, {256 * kEps32, 32 * kEps32}) == "");
  }
}

TEST_CASE("attention in 16 bits: masks, large scores and batches", "[kernels]") {
  const TestBackend backend(GENERATE(from_range(test_backends())));
  if (!backend.emulated()) return;
  const DType dtype = GENERATE(DType::kBF16, DType::kF16);
  CAPTURE(to_string(dtype));
  Problem masked = rounded_problem(dense(1, 1, 16, 3, 150, 0), dtype);
  masked.bias.assign(3 * 150, 0.0f);
  for (size_t j = 0; j < masked.bias.size(); ++j) {  // the whole first tile and the last key
    if (j % 150 < 80 || j % 150 == 149) masked.bias[j] = -std::numeric_limits<float>::infinity();
  }
  const Output expected = forward_in(dtype, masked);
  CHECK(std::isfinite(expected.o[0]));
  for (const int64_t j : {0, 79, 149}) {
    for (int64_t e = 0; e < 16; ++e) masked.k[j * 16 + e] = masked.v[j * 16 + e] = 50;
  }
  CHECK(compare_bits(forward_in(dtype, masked).o, expected.o) == "");

  Problem two = rounded_problem(dense(2, 2, 8, 70, 40, 30), dtype);
  for (float& value : two.q) value *= 2048;
  const Output both = forward_in(dtype, two);
  for (const float value : both.o) REQUIRE(std::isfinite(value));
  const auto second = [](std::vector<float>& values) {
    values.erase(values.begin(), values.begin() + static_cast<int64_t>(values.size() / 2));
  };
  two.size.b = 1;
  for (auto* values : {&two.q, &two.k, &two.v, &two.extra_k, &two.extra_v}) second(*values);
  std::vector<float> of_second = both.o;
  second(of_second);
  CHECK(compare_bits(forward_in(dtype, two).o, of_second) == "");
}

TEST_CASE("attention in 16 bits: parts of wider rows, whole packs or not", "[kernels]") {
  const TestBackend backend(GENERATE(from_range(test_backends())));
  if (!backend.emulated()) return;
  const Problem p = rounded_problem(dense(2, 1, 8, 5, 5, 0), DType::kBF16);
  const std::vector<double> expected = to_double(forward_in(DType::kBF16, p).o);
  // Numbers before, between and behind the parts: packs of 8 begin at multiples of 8 or not.
  const auto [before, between, behind] =
      GENERATE(std::array{0, 0, 0}, std::array{0, 8, 0}, std::array{0, 1, 0}, std::array{1, 0, 7});
  std::vector<float> rows;  // [B, T, pitch]
  const auto fill = [&](int64_t count) {
    rows.insert(rows.end(), static_cast<size_t>(count), NAN);
  };
  for (int64_t t = 0; t < 10; ++t) {
    fill(before);
    for (const auto* part : {&p.q, &p.k, &p.v}) {
      rows.insert(rows.end(), part->begin() + t * 8, part->begin() + (t + 1) * 8);
      fill(between);
    }
    fill(behind);
  }
  const int64_t step = 8 + between;
  AttentionSize wide = p.size;
  wide.q_pitch = wide.kv_pitch = before + 3 * step + behind;
  const std::vector<uint16_t> stored = to_storage(rows, DType::kBF16);
  std::vector<uint16_t> o(p.q.size());
  KernelCall call;
  const uint16_t* first = call.in(stored) + before;
  call.run(&KernelTable::attention_forward,
           {wide, DType::kBF16, p.scale, first, first + step, first + 2 * step, nullptr, nullptr,
            nullptr, call.out(o), nullptr});
  // Without packs the weights are not rounded.
  const double weights = before % 8 + between % 8 == 0 ? 0 : 8 * roundoff(DType::kBF16);
  CHECK(compare(from_storage(o, DType::kBF16), expected, {weights, 0}) == "");
}

TEST_CASE("attention: heads beyond 512 numbers and no keys are refused", "[kernels]") {
  const TestBackend backend(GENERATE(from_range(test_backends())));
  AttentionForwardArgs args = {};
  args.size = dense(1, 1, 513, 1, 1, 0);
  CHECK_THROWS_AS(current_kernels().attention_forward.fn(args, {}), ShapeError);
  args.size = dense(1, 1, 8, 1, 0, 0);
  CHECK_THROWS_AS(current_kernels().attention_forward.fn(args, {}), ShapeError);
}

}  // namespace
}  // namespace ebb::test
