#include "kernels/spatial/upsample.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "testing/backend.h"
#include "testing/catch.h"
#include "testing/compare.h"
#include "testing/gradcheck.h"
#include "testing/op_cases.h"
#include "testing/random_data.h"

namespace ebb::test {
namespace {

// The definition in double, one output at a time.
std::vector<double> reference_upsample(Interpolation interpolation, const UpsampleSize& s,
                                       std::span<const double> x) {
  std::vector<double> y;
  const auto at = [&](int64_t n, int64_t i, int64_t j, int64_t c) {
    return x[((n * s.h + i) * s.w + j) * s.c + c];
  };
  const auto position = [](int64_t out, int64_t in_size, int64_t out_size) {
    const double ratio = static_cast<double>(in_size) / static_cast<double>(out_size);
    return std::max(0.0, (static_cast<double>(out) + 0.5) * ratio - 0.5);
  };
  for (int64_t n = 0; n < s.n; ++n) {
    for (int64_t i = 0; i < s.ho; ++i) {
      for (int64_t j = 0; j < s.wo; ++j) {
        for (int64_t c = 0; c < s.c; ++c) {
          if (interpolation == Interpolation::kNearest) {
            y.push_back(at(n, i * s.h / s.ho, j * s.w / s.wo, c));
            continue;
          }
          const double pi = position(i, s.h, s.ho), pj = position(j, s.w, s.wo);
          double sum = 0;
          for (int64_t a = 0; a < s.h; ++a) {
            for (int64_t b = 0; b < s.w; ++b) {
              // Beyond the last row lies the last row again.
              const double di = a == s.h - 1 ? std::max(0.0, 1 - std::max(0.0, a - pi))
                                             : std::max(0.0, 1 - std::fabs(pi - a));
              const double dj = b == s.w - 1 ? std::max(0.0, 1 - std::max(0.0, b - pj))
                                             : std::max(0.0, 1 - std::fabs(pj - b));
              sum += di * dj * at(n, a, b, c);
            }
          }
          y.push_back(sum);
        }
      }
    }
  }
  return y;
}

TEST_CASE("upsample: nearest and bilinear follow their definitions", "[kernels]") {
  const TestBackend backend(GENERATE(from_range(test_backends())));
  const Interpolation interpolation = GENERATE(Interpolation::kNearest, Interpolation::kBilinear);
  for (const UpsampleCase& c : cases_of(CaseSet::kEdge, kUpsampleCases)) {
    const UpsampleSize& s = c.size;
    CAPTURE(backend.name(), static_cast<int>(interpolation), c.name);
    const std::vector<float> x = RandomData(1).normal(s.n * s.h * s.w * s.c);
    std::vector<float> y(static_cast<size_t>(s.n * s.ho * s.wo * s.c), NAN);
    for (int threads : {1, 3}) {
      KernelCall call;
      call.run(&KernelTable::upsample_forward,
               {interpolation, s, DType::kF32, call.in(x), call.out(y)}, threads);
      // Three interpolations of numbers below 5, each two roundings.
      CHECK(compare(y, reference_upsample(interpolation, s, to_double(x)), {6 * 5 * kEps32, 0}) ==
            "");
    }
  }
}

TEST_CASE("upsample: gradients are the derivatives of the definitions", "[kernels]") {
  const TestBackend backend(GENERATE(from_range(test_backends())));
  const Interpolation interpolation = GENERATE(Interpolation::kNearest, Interpolation::kBilinear);
  for (const UpsampleCase& c : cases_of(CaseSet::kEdge, kUpsampleCases)) {
    const UpsampleSize& s = c.size;
    CAPTURE(backend.name(), static_cast<int>(interpolation), c.name);
    RandomData random(2);
    const std::vector<float> x = random.normal(s.n * s.h * s.w * s.c);
    const std::vector<float> dy = random.normal(s.n * s.ho * s.wo * s.c);
    std::vector<float> dx(x.size(), NAN);
    KernelCall call;
    call.run(&KernelTable::upsample_backward,
             {interpolation, s, DType::kF32, call.in(dy), call.out(dx)});
    const auto loss = [&](std::span<const double> at) {
      return inner_product(reference_upsample(interpolation, s, at), to_double(dy));
    };
    CHECK(gradcheck(loss, to_double(x), to_double(dx)) == "");
  }
}

}  // namespace
}  // namespace ebb::test
