// Softmax, RMSNorm and embeddings: ops on rows.

#include <cmath>
#include <limits>
#include <vector>

#include "kernels/attention/softmax.h"
#include "kernels/embedding/embedding.h"
#include "kernels/norm/rms_norm.h"
#include "kernels/pointwise/convert.h"
#include "testing/backend.h"
#include "testing/catch.h"
#include "testing/compare.h"
#include "testing/gradcheck.h"
#include "testing/random_data.h"
#include "testing/reference/softmax.h"
#include "testing/reference/timestep_embedding.h"
#include "testing/storage.h"

namespace ebb::test {
namespace {

struct RowsSize {
  int64_t rows, c;
};
const std::vector<RowsSize> kSizes = {{1, 1}, {3, 7}, {5, 32}, {2, 257}, {1, 1000}};

std::vector<float> softmax(const RowsSize& s, const std::vector<float>& x, int threads = 1) {
  std::vector<float> y(x.size(), NAN);
  KernelCall call;
  call.run(&KernelTable::softmax_forward, {s.rows, s.c, DType::kF32, call.in(x), call.out(y)},
           threads);
  return y;
}

TEST_CASE("softmax: forward follows the definition, with masks and large scores", "[kernels]") {
  const TestBackend backend(GENERATE(from_range(test_backends())));
  for (const RowsSize& size : kSizes) {
    CAPTURE(backend.name(), size.rows, size.c);
    std::vector<float> x = RandomData(1).normal(size.rows * size.c, 0, 3);
    if (size.c > 5) {
      x[2] = -std::numeric_limits<float>::infinity();
      x[static_cast<size_t>(size.c) - 1] = -1e4f;
    }
    const std::vector<float> y = softmax(size, x);
    // The difference to the maximum rounds once: an error of |x| roundoffs in the exponent.
    CHECK(compare(y, reference::softmax(size.c, to_double(x)), {0, 32 * kEps32}) == "");
    CHECK(compare_bits(softmax(size, x, 3), y) == "");
    for (float& value : x) value += 1e4f;
    for (float value : softmax(size, x)) CHECK(std::isfinite(value));
  }
}

TEST_CASE("softmax: a score far above the others takes everything, wherever it stands",
          "[kernels]") {
  const TestBackend backend(GENERATE(from_range(test_backends())));
  constexpr int64_t kCount = 300;
  for (size_t position = 0; position < kCount; position += 7) {
    CAPTURE(backend.name(), position);
    std::vector<float> x = RandomData(6).normal(kCount), expected(kCount, 0.0f);
    x[position] = 1e4f;
    expected[position] = 1.0f;
    CHECK(compare_bits(softmax({1, kCount}, x), expected) == "");
  }
}

TEST_CASE("softmax: the gradient is the derivative of the definition", "[kernels]") {
  const TestBackend backend(GENERATE(from_range(test_backends())));
  const RowsSize size = {3, 9};
  RandomData random(2);
  const std::vector<float> x = random.normal(27), dy = random.normal(27), y = softmax(size, x);
  std::vector<float> dx(27, NAN);
  KernelCall call;
  call.run(&KernelTable::softmax_backward,
           {size.rows, size.c, DType::kF32, call.in(y), call.in(dy), call.out(dx)});
  const auto loss = [&](std::span<const double> at) {
    return inner_product(reference::softmax(size.c, at), to_double(dy));
  };
  CHECK(gradcheck(loss, to_double(x), to_double(dx)) == "");
}

TEST_CASE("rms_norm: divides by the root mean square", "[kernels]") {
  const TestBackend backend(GENERATE(from_range(test_backends())));
  for (const RowsSize& size : kSizes) {
    CAPTURE(backend.name(), size.rows, size.c);
    RandomData random(3);
    const std::vector<float> x = random.normal(size.rows * size.c, 3, 2);
    const std::vector<float> gamma = random.uniform(size.c, 0.5, 2);
    std::vector<double> expected;
    for (int64_t r = 0; r < size.rows; ++r) {
      double mean = 0;
      for (int64_t c = 0; c < size.c; ++c) {
        mean += std::pow(x[r * size.c + c], 2) / static_cast<double>(size.c);
      }
      for (int64_t c = 0; c < size.c; ++c) {
        expected.push_back(x[r * size.c + c] / std::sqrt(mean + 1e-6) * gamma[c]);
      }
    }
    std::vector<float> y(x.size(), NAN), in_place = x;
    KernelCall call;
    call.run(&KernelTable::rms_norm_forward, {size.rows, size.c, DType::kF32, 1e-6f, call.in(x),
                                              call.in(gamma), call.out(y), nullptr});
    CHECK(compare(y, expected, {0, 4 * kEps32}) == "");
    KernelCall same;
    same.run(&KernelTable::rms_norm_forward,
             {size.rows, size.c, DType::kF32, 1e-6f, same.inout(in_place), same.in(gamma),
              same.inout(in_place), nullptr});
    CHECK(compare_bits(in_place, y) == "");
  }
}

TEST_CASE("softmax and rms_norm: 16-bit storage rounds inputs and outputs only", "[kernels]") {
  const TestBackend backend(GENERATE(from_range(test_backends())));
  if (!backend.emulated()) return;  // CPU kernels store f32 only
  const DType dtype = GENERATE(DType::kBF16, DType::kF16);
  const std::vector<float> x = rounded(RandomData(4).normal(3 * 40), dtype);
  const std::vector<float> ones(40, 1.0f);
  const std::vector<uint16_t> bits = to_storage(x, dtype);
  std::vector<uint16_t> y(bits.size()), z(bits.size());
  KernelCall call;
  call.run(&KernelTable::softmax_forward, {3, 40, dtype, call.in(bits), call.out(y)});
  CHECK(compare(from_storage(y, dtype), reference::softmax(40, to_double(x)),
                {0, 1.01 * roundoff(dtype)}) == "");
  KernelCall norm;
  norm.run(&KernelTable::rms_norm_forward,
           {3, 40, dtype, 0.0f, norm.in(bits), norm.in(ones), norm.out(z), nullptr});
  std::vector<double> squares(3);
  for (size_t i = 0; i < x.size(); ++i) squares[i / 40] += static_cast<double>(x[i]) * x[i] / 40;
  std::vector<double> expected;
  for (size_t i = 0; i < x.size(); ++i) expected.push_back(x[i] / std::sqrt(squares[i / 40]));
  CHECK(compare(from_storage(z, dtype), expected, {0, 1.01 * roundoff(dtype)}) == "");
}

TEST_CASE("embedding: takes rows by number and shows numbers that do not exist", "[kernels]") {
  const TestBackend backend(GENERATE(from_range(test_backends())));
  const int64_t c = GENERATE(1, 7, 8, 300);
  const std::vector<float> table = RandomData(5).normal(11 * c);
  const std::vector<int32_t> ids = {3, 0, 10, 3, 11, -1};
  std::vector<float> y(ids.size() * static_cast<size_t>(c), 0.0f);
  KernelCall call;
  call.run(&KernelTable::embedding, {static_cast<int64_t>(ids.size()), 11, c, DType::kF32,
                                     call.in(ids), call.in(table), call.out(y)});
  for (size_t i = 0; i < ids.size(); ++i) {
    for (int64_t k = 0; k < c; ++k) {
      const float value = y[i * static_cast<size_t>(c) + k];
      if (ids[i] < 0 || ids[i] > 10) {
        CHECK(std::isnan(value));
      } else {
        CHECK(value == table[ids[i] * c + k]);
      }
    }
  }
}

// Gradients of a table of `entries` rows for ids that hit some rows often, some never, none at all.
struct EmbeddingProblem {
  int64_t entries, c;
  std::vector<int32_t> ids;
  std::vector<float> dy;

  EmbeddingProblem(int64_t count, int64_t entries_in, int64_t c_in) : entries(entries_in), c(c_in) {
    RandomData random(static_cast<uint64_t>(count * 1000 + c));
    for (int64_t i = 0; i < count; ++i) {
      ids.push_back(static_cast<int32_t>(random.integer(-1, entries) / 2 * 2));
    }
    dy = random.normal(count * c);
  }
  int64_t count() const { return static_cast<int64_t>(ids.size()); }
};

TEST_CASE("embedding: the gradient adds up the rows of every id", "[kernels]") {
  const TestBackend backend(GENERATE(from_range(test_backends())));
  for (const EmbeddingProblem& p :
       {EmbeddingProblem(1, 1, 1), EmbeddingProblem(31, 3, 7), EmbeddingProblem(32, 40, 8),
        EmbeddingProblem(131, 11, 64), EmbeddingProblem(65, 5, 300)}) {
    CAPTURE(backend.name(), p.count(), p.entries, p.c);
    std::vector<double> expected(static_cast<size_t>(p.entries * p.c), 0), size(expected);
    for (int64_t i = 0; i < p.count() * p.c; ++i) {
      const int64_t id = p.ids[i / p.c];
      if (id < 0 || id >= p.entries) continue;
      expected[id * p.c + i % p.c] += p.dy[i];
      size[id * p.c + i % p.c] += std::fabs(p.dy[i]);
    }
    const auto gradient = [&](int threads) {
      std::vector<float> dtable(expected.size(), NAN);
      KernelCall call;
      call.run(
          &KernelTable::embedding_backward,
          {p.count(), p.entries, p.c, DType::kF32, call.in(p.ids), call.in(p.dy), call.out(dtable)},
          threads);
      return dtable;
    };
    // Sums of at most 131 terms, each rounded once.
    CHECK(compare_sums(gradient(1), expected, size, 131) == "");
    CHECK(compare_bits(gradient(3), gradient(1)) == "");
  }
}

TEST_CASE("embedding: a gradient in 16-bit storage adds up in f32", "[kernels]") {
  const TestBackend backend(GENERATE(from_range(test_backends())));
  if (!backend.emulated()) return;  // CPU kernels store f32 only
  const DType dtype = GENERATE(DType::kBF16, DType::kF16);
  const std::vector<int32_t> ids(300, 1);
  const std::vector<uint16_t> dy = to_storage(std::vector<float>(300 * 3, 1.0f), dtype);
  std::vector<float> dtable(2 * 3, NAN);
  KernelCall call;
  call.run(&KernelTable::embedding_backward,
           {300, 2, 3, dtype, call.in(ids), call.in(dy), call.out(dtable)});
  CHECK(dtable == std::vector<float>{0, 0, 0, 300, 300, 300});
}

TEST_CASE("convert: rounds to nearest even and widens without loss", "[kernels]") {
  const TestBackend backend(GENERATE(from_range(test_backends())));
  const DType dtype = GENERATE(DType::kBF16, DType::kF16);
  const int64_t count = GENERATE(1, 7, 8, 1037);
  CAPTURE(backend.name(), to_string(dtype), count);
  std::vector<float> x = RandomData(9).normal(count, 0, 3);
  x[0] = std::numeric_limits<float>::infinity();
  std::vector<uint16_t> half(x.size());
  KernelCall narrow;
  narrow.run(&KernelTable::convert, {count, DType::kF32, dtype, narrow.in(x), narrow.out(half)}, 2);
  CHECK(half == to_storage(x, dtype));
  std::vector<float> back(x.size(), NAN);
  KernelCall widen;
  widen.run(&KernelTable::convert, {count, dtype, DType::kF32, widen.in(half), widen.out(back)});
  CHECK(compare_bits(back, from_storage(half, dtype)) == "");
}

TEST_CASE("convert: operands may begin at any element", "[kernels]") {
  const TestBackend backend(GENERATE(from_range(test_backends())));
  const int64_t x_first = GENERATE(0, 1), y_first = GENERATE(0, 1), count = 29;
  CAPTURE(backend.name(), x_first, y_first);
  const std::vector<float> x = RandomData(10).normal(x_first + count, 0, 3);
  std::vector<uint16_t> y(static_cast<size_t>(y_first + count), 7);
  KernelCall call;
  call.run(&KernelTable::convert,
           {count, DType::kF32, DType::kF16, call.in(x) + x_first, call.inout(y) + y_first}, 2);
  std::vector<uint16_t> expected = to_storage({x.begin() + x_first, x.end()}, DType::kF16);
  expected.insert(expected.begin(), static_cast<size_t>(y_first), uint16_t{7});
  CHECK(y == expected);
}

TEST_CASE("convert: reads and writes nothing but floating-point types", "[kernels]") {
  const TestBackend backend(GENERATE(from_range(test_backends())));
  ConvertArgs args{};
  args.from = DType::kI32;
  CHECK_THROWS_AS(current_kernels().convert.fn(args, {}), ShapeError);
}

TEST_CASE("timestep_embedding: sines and cosines of geometric frequencies", "[kernels]") {
  const TestBackend backend(GENERATE(from_range(test_backends())));
  const int64_t c = GENERATE(2, 9, 64);
  const bool sin_first = GENERATE(false, true);
  const double shift = GENERATE(0.0, 0.5);
  const std::vector<float> t = {0, 1, 999, 12.5f};
  std::vector<float> y(t.size() * static_cast<size_t>(c), NAN);
  KernelCall call;
  call.run(&KernelTable::timestep_embedding,
           {static_cast<int64_t>(t.size()), c, 10000.0, shift, sin_first, call.in(t), call.out(y)});
  const std::vector<double> expected =
      reference::timestep_embedding({c, 10000.0, shift, sin_first}, to_double(t));
  CHECK(compare(y, expected, {1e-9, kEps32}) == "");
}

}  // namespace
}  // namespace ebb::test
