#include "kernels/conv/conv.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>
#include <string>
#include <vector>

#include "base/error.h"
#include "kernels/conv/cpu/conv_plan.h"
#include "testing/catch.h"
#include "testing/compare.h"
#include "testing/reference/conv.h"
#include "testing/simd_level.h"
#include "testing/storage.h"
#include "tests/kernels/conv/conv_case.h"

namespace ebb {
namespace {

// Runs a test once for each instruction set that this machine has, with the default choice of
// algorithms and with direct ones only, as given to the case.
void for_each_kernel(ConvCase& conv, const std::function<void()>& test) {
  for (const int64_t target : test::simd_levels()) {
    const test::SimdLevel level(target);
    for (const bool winograd : {true, false}) {
      conv.math.winograd = winograd;
      INFO("instruction set " << level.name() << ", Winograd " << winograd);
      test();
    }
  }
}

std::vector<ConvShape> all_shapes() {
  std::vector<ConvShape> shapes(std::begin(kEdgeConvs), std::end(kEdgeConvs));
  shapes.insert(shapes.end(), std::begin(kLargeKernelConvs), std::end(kLargeKernelConvs));
  return shapes;
}

// Rounding of a sum of `terms` products grows like sqrt(terms) (Higham & Mary 2019), in units of
// roundoff of the sum of magnitudes; the factor covers unlucky sums.
double sum_limit(const reference::Sum& sum, int64_t terms) {
  constexpr double kFactor = 4;
  return kFactor * std::sqrt(static_cast<double>(terms)) * test::kEps32 * sum.magnitude + 1e-30;
}

// Rows of `row` values `pitch` apart, without the gaps.
std::vector<float> dense(const std::vector<float>& data, int64_t row, int64_t pitch) {
  std::vector<float> values;
  for (size_t begin = 0; begin < data.size(); begin += pitch) {
    values.insert(values.end(), data.begin() + begin, data.begin() + begin + row);
  }
  return values;
}

std::string compare_sums(const std::vector<float>& actual,
                         const std::vector<reference::Sum>& expected, int64_t terms) {
  std::vector<double> values;
  for (const reference::Sum& sum : expected) values.push_back(sum.value);
  return test::compare_with<float>(actual, values,
                                   [&](size_t i) { return sum_limit(expected[i], terms); });
}

bool gaps_untouched(const std::vector<float>& data, int64_t row, int64_t pitch) {
  for (size_t i = 0; i < data.size(); ++i) {
    if (static_cast<int64_t>(i) % pitch >= row && data[i] != kGap) return false;
  }
  return true;
}

bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

void check_forward(const ConvCase& conv, const std::vector<reference::Sum>& sums,
                   const ConvOptions& options) {
  const ConvGeometry& g = conv.g;
  const std::vector<float> y = conv.forward(options);
  const int64_t image = g.ho * g.wo * g.o;
  std::vector<double> expected, limits;
  for (int64_t i = 0; i < g.n * image; ++i) {
    reference::Sum sum = sums[i];
    if (options.bias) sum.add(conv.bias[i % g.o]);
    if (options.residual_n > 0) {
      sum.add(conv.residual[i / image % options.residual_n * image + i % image]);
    }
    // Activations have derivatives of at most 1.13 and an error of their own of 3e-7.
    const bool activated = options.activation != Activation::kNone;
    const double limit = 1.13 * sum_limit(sum, g.kh * g.kw * g.c + 2) +
                         (activated ? 3e-7 * std::max(1.0, std::abs(sum.value)) : 0);
    // A product and a sum more round once each.
    const Modulation m = conv.modulation(options, i / image, i % g.o);
    const double product = reference::activate(options.activation, sum.value) * m.scale;
    const double roundings = options.modulates() ? 2 * std::abs(product) + std::abs(m.shift) : 0;
    limits.push_back(limit * std::abs(m.scale) + test::kEps32 * roundings);
    expected.push_back(product + m.shift);
  }
  INFO("activation " << to_string(options.activation) << " bias " << options.bias << " residual "
                     << options.residual_n);
  CHECK(test::compare_with<float>(dense(y, g.o, g.y_pitch), expected,
                                  [&](size_t i) { return limits[i]; }) == "");
  CHECK(gaps_untouched(y, g.o, g.y_pitch));
}

TEST_CASE("convolution agrees with its definition in double precision") {
  for (const ConvShape& shape : all_shapes()) {
    ConvCase conv(shape.geometry());
    const auto sums = reference::conv_forward(conv.g, conv.x.data(), conv.w.data());
    for_each_kernel(conv, [&] {
      INFO(shape.name);
      check_forward(conv, sums, {.bias = false});
      check_forward(conv, sums, {.residual_n = 1, .activation = Activation::kGelu, .threads = 2});
      check_forward(
          conv, sums,
          {.residual_n = std::min<int64_t>(2, conv.g.n), .activation = Activation::kSilu});
      check_forward(conv, sums,
                    {.activation = Activation::kGelu, .scale_n = 1, .shift_n = conv.g.n});
      check_forward(conv, sums, {.threads = 2, .shift_n = 1});
    });
  }
}

TEST_CASE("the input gradient agrees with its definition in double precision") {
  for (const ConvShape& shape : all_shapes()) {
    ConvCase conv(shape.geometry());
    const ConvGeometry& g = conv.g;
    const auto sums = reference::conv_backward_input(g, conv.dy.data(), conv.w.data());
    for_each_kernel(conv, [&] {
      INFO(shape.name);
      const std::vector<float> dx = conv.backward_input(2);
      CHECK(compare_sums(dense(dx, g.c, g.x_pitch), sums, g.kh * g.kw * g.o) == "");
      CHECK(gaps_untouched(dx, g.c, g.x_pitch));
    });
  }
}

TEST_CASE("the weight and bias gradients agree with their definition in double precision") {
  for (const ConvShape& shape : all_shapes()) {
    ConvCase conv(shape.geometry());
    const ConvGeometry& g = conv.g;
    const auto weight = reference::conv_backward_weight(g, conv.x.data(), conv.dy.data());
    const auto bias = reference::conv_backward_bias(g, conv.dy.data());
    for_each_kernel(conv, [&] {
      INFO(shape.name);
      const ConvCase::WeightGradient grad = conv.backward_weight(2);
      const int64_t terms = g.n * g.ho * g.wo;
      CHECK(compare_sums(grad.dw, weight, std::max(terms, g.n * g.h * g.w)) == "");
      CHECK(compare_sums(grad.db, bias, terms) == "");
    });
  }
}

TEST_CASE("convolution results do not depend on the number of threads") {
  for (const ConvShape& shape : all_shapes()) {
    ConvCase conv(shape.geometry());
    const auto forward = [&](int threads) {
      return conv.forward({.residual_n = 1, .activation = Activation::kGelu, .threads = threads});
    };
    for_each_kernel(conv, [&] {
      INFO(shape.name);
      const auto y = forward(1), dx = conv.backward_input(1);
      const auto grad = conv.backward_weight(1);
      for (const int threads : {2, 3}) {
        CHECK(same_bits(forward(threads), y));
        CHECK(same_bits(conv.backward_input(threads), dx));
        CHECK(same_bits(conv.backward_weight(threads).dw, grad.dw));
        CHECK(same_bits(conv.backward_weight(threads).db, grad.db));
      }
    });
  }
}

TEST_CASE("an image gets the same bits alone and in a batch") {
  for (const ConvShape& shape : all_shapes()) {
    ConvCase conv(shape.geometry());
    const ConvGeometry& g = conv.g;
    const ConvOptions options{.activation = Activation::kSilu, .threads = 2};
    for_each_kernel(conv, [&] {
      INFO(shape.name);
      const auto y = conv.forward(options), dx = conv.backward_input(2);
      for (int64_t k = 0; k < g.n; k += 1 + g.n / 4) {
        const ConvCase one = conv.image(k);
        CHECK(same_bits(one.forward(options), ConvCase::slice(y, k, g.ho * g.wo, g.o, g.y_pitch)));
        CHECK(same_bits(one.backward_input(1), ConvCase::slice(dx, k, g.h * g.w, g.c, g.x_pitch)));
      }
    });
  }
}

TEST_CASE("weights that stay in 16 bits give the bits of the same weights in 32") {
  for (const ConvShape& shape : all_shapes()) {
    for (const DType dtype : {DType::kF16, DType::kBF16}) {
      ConvCase conv(shape.geometry());
      conv.w = test::rounded(conv.w, dtype);
      for_each_kernel(conv, [&] {
        INFO(shape.name << ", weights in " << to_string(dtype));
        conv.g.weight_dtype = DType::kF32;
        const auto y = conv.forward({.threads = 2}), dx = conv.backward_input(2);
        conv.g.weight_dtype = dtype;
        CHECK(same_bits(conv.forward({.threads = 2}), y));
        CHECK(same_bits(conv.backward_input(2), dx));
      });
    }
  }
}

TEST_CASE("weights that stay in 16 bits take half the memory") {
  const auto bytes = [](ConvGeometry g, DType dtype) {
    g.weight_dtype = dtype;
    return cpu_kernels().conv_packed_bytes.fn(g, ConvPass::kForward, DType::kF32, {});
  };
  for (const ConvShape& shape : {ConvShape{"Winograd", 1, 32, 32, 320, 320, 3, 3, 1, 1},
                                 ConvShape{"direct", 1, 32, 32, 320, 640, 1, 1, 1, 0}}) {
    CHECK(bytes(shape.geometry(), DType::kF32) == 4 * shape.c * shape.o * shape.kh * shape.kw);
    CHECK(2 * bytes(shape.geometry(), DType::kF16) == bytes(shape.geometry(), DType::kF32));
  }
}

TEST_CASE("the choice of algorithm depends on the shape but not on the batch") {
  const auto chosen = [](const ConvShape& shape, ConvPass pass) {
    return cpu::conv_algorithm(shape.geometry(), pass, {});
  };
  for (const int64_t n : {1, 128}) {
    const ConvShape large{"", n, 28, 28, 64, 64, 3, 3, 1, 1},
        middle{"", n, 14, 14, 64, 64, 3, 3, 1, 1}, last{"", n, 28, 28, 64, 1, 3, 3, 1, 1};
    const ConvShape narrow{"", n, 28, 28, 32, 32, 3, 3, 1, 1};
    const ConvShape down{"", n, 28, 28, 64, 64, 3, 3, 2, 1}, tiny{"", n, 3, 3, 64, 64, 3, 3, 1, 1};
    const ConvShape up{"", n, 14, 14, 64, 32, 4, 4, 2, 1, true},
        up_few{"", n, 7, 7, 64, 32, 4, 4, 2, 1, true};
    const ConvShape wide{"", n, 32, 32, 1408, 1408, 3, 3, 1, 1},
        widest{"", n, 8, 8, 2816, 2816, 3, 3, 1, 1};
    for (const ConvPass pass :
         {ConvPass::kForward, ConvPass::kBackwardInput, ConvPass::kBackwardWeight}) {
      const bool weight = pass == ConvPass::kBackwardWeight;
      CHECK(chosen(large, pass) == cpu::ConvAlgorithm::kWinograd4);
      CHECK(chosen(middle, pass) ==
            (weight ? cpu::ConvAlgorithm::kWinograd2 : cpu::ConvAlgorithm::kWinograd4));
      CHECK(chosen(narrow, pass) ==
            (weight ? cpu::ConvAlgorithm::kWinograd4 : cpu::ConvAlgorithm::kWinograd2));
      CHECK(chosen(down, pass) == cpu::ConvAlgorithm::kDirect);
      CHECK(chosen(tiny, pass) == cpu::ConvAlgorithm::kDirect);
      CHECK(chosen(wide, pass) ==
            (weight ? cpu::ConvAlgorithm::kWinograd2 : cpu::ConvAlgorithm::kWinograd4));
      CHECK(chosen(widest, pass) ==
            (weight ? cpu::ConvAlgorithm::kDirect : cpu::ConvAlgorithm::kWinograd2));
      CHECK(chosen(up, pass) == cpu::ConvAlgorithm::kWinograd3);
      CHECK(chosen(up_few, pass) == cpu::ConvAlgorithm::kDirect);
    }
    CHECK(chosen(last, ConvPass::kForward) == cpu::ConvAlgorithm::kDot);
  }
}

TEST_CASE("convolution kernels reject storage they cannot read") {
  const ConvGeometry g = conv_geometry(1, 4, 4, 2, 2, 3, 3, 1, 1, false);
  CHECK_THROWS_AS(cpu_kernels().conv_packed_bytes.fn(g, ConvPass::kForward, DType::kBF16, {}),
                  ShapeError);
}

}  // namespace
}  // namespace ebb
