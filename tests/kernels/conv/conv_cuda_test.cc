#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>
#include <string>
#include <vector>

#include "base/error.h"
#include "emulator/launch_log.h"
#include "testing/catch.h"
#include "tests/kernels/conv/conv_cuda_case.h"

namespace ebb {
namespace {

// Ragged against every tile: channels around 1, 8, 16, 64, 128; images of the sizes of the models
// (28, 14, 7, 1) and odd ones; strides that leave rows unread; phases without taps; pitches.
const ConvShape kShapes[] = {
    {"first layer", 1, 28, 28, 1, 64, 3, 3, 1, 1},
    {"last layer", 1, 28, 28, 32, 1, 3, 3, 1, 1},
    {"two outputs, pitched", 3, 7, 9, 32, 2, 3, 3, 1, 1, false, 5, 3},
    {"one output, transposed", 2, 5, 3, 16, 1, 4, 4, 2, 1, true},
    {"66 to 3 strided, pitched", 2, 9, 8, 66, 3, 3, 3, 2, 2, false, 2, 1},
    {"68 to 2, two blocks of channels", 1, 6, 13, 68, 2, 3, 3, 1, 1},
    {"4 to 72, 4x4", 1, 7, 10, 4, 72, 4, 4, 1, 1},
    {"transposed 36 to 4, no pad", 2, 3, 5, 36, 4, 2, 3, 2, 0, true},
    {"one to one", 3, 5, 3, 1, 1, 3, 3, 1, 1},
    {"7 to 17, pitched", 3, 7, 7, 7, 17, 3, 3, 1, 1, false, 2, 7},
    {"3 to 24, one pixel", 2, 1, 1, 3, 24, 3, 3, 1, 1},
    {"24 to 64", 2, 14, 14, 24, 64, 3, 3, 1, 1},
    {"64 to 80, pitched by packs", 1, 7, 7, 64, 80, 3, 3, 1, 1, false, 64, 16},
    {"16 to 136, no pad", 2, 8, 7, 16, 136, 3, 3, 1, 0},
    {"32 to 16, pad 2", 2, 5, 8, 32, 16, 3, 3, 1, 2},
    {"40 to 72, odd sides", 2, 9, 13, 40, 72, 3, 3, 1, 1},
    {"strided", 2, 14, 14, 16, 32, 3, 3, 2, 1},
    {"strided, odd sides", 3, 7, 5, 10, 13, 3, 3, 2, 1, false, 1, 0},
    {"rows never read", 2, 8, 9, 6, 5, 3, 3, 4, 0},
    {"1x1", 2, 7, 7, 10, 6, 1, 1, 1, 0},
    {"1x1 strided", 2, 7, 6, 10, 33, 1, 1, 2, 0},
    {"linear", 130, 1, 1, 24, 128, 1, 1, 1, 0},
    {"linear of one feature", 37, 1, 1, 1, 64, 1, 1, 1, 0},
    {"linear of 13 features, pitched", 5, 1, 1, 13, 3, 1, 1, 1, 0, false, 4, 2},
    {"transposed 4x4 s2", 3, 7, 7, 12, 10, 4, 4, 2, 1, true},
    {"transposed 4x4 s2, wide, pitched", 1, 7, 5, 48, 72, 4, 4, 2, 1, true, 3, 56},
    {"transposed 7x7 s7", 9, 1, 1, 20, 18, 7, 7, 7, 0, true},
    {"transposed 3x3 s1", 2, 6, 5, 9, 6, 3, 3, 1, 1, true},
    {"transposed 2x2 s3 with gaps", 2, 4, 3, 5, 6, 2, 2, 3, 0, true},
    {"transposed 2x5 s3", 2, 4, 3, 5, 16, 2, 5, 3, 1, true},
    {"2x5 s3 with pad 3", 2, 9, 8, 5, 7, 2, 5, 3, 3},
    {"5x5", 2, 9, 6, 17, 18, 5, 5, 1, 2},
    {"32 to 72 strided, odd sides", 3, 15, 13, 32, 72, 3, 3, 2, 1},
    {"transposed 4x4 s2, 64 to 40", 2, 5, 6, 64, 40, 4, 4, 2, 1, true},
};

const ConvOptions kOptions[] = {
    {.bias = false, .activation = Activation::kGeluTanh, .shift_n = 1},
    {.residual_n = 1, .activation = Activation::kGelu, .scale_n = 2, .shift_n = 3},
    {.residual_n = 2, .activation = Activation::kSilu},
};

struct Kernels {
  DType dtype;
  ConvMath math;
  bool large_tiles = false;

  // A GPU that any number of blocks fills (sm_count 0) gets the largest tiles.
  KernelStream stream() const {
    KernelStream stream{.conv_math = math};
    if (large_tiles) stream.device.sm_count = 0;
    return stream;
  }
};
constexpr ConvMath kPlain{}, kTf32{.tf32 = true}, kHopper{.wgmma = true}, kNaive{.naive = true};
const Kernels kKernels[] = {
    {DType::kF32, kPlain},
    {DType::kF32, kTf32},
    {DType::kBF16, kPlain},
    {DType::kF16, kPlain},
    {DType::kBF16, kHopper},
    {DType::kF16, kHopper},
    {DType::kF32, kNaive},
    {DType::kBF16, kNaive},
    {DType::kF32, kPlain, /*large_tiles=*/true},
    {DType::kF32, kTf32, /*large_tiles=*/true},
    {DType::kF16, kPlain, /*large_tiles=*/true},
    {DType::kBF16, kHopper, /*large_tiles=*/true},
};

std::string text(const Kernels& kernels) {
  const ConvMath& math = kernels.math;
  const char* unit = math.tf32 ? "tf32" : math.wgmma ? "Hopper" : math.naive ? "naive" : "plain";
  return cat(unit, kernels.large_tiles ? ", large tiles" : "");
}

// Runs a test with every choice of kernels, checked in forward order and plain in the others (the
// naive kernels have no order to depend on). test(kernels) returns the bits it computed, which no
// order may change.
void for_each_kernel(const std::function<std::vector<float>(const Kernels&)>& test) {
  for (const Kernels& kernels : kKernels) {
    INFO(to_string(kernels.dtype) << ", " << text(kernels));
    if (kernels.math.naive) {
      const test::EmulatorOptions options({.check = true});
      test(kernels);
      continue;
    }
    std::vector<float> first;
    test::for_each_order([&] {
      const std::vector<float> result = test(kernels);
      if (first.empty()) first = result;
      CHECK(test::compare_bits(result, first) == "");
    });
    simt::engine::log_case();
  }
}

constexpr Kernels kF32{DType::kF32, kPlain};  // bias gradients are f32 sums

// Unit roundoff of a stored type beyond that of f32 arithmetic.
double storage_eps(DType dtype) {
  return dtype == DType::kF32 ? 0 : dtype == DType::kBF16 ? 0x1p-8 : 0x1p-11;
}

// Rounding of a sum of `terms` products grows like sqrt(terms) (Higham & Mary 2019), in units of
// roundoff of the sum of magnitudes; the factor covers unlucky sums. Storing rounds once more (f16
// below 2^-14 to a multiple of 2^-24).
double sum_limit(const reference::Sum& sum, int64_t terms, const Kernels& kernels) {
  constexpr double kFactor = 4;
  // Both factors of a product rounded to 11 significant bits: 2^-11 each.
  const double products = kernels.math.tf32 ? 0x1p-10 : 0;
  return (kFactor * std::sqrt(static_cast<double>(terms)) * test::kEps32 + products) *
             sum.magnitude +
         storage_eps(kernels.dtype) * std::abs(sum.value) + 1e-30 +
         (kernels.dtype == DType::kF16 ? 0x1p-25 : 0);
}

std::string compare_sums(const std::vector<float>& actual,
                         const std::vector<reference::Sum>& expected, int64_t terms,
                         const Kernels& kernels) {
  std::vector<double> values;
  for (const reference::Sum& sum : expected) values.push_back(sum.value);
  return test::compare_with<float>(
      actual, values, [&](size_t i) { return sum_limit(expected[i], terms, kernels); });
}

// Rows of `row` values `pitch` apart, without the gaps; the gaps must be as they were.
std::vector<float> dense(const std::vector<float>& data, int64_t row, int64_t pitch, DType dtype) {
  const float gap = round_to({kGap}, dtype)[0];
  std::vector<float> values;
  for (size_t i = 0; i < data.size(); ++i) {
    if (static_cast<int64_t>(i) % pitch < row) {
      values.push_back(data[i]);
    } else if (data[i] != gap) {
      return {};  // fails by its size
    }
  }
  return values;
}

void check_forward(const ConvCudaCase& conv, const Kernels& kernels,
                   const std::vector<reference::Sum>& sums, const ConvOptions& options,
                   const std::vector<float>& y) {
  const ConvGeometry& g = conv.g;
  const int64_t image = g.ho * g.wo * g.o;
  std::vector<double> expected, limits;
  for (int64_t i = 0; i < g.n * image; ++i) {
    reference::Sum sum = sums[i];
    if (options.bias) sum.add(conv.data.bias[i % g.o]);
    if (options.residual_n > 0) {
      sum.add(conv.data.residual[i / image % options.residual_n * image + i % image]);
    }
    // Activations have derivatives of at most 1.13 and an error of their own of 4e-7.
    const bool activated = options.activation != Activation::kNone;
    const double limit = 1.13 * sum_limit(sum, g.kh * g.kw * g.c + 2, kernels) +
                         (activated ? 4e-7 * std::max(1.0, std::abs(sum.value)) : 0);
    // A product and a sum more round once each, and what is stored may be larger.
    const Modulation m = conv.data.modulation(options, i / image, i % g.o);
    const double product = reference::activate(options.activation, sum.value) * m.scale;
    const double roundings = 2 * std::abs(product) + std::abs(m.shift);
    limits.push_back(
        limit * std::abs(m.scale) +
        (options.modulates() ? (test::kEps32 + storage_eps(kernels.dtype)) * roundings : 0) +
        (kernels.dtype == DType::kF16 ? 0x1p-25 : 0));
    expected.push_back(product + m.shift);
  }
  CHECK(test::compare_with<float>(dense(y, g.o, g.y_pitch, kernels.dtype), expected,
                                  [&](size_t i) { return limits[i]; }) == "");
}

TEST_CASE("CUDA convolution agrees with its definition in double precision") {
  for (const ConvShape& shape : kShapes) {
    INFO(shape.name);
    for_each_kernel([&](const Kernels& kernels) {
      const ConvCudaCase conv(shape.geometry(), kernels.dtype, kernels.stream());
      const auto sums = reference::conv_forward(conv.g, conv.data.x.data(), conv.weights().data());
      std::vector<float> all;
      for (ConvOptions options : kOptions) {
        options.residual_n = std::min(options.residual_n, conv.g.n);
        options.scale_n = std::min(options.scale_n, conv.g.n);
        options.shift_n = std::min(options.shift_n, conv.g.n);
        const std::vector<float> y = conv.forward(options);
        check_forward(conv, kernels, sums, options, y);
        all.insert(all.end(), y.begin(), y.end());
      }
      return all;
    });
  }
}

// Moments of one channel in double: of all its values, and of its chunks joined (Chan, Golub,
// LeVeque 1979).
struct ChannelMoments {
  double count = 0, mean = 0, m2 = 0;

  void join(double n, double mean_in, double m2_in) {
    if (n == 0) return;
    const double total = count + n, delta = mean_in - mean;
    mean += delta * n / total;
    m2 += m2_in + delta * delta * count * n / total;
    count = total;
  }
};

void check_moments(const std::vector<float>& values, const std::vector<RowMoments>& moments,
                   int64_t channels) {
  for (int64_t o = 0; o < channels; ++o) {
    ChannelMoments reported, own;
    for (size_t k = o; k < moments.size(); k += channels) {
      const RowMoments& chunk = moments[k];
      CHECK(chunk.count <= 64);
      reported.join(chunk.count, static_cast<double>(chunk.mean) + chunk.rest, chunk.m2);
    }
    double most = 0;  // deviation
    for (size_t i = o; i < values.size(); i += channels) own.join(1, values[i], 0);
    for (size_t i = o; i < values.size(); i += channels) {
      most = std::max(most, std::abs(values[i] - own.mean));
    }
    INFO("channel " << o);
    CHECK(reported.count == own.count);
    // Sums of at most 64 deviations in f32, each off by a rounding of its own: sqrt(64) roundings,
    // and 4 for unlucky ones.
    constexpr double kRoundings = 4 * 8 * test::kEps32;
    CHECK(std::abs(reported.mean - own.mean) <= kRoundings * most);
    CHECK(std::abs(reported.m2 - own.m2) <= kRoundings * own.m2);
  }
}

TEST_CASE("CUDA convolution reports the moments of its stored output") {
  for (const ConvShape& shape : kShapes) {
    INFO(shape.name);
    for_each_kernel([&](const Kernels& kernels) {
      const ConvCudaCase conv(shape.geometry(), kernels.dtype, kernels.stream());
      const ConvGeometry& g = conv.g;
      const bool unequal_phases = g.transposed && (g.ho % g.stride != 0 || g.wo % g.stride != 0);
      const bool reports = !kernels.math.naive && !unequal_phases;
      REQUIRE((emu_kernels().conv_moment_chunks.fn(g, kernels.dtype, kernels.math) > 0) == reports);
      std::vector<float> all;
      if (!reports) return all;
      const ConvOptions full{.residual_n = 1, .activation = Activation::kSilu, .scale_n = 1};
      for (const ConvOptions& options : {ConvOptions{}, full}) {
        std::vector<RowMoments> moments;
        const std::vector<float> y = conv.forward(options, &moments);
        CHECK(test::compare_bits(y, conv.forward(options)) == "");
        check_moments(dense(y, g.o, g.y_pitch, kernels.dtype), moments, g.o);
        for (const RowMoments& m : moments) {
          for (float v : {m.count, m.mean, m.rest, m.m2}) all.push_back(v);
        }
      }
      return all;
    });
  }
}

TEST_CASE("moments of numbers far from zero keep their deviations") {
  ConvCudaCase conv(conv_geometry(5, 9, 9, 2, 3, 1, 1, 1, 0, false), DType::kF32);
  for (float& bias : conv.data.bias) bias = 1e4f;
  std::vector<RowMoments> moments;
  const std::vector<float> y = conv.forward({}, &moments);
  check_moments(y, moments, 3);
}

TEST_CASE("the CUDA input gradient agrees with its definition in double precision") {
  for (const ConvShape& shape : kShapes) {
    INFO(shape.name);
    for_each_kernel([&](const Kernels& kernels) {
      const ConvCudaCase conv(shape.geometry(), kernels.dtype, kernels.stream());
      const ConvGeometry& g = conv.g;
      const std::vector<float> dx = conv.backward_input();
      CHECK(compare_sums(
                dense(dx, g.c, g.x_pitch, kernels.dtype),
                reference::conv_backward_input(g, conv.data.dy.data(), conv.weights().data()),
                g.kh * g.kw * g.o, kernels) == "");
      return dx;
    });
  }
}

// -> both gradients, after they were compared.
std::vector<float> check_weight_gradients(const ConvShape& shape, const Kernels& kernels) {
  const ConvCudaCase conv(shape.geometry(), kernels.dtype, kernels.stream());
  const ConvGeometry& g = conv.g;
  const ConvCase::WeightGradient grad = conv.backward_weight();
  const int64_t terms = g.n * g.ho * g.wo;
  // Sums are stored in f32, whatever the operands.
  const Kernels sums{DType::kF32, kernels.math};
  CHECK(compare_sums(grad.dw,
                     reference::conv_backward_weight(g, conv.data.x.data(), conv.data.dy.data()),
                     std::max(terms, g.n * g.h * g.w), sums) == "");
  CHECK(compare_sums(grad.db, reference::conv_backward_bias(g, conv.data.dy.data()), terms, kF32) ==
        "");
  std::vector<float> all = grad.dw;
  all.insert(all.end(), grad.db.begin(), grad.db.end());
  return all;
}

TEST_CASE("the CUDA weight and bias gradients agree with their definition in double precision") {
  for (const ConvShape& shape : kShapes) {
    INFO(shape.name);
    for_each_kernel([&](const Kernels& kernels) { return check_weight_gradients(shape, kernels); });
  }
}

TEST_CASE("the CUDA weight and bias gradients of many rows add every partial sum") {
  for (const ConvShape& shape : {ConvShape{"6 sums of the bias", 1, 51, 25, 1, 8, 1, 1, 1, 0},
                                 ConvShape{"10 sums of the bias", 1, 51, 47, 1, 3, 1, 1, 1, 0}}) {
    INFO(shape.name);
    for_each_kernel([&](const Kernels& kernels) { return check_weight_gradients(shape, kernels); });
  }
  const test::EmulatorOptions options({.check = false});
  check_weight_gradients({"259 sums of the bias", 1, 257, 257, 1, 1, 1, 1, 1, 0}, kF32);
}

TEST_CASE(
    "CUDA convolution gives an image the same bits alone and in a batch, in small and large "
    "tiles") {
  for (const ConvShape& shape : kShapes) {
    if (shape.n < 2) continue;
    const ConvCudaCase conv(shape.geometry(), DType::kF32);
    const ConvGeometry& g = conv.g;
    const KernelStream large = Kernels{DType::kF32, kPlain, /*large_tiles=*/true}.stream();
    const auto y = conv.forward({}), dx = conv.backward_input();
    for (int64_t k = 0; k < g.n; k += 1 + g.n / 2) {
      INFO(shape.name << ", image " << k);
      const ConvCudaCase one(conv.data.image(k), large);
      CHECK(test::compare_bits(one.forward({}),
                               ConvCase::slice(y, k, g.ho * g.wo, g.o, g.y_pitch)) == "");
      CHECK(test::compare_bits(one.backward_input(),
                               ConvCase::slice(dx, k, g.h * g.w, g.c, g.x_pitch)) == "");
    }
  }
}

TEST_CASE("the weight gradient of a large batch is split, and every split is added") {
  // The second leaves two of the three warpgroups of the Hopper kernel without work.
  for (const ConvShape& shape : {ConvShape{"3x3", 2, 28, 28, 32, 36, 3, 3, 1, 1},
                                 ConvShape{"1x1", 2, 25, 20, 64, 32, 1, 1, 1, 0},
                                 ConvShape{"few inputs", 2, 28, 28, 1, 36, 3, 3, 1, 1},
                                 ConvShape{"few outputs", 3, 20, 20, 40, 2, 3, 3, 2, 1}}) {
    for (const Kernels& kernels : kKernels) {
      if (kernels.math.naive) continue;
      INFO(shape.name << ", " << to_string(kernels.dtype) << ", " << text(kernels));
      CHECK(emu::conv_splits(shape.geometry(), kernels.dtype, kernels.math).splits > 1);
      // Pipelines that wrap around more than once, and more blocks than one for the same sums.
      const test::EmulatorOptions options({.check = true});
      const ConvCudaCase conv(shape.geometry(), kernels.dtype, kernels.stream());
      const Kernels sums{DType::kF32, kernels.math};
      CHECK(compare_sums(
                conv.backward_weight().dw,
                reference::conv_backward_weight(conv.g, conv.data.x.data(), conv.data.dy.data()),
                shape.n * shape.h * shape.w, sums) == "");
    }
  }
}

// Three quarters of a unit of tf32 above 1: rounded, a factor is off by a quarter of the unit and a
// product by half of what sum_limit allows; cut off, by three times that.
TEST_CASE("CUDA convolution agrees with its definition where tf32 has to round") {
  constexpr Kernels kRounded{DType::kF32, kTf32};
  ConvCudaCase conv(conv_geometry(1, 5, 6, 8, 8, 3, 3, 1, 1, false), DType::kF32,
                    kRounded.stream());
  const ConvGeometry& g = conv.g;
  for (std::vector<float>* operand : {&conv.data.x, &conv.data.w, &conv.data.dy}) {
    std::fill(operand->begin(), operand->end(), 1 + 0.75f * 0x1p-10f);
  }
  REQUIRE(emu::conv_algorithm(g, ConvPass::kForward, DType::kF32, kTf32) ==
          emu::ConvAlgorithm::kMma);
  check_forward(conv, kRounded, reference::conv_forward(g, conv.data.x.data(), conv.data.w.data()),
                {}, conv.forward({}));
  CHECK(compare_sums(conv.backward_input(),
                     reference::conv_backward_input(g, conv.data.dy.data(), conv.data.w.data()),
                     g.kh * g.kw * g.o, kRounded) == "");
}

TEST_CASE("CUDA convolution refuses what it cannot count or store") {
  const ConvGeometry g = conv_geometry(1, 4, 4, 2, 2, 3, 3, 1, 1, false);
  ConvForwardArgs args{};
  args.geometry = g;
  args.dtype = DType::kI32;
  CHECK_THROWS_AS(emu_kernels().conv_forward.fn(args, {}), ShapeError);
  const ConvGeometry huge = conv_geometry(1 << 20, 64, 64, 1, 1, 1, 1, 1, 0, false);
  args.geometry = huge;
  args.dtype = DType::kF32;
  CHECK_THROWS_AS(emu_kernels().conv_forward.fn(args, {}), ShapeError);
}

}  // namespace
}  // namespace ebb
