// The kernel table around a vendor's convolutions, with loops in double precision as the vendor and
// the emulated CUDA kernels for all else: what is tested is everything between the two.

#include <algorithm>
#include <functional>
#include <vector>

#include "bench/vendor/table.h"
#include "testing/catch.h"
#include "testing/compare.h"
#include "testing/emulated.h"
#include "testing/op_cases.h"
#include "testing/storage.h"
#include "tests/kernels/conv/conv_cuda_case.h"

namespace ebb {
namespace {

float read(const void* data, int64_t i, DType dtype) {
  if (dtype == DType::kF32) return static_cast<const float*>(data)[i];
  const uint16_t bits = static_cast<const uint16_t*>(data)[i];
  return dtype == DType::kBF16 ? bf16_to_f32(bits) : f16_to_f32(bits);
}

void write(void* data, const std::vector<double>& values, DType dtype) {
  for (size_t i = 0; i < values.size(); ++i) {
    const float value = static_cast<float>(values[i]);
    if (dtype == DType::kF32) {
      static_cast<float*>(data)[i] = value;
    } else {
      static_cast<uint16_t*>(data)[i] =
          dtype == DType::kBF16 ? f32_to_bf16(value) : f32_to_f16(value);
    }
  }
  simt::emulator::mark_initialized(data, static_cast<int64_t>(values.size()) * size_of(dtype));
}

// An ordinary convolution from a large image to a small one, with a filter [K][KH][KW][C], as cuDNN
// understands the words. meet(large element, filter element, small element) for all that meet.
void for_each_product(const ConvGeometry& g,
                      const std::function<void(int64_t, int64_t, int64_t)>& meet) {
  const int64_t lh = g.transposed ? g.ho : g.h, lw = g.transposed ? g.wo : g.w;
  const int64_t sh = g.transposed ? g.h : g.ho, sw = g.transposed ? g.w : g.wo;
  const int64_t c = g.transposed ? g.o : g.c, k = g.transposed ? g.c : g.o;
  for (int64_t n = 0; n < g.n; ++n) {
    for (int64_t y = 0; y < sh; ++y) {
      for (int64_t x = 0; x < sw; ++x) {
        for (int64_t ky = 0; ky < g.kh; ++ky) {
          for (int64_t kx = 0; kx < g.kw; ++kx) {
            const int64_t ly = y * g.stride - g.pad + ky, lx = x * g.stride - g.pad + kx;
            if (ly < 0 || ly >= lh || lx < 0 || lx >= lw) continue;
            for (int64_t ik = 0; ik < k; ++ik) {
              for (int64_t ic = 0; ic < c; ++ic) {
                meet(((n * lh + ly) * lw + lx) * c + ic, ((ik * g.kh + ky) * g.kw + kx) * c + ic,
                     ((n * sh + y) * sw + x) * k + ik);
              }
            }
          }
        }
      }
    }
  }
}

struct Loops {
  static constexpr VendorMath kMath = VendorMath::kF32;
  static constexpr int64_t kBytes = 100;  // not a multiple of anything

  static const KernelTable& ebb() { return emu_kernels(); }
  static int64_t bytes(const VendorConv&, ConvPass) { return kBytes; }
  static void run(const VendorConv& c, ConvPass pass, const VendorConvPointers& at, KernelStream) {
    std::fill_n(static_cast<char*>(at.scratch), kBytes, '\x7f');  // it is the vendor's to write
    const void* const large = c.g.transposed ? at.y : at.x;
    const void* const small = c.g.transposed ? at.x : at.y;
    const bool weight = pass == ConvPass::kBackwardWeight;
    const bool to_small = (pass == ConvPass::kForward) != c.g.transposed;
    const int64_t counts[] = {c.g.transposed ? c.x_count() : c.y_count(),
                              c.g.transposed ? c.y_count() : c.x_count()};
    std::vector<double> sums(static_cast<size_t>(weight ? c.w_count() : counts[to_small ? 0 : 1]));
    for_each_product(c.g, [&](int64_t l, int64_t w, int64_t s) {
      if (weight) {
        sums[w] += double{read(large, l, c.dtype)} * read(small, s, c.dtype);
      } else if (to_small) {
        sums[s] += double{read(large, l, c.dtype)} * read(at.w, w, c.dtype);
      } else {
        sums[l] += double{read(small, s, c.dtype)} * read(at.w, w, c.dtype);
      }
    });
    write(weight ? at.w : const_cast<void*>(to_small ? small : large), sums, c.dtype);
  }
  static void bias_gradient(const VendorConv& c, const void* dy, void* db, KernelStream) {
    std::vector<double> sums(static_cast<size_t>(c.g.o));
    for (int64_t i = 0; i < c.y_count(); ++i) sums[i % c.g.o] += read(dy, i, c.dtype);
    write(db, sums, c.dtype);
  }
  static void widen(DType dtype, const void* from, int64_t count, float* to, KernelStream) {
    std::vector<double> values;
    for (int64_t i = 0; i < count; ++i) values.push_back(read(from, i, dtype));
    write(to, values, DType::kF32);
  }
};

// Products are summed in double, so only the storing rounds: the result, before an activation of
// slope up to 1.13 the sum and each addend, all of them below the sum of magnitudes.
std::string compare_sums(const std::vector<float>& rows, const std::vector<reference::Sum>& sums,
                         int64_t row, int64_t pitch, DType dtype,
                         Activation activation = Activation::kNone) {
  std::vector<float> actual;
  std::vector<double> expected;
  for (size_t i = 0; i < sums.size(); ++i) {
    const size_t at =
        i / static_cast<size_t>(row) * static_cast<size_t>(pitch) + i % static_cast<size_t>(row);
    actual.push_back(rows[at]);
    expected.push_back(reference::activate(activation, sums[i].value));
  }
  return test::compare_with<float>(actual, expected, [&](size_t i) {
    return 5 * test::roundoff(dtype) * sums[i].magnitude + 1e-6;
  });
}

bool gaps_untouched(const std::vector<float>& rows, int64_t row, int64_t pitch, DType dtype) {
  const float gap = test::rounded({kGap}, dtype)[0];
  for (size_t i = 0; i < rows.size(); ++i) {
    if (static_cast<int64_t>(i) % pitch >= row && rows[i] != gap) return false;
  }
  return true;
}

// The same with all that an epilogue can do: a product and a sum more, of factors below 1.
void check_epilogue(const ConvCudaCase& c, const std::vector<reference::Sum>& sums, DType dtype) {
  const ConvOptions options{
      .residual_n = 1, .activation = Activation::kGelu, .scale_n = 1, .shift_n = c.g.n};
  const std::vector<float> rows = c.forward(options);
  const int64_t pixels = c.g.ho * c.g.wo;
  std::vector<float> actual;
  std::vector<double> expected, limits;
  for (int64_t i = 0; i < c.g.n * pixels * c.g.o; ++i) {
    const Modulation m = c.data.modulation(options, i / c.g.o / pixels, i % c.g.o);
    actual.push_back(rows[i / c.g.o * c.g.y_pitch + i % c.g.o]);
    expected.push_back(reference::activate(options.activation, sums[i].value) * m.scale + m.shift);
    limits.push_back(7 * test::roundoff(dtype) * (sums[i].magnitude + std::abs(m.shift)) + 1e-6);
  }
  CHECK(test::compare_with<float>(actual, expected, [&](size_t i) { return limits[i]; }) == "");
}

// cuDNN's filters have no padded channels, so 16-bit types want whole packs.
bool fits(const ConvGeometry& g, DType dtype) {
  return dtype == DType::kF32 || (g.c % 8 == 0 && g.o % 8 == 0);
}

TEST_CASE("vendor table: all three passes of every shape agree with their definitions") {
  const test::EmulatorOptions options({.check = true});
  const DType dtype = GENERATE(DType::kF32, DType::kBF16);
  const KernelTable table = vendor_table<Loops>();
  int64_t tested = 0;
  for (const ConvShape& shape : kEdgeConvs) {
    if (!fits(shape.geometry(), dtype)) continue;
    INFO(shape.name << ", " << to_string(dtype));
    const ConvCudaCase c(shape.geometry(), dtype, /*stream=*/{}, table);
    const ConvGeometry& g = c.g;
    const std::vector<float> w = c.weights();
    const float* const x = c.data.x.data();
    const float* const dy = c.data.dy.data();

    std::vector<reference::Sum> y = reference::conv_forward(g, x, w.data());
    const std::vector<float> plain = c.forward({.bias = false});
    CHECK(compare_sums(plain, y, g.o, g.y_pitch, dtype) == "");
    CHECK(gaps_untouched(plain, g.o, g.y_pitch, dtype));
    const int64_t image = g.ho * g.wo * g.o;
    for (int64_t i = 0; i < g.n * image; ++i) {
      y[i].add(c.data.bias[i % g.o]);
      y[i].add(c.data.residual[i % image]);
    }
    CHECK(compare_sums(c.forward({.residual_n = 1, .activation = Activation::kGelu}), y, g.o,
                       g.y_pitch, dtype, Activation::kGelu) == "");

    check_epilogue(c, y, dtype);

    const std::vector<float> dx = c.backward_input();
    CHECK(compare_sums(dx, reference::conv_backward_input(g, dy, w.data()), g.c, g.x_pitch,
                       dtype) == "");
    CHECK(gaps_untouched(dx, g.c, g.x_pitch, dtype));

    const ConvCase::WeightGradient gradient = c.backward_weight();
    const int64_t weights = static_cast<int64_t>(gradient.dw.size());
    CHECK(compare_sums(gradient.dw, reference::conv_backward_weight(g, x, dy), weights, weights,
                       dtype) == "");
    CHECK(compare_sums(gradient.db, reference::conv_backward_bias(g, dy), g.o, g.o, dtype) == "");
    ++tested;
  }
  CHECK(tested >= (dtype == DType::kF32 ? 30 : 8));
}

}  // namespace
}  // namespace ebb
