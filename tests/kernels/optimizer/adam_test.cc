#include "kernels/optimizer/adam.h"

#include <cmath>
#include <limits>
#include <vector>

#include "kernels/optimizer/adam_factors.h"
#include "testing/backend.h"
#include "testing/catch.h"
#include "testing/compare.h"
#include "testing/cpu_stream.h"
#include "testing/random_data.h"
#include "testing/reference/adam.h"
#include "testing/storage.h"

namespace ebb::test {
namespace {

struct AdamState {
  std::vector<float> param, m, v;
  double weight_decay = 0;

  explicit AdamState(std::vector<float> start)
      : param(std::move(start)), m(param.size(), 0.0f), v(param.size(), 0.0f) {}

  void step(const std::vector<float>& grad, int64_t t, const UpdateGuard& guard = kGo,
            int threads = 1, std::vector<uint16_t>* shadow = nullptr) {
    const std::vector<AdamRates> rates{adam_rates(1e-3, 0.9, 0.999, t, weight_decay)};
    const std::vector<UpdateGuard> guards{guard};
    KernelCall call;
    call.run(&KernelTable::adam,
             {static_cast<int64_t>(param.size()), 0.9, 0.999, 1e-8, call.in(rates), call.in(guards),
              call.in(grad), call.inout(param), call.inout(m), call.inout(v),
              shadow == nullptr ? nullptr : call.inout(*shadow)},
             threads);
  }

  static constexpr UpdateGuard kGo{0, 0, 1, 1};
};

TEST_CASE("adam: ten steps follow the algorithm", "[kernels]") {
  const TestBackend backend(GENERATE(from_range(test_backends())));
  const int64_t count = GENERATE(1, 7, 16, 17, 40003);
  CAPTURE(backend.name(), count);
  RandomData random(1);
  AdamState state(random.normal(count));
  state.weight_decay = GENERATE(0.0, 0.5);
  const size_t size = state.param.size();
  reference::Adam expected = {1e-3,
                              0.9,
                              0.999,
                              1e-8,
                              to_double(state.param),
                              std::vector<double>(size),
                              std::vector<double>(size)};
  expected.weight_decay = state.weight_decay;
  for (int64_t t = 1; t <= 10; ++t) {
    const std::vector<float> grad = random.normal(count);
    state.step(grad, t);
    expected.step(to_double(grad));
  }
  // Each of the ten steps rounds the parameter once and moves it by at most a few lr, with a
  // relative error of a few roundings.
  // With weight decay it also rounds the factor and the product.
  const double roundings = state.weight_decay > 0 ? 3 : 1;
  CHECK(compare(state.param, expected.param, {10 * 32 * kEps32 * 1e-3, 10 * roundings * kEps32}) ==
        "");
  CHECK(compare(state.m, expected.m, {10 * 2 * kEps32, 10 * kEps32}) == "");
  CHECK(compare(state.v, expected.v, {0, 10 * 3 * kEps32}) == "");
}

// Recorded from torch.optim.Adam (PyTorch 2.15.0, CPU, f32), lr 1e-3, nine steps.
TEST_CASE("adam: agrees with PyTorch to the last bits", "[kernels]") {
  const TestBackend backend(GENERATE(from_range(test_backends())));
  CAPTURE(backend.name());
  AdamState state({0.5f, -1.25f, 0.001f, 3.0f});
  const std::vector<float> grads[] = {
      {0.1f, -2.0f, 1e-6f, 0.0f}, {0.3f, 1.5f, -2e-6f, 0.25f}, {-0.2f, 0.75f, 3e-6f, -0.5f}};
  for (int64_t t = 1; t <= 9; ++t) state.step(grads[(t - 1) % 3], t);
  const std::vector<float> param = {0x1.fb7a32p-2f, -0x1.3fb73ap+0f, -0x1.b60ad6p-10f,
                                    0x1.8019cap+1f};
  const std::vector<float> m = {0x1.179d62p-5f, 0x1.bc6bbap-4f, 0x1.e7da68p-22f, -0x1.fd3b6ep-5f};
  const std::vector<float> v = {0x1.b6bd0ap-12f, 0x1.4d57e8p-6f, 0x1.790216p-45f, 0x1.e9f35p-11f};
  // PyTorch's square root (MKL) is off by an ulp now and then.
  CHECK(compare(state.param, to_double(param), {0, 4 * kEps32}) == "");
  if (backend.has_fma()) {
    CHECK(compare_bits(state.m, m) == "");
    CHECK(compare_bits(state.v, v) == "");
  } else {
    CHECK(compare(state.m, to_double(m), {0, 16 * kEps32}) == "");
    CHECK(compare(state.v, to_double(v), {0, 16 * kEps32}) == "");
  }
}

TEST_CASE("adam: the gradient scale multiplies the gradient", "[kernels]") {
  const TestBackend backend(GENERATE(from_range(test_backends())));
  CAPTURE(backend.name());
  RandomData random(2);
  const std::vector<float> start = random.normal(100), grad = random.normal(100);
  std::vector<float> halved = grad;
  for (float& g : halved) g *= 0.5f;
  AdamState scaled(start), plain(start);
  scaled.step(grad, 1, {0, 0, 0.5f, 1});
  plain.step(halved, 1);
  CHECK(compare_bits(scaled.param, plain.param) == "");
  CHECK(compare_bits(scaled.m, plain.m) == "");
  CHECK(compare_bits(scaled.v, plain.v) == "");
}

TEST_CASE("adam: threads do not change a bit", "[kernels]") {
  RandomData random(3);
  const std::vector<float> start = random.normal(100003), grad = random.normal(100003);
  AdamState one(start);
  one.step(grad, 5);
  for (int threads : kThreadCounts) {
    AdamState several(start);
    several.step(grad, 5, AdamState::kGo, threads);
    CHECK(compare_bits(several.param, one.param) == "");
    CHECK(compare_bits(several.m, one.m) == "");
    CHECK(compare_bits(several.v, one.v) == "");
  }
}

TEST_CASE("ema: keeps a decayed average", "[kernels]") {
  const TestBackend backend(GENERATE(from_range(test_backends())));
  const int threads = GENERATE(1, 3);
  const int64_t count = GENERATE(1, 13, 40003);
  RandomData random(4);
  const std::vector<float> param = random.normal(count);
  std::vector<float> average = random.normal(count);
  std::vector<double> expected, magnitude;
  for (size_t i = 0; i < param.size(); ++i) {
    const double kept = 0.999 * average[i], taken = (1 - 0.999) * param[i];
    expected.push_back(kept + taken);
    magnitude.push_back(std::fabs(kept) + std::fabs(taken));
  }
  KernelCall call;
  call.run(&KernelTable::ema, {count, 0.999, nullptr, call.in(param), call.inout(average)},
           threads);
  CHECK(compare_sums(average, expected, magnitude, 3) == "");
}

TEST_CASE("adam: the shadow is the new parameters in bf16", "[kernels]") {
  const TestBackend backend(GENERATE(from_range(test_backends())));
  const int64_t count = GENERATE(1, 7, 4099);
  RandomData random(7);
  AdamState state(random.normal(count)), plain = state;
  const std::vector<float> grad = random.normal(count);
  std::vector<uint16_t> shadow(state.param.size());
  state.step(grad, 3, AdamState::kGo, 1, &shadow);
  plain.step(grad, 3);
  CHECK(compare_bits(state.param, plain.param) == "");
  CHECK(shadow == to_storage(state.param, DType::kBF16));
}

TEST_CASE("update_guard: detects values that are not finite, and how much a gradient is clipped",
          "[kernels]") {
  const TestBackend backend(GENERATE(from_range(test_backends())));
  const auto guard_of = [](float loss, double sum_squares, double clip_norm) {
    const std::vector<float> losses{loss};
    const std::vector<double> sums{sum_squares};
    std::vector<UpdateGuard> guards(1);
    KernelCall call;
    call.run(&KernelTable::update_guard,
             {clip_norm, call.in(losses), call.in(sums), call.out(guards)});
    return guards[0];
  };
  const UpdateGuard clipped = guard_of(0.5f, 9, 1.5), below = guard_of(0.5f, 9, 4);
  CHECK(clipped.loss == 0.5);
  CHECK(clipped.grad_norm == 3);
  CHECK(clipped.grad_scale == 0.5f);
  CHECK(clipped.update == 1);
  CHECK(below.grad_scale == 1);
  CHECK(guard_of(0.5f, 9, 0).grad_scale == 1);
  const float inf = std::numeric_limits<float>::infinity();
  for (const float bad : {NAN, inf, -inf}) CHECK(guard_of(bad, 9, 1).update == 0);
  for (const float bad : {NAN, inf}) CHECK(guard_of(1, bad, 1).update == 0);
}

TEST_CASE("update_guard: does not update with numbers lost from sums", "[kernels]") {
  const TestBackend backend(GENERATE(from_range(test_backends())));
  for (const uint64_t count : {uint64_t{0}, uint64_t{1}, uint64_t{1} << 40}) {
    const std::vector<float> losses{0.5f};
    const std::vector<double> sums{9};
    const std::vector<uint64_t> lost{count};
    std::vector<UpdateGuard> guards(1);
    KernelCall call;
    call.run(&KernelTable::update_guard,
             {1.5, call.in(losses), call.in(sums), call.out(guards), call.in(lost)});
    CHECK(guards[0].update == (count == 0 ? 1 : 0));
    CHECK(guards[0].grad_norm == 3);
    CHECK(guards[0].grad_scale == 0.5f);
  }
}

TEST_CASE("adam and ema: a guard that says no changes nothing", "[kernels]") {
  const TestBackend backend(GENERATE(from_range(test_backends())));
  RandomData random(8);
  const std::vector<float> start = random.normal(101), grad(101, NAN);
  std::vector<uint16_t> shadow = to_storage(start, DType::kBF16);
  const std::vector<uint16_t> shadow_before = shadow;
  AdamState state(start);
  const UpdateGuard no{NAN, NAN, NAN, 0};
  state.step(grad, 1, no, 1, &shadow);
  CHECK(compare_bits(state.param, start) == "");
  CHECK(compare_bits(state.m, std::vector<float>(101, 0.0f)) == "");
  CHECK(compare_bits(state.v, std::vector<float>(101, 0.0f)) == "");
  CHECK(shadow == shadow_before);
  std::vector<float> average = start;
  const std::vector<UpdateGuard> guards{no};
  KernelCall call;
  call.run(&KernelTable::ema, {101, 0.5, call.in(guards), call.in(grad), call.inout(average)});
  CHECK(compare_bits(average, start) == "");
}

double sum_squares(const std::vector<float>& x, int threads = 1) {
  const int64_t count = static_cast<int64_t>(x.size());
  double result = -1;
  KernelCall call;
  call.run(&KernelTable::sum_squares,
           {count, call.in(x), call.out(result),
            call.scratch(current_kernels().sum_squares_workspace_bytes.fn(count))},
           threads);
  return result;
}

TEST_CASE("sum_squares: is exact to double precision for any count and thread number",
          "[kernels]") {
  const TestBackend backend(GENERATE(from_range(test_backends())));
  const int64_t count = GENERATE(0, 1, 7, 8, 9, 16384, 16385, 100003);
  CAPTURE(count);
  const std::vector<float> x = RandomData(5).normal(count);
  double expected = 0;
  for (float v : x) expected += static_cast<double>(v) * v;
  const double sum = sum_squares(x);
  CHECK(std::fabs(sum - expected) <= 1e-13 * expected);
  for (int threads : kThreadCounts) CHECK(sum_squares(x, threads) == sum);
}

TEST_CASE("sum_squares: is not finite exactly when an element is not", "[kernels]") {
  const TestBackend backend(GENERATE(from_range(test_backends())));
  const size_t where = GENERATE(0u, 3u, 16384u, 49998u);
  std::vector<float> x(49999, 3e38f);
  CHECK(std::isfinite(sum_squares(x)));
  x[where] = -std::numeric_limits<float>::infinity();
  CHECK_FALSE(std::isfinite(sum_squares(x)));
  x[where] = NAN;
  CHECK_FALSE(std::isfinite(sum_squares(x)));
}

}  // namespace
}  // namespace ebb::test
