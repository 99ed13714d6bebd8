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
#include "testing/reference/upsample.h"

namespace ebb::test {
namespace {

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
      CHECK(compare(y, reference::upsample(interpolation, s, to_double(x)), {6 * 5 * kEps32, 0}) ==
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
      return inner_product(reference::upsample(interpolation, s, at), to_double(dy));
    };
    CHECK(gradcheck(loss, to_double(x), to_double(dx)) == "");
  }
}

}  // namespace
}  // namespace ebb::test
