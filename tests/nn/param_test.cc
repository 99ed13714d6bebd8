#include "nn/param.h"

#include "testing/catch.h"
#include "testing/random_data.h"

namespace ebb {
namespace {

ParamSpec weight(const Shape& shape, ParamLayout layout) { return {"w", shape, {layout}}; }

std::vector<float> to_engine(const ParamSpec& spec, const std::vector<float>& torch) {
  std::vector<float> engine(torch.size());
  torch_to_engine(spec, torch, engine);
  return engine;
}

TEST_CASE("PyTorch's shape of a weight has channels first", "[nn]") {
  CHECK(torch_shape(weight({2, 3, 5, 7}, ParamLayout::kConv)) == Shape{2, 7, 3, 5});
  CHECK(torch_shape(weight({2, 3, 5, 7}, ParamLayout::kConvTranspose)) == Shape{7, 2, 3, 5});
  CHECK(torch_shape(weight({2, 3}, ParamLayout::kPlain)) == Shape{2, 3});
}

TEST_CASE("every element of a weight moves to its place", "[nn]") {
  const int64_t o_count = 2, kh = 3, kw = 5, c_count = 4;
  for (const ParamLayout layout : {ParamLayout::kConv, ParamLayout::kConvTranspose}) {
    const ParamSpec spec = weight({o_count, kh, kw, c_count}, layout);
    const std::vector<float> torch = test::RandomData(1).normal(spec.shape.elements());
    const std::vector<float> engine = to_engine(spec, torch);
    int wrong = 0;
    for (int64_t o = 0; o < o_count; ++o) {
      for (int64_t y = 0; y < kh; ++y) {
        for (int64_t x = 0; x < kw; ++x) {
          for (int64_t c = 0; c < c_count; ++c) {
            const int64_t oihw = ((o * c_count + c) * kh + y) * kw + x;
            const int64_t iohw = ((c * o_count + o) * kh + y) * kw + x;
            const float expected = torch[layout == ParamLayout::kConv ? oihw : iohw];
            wrong += engine[((o * kh + y) * kw + x) * c_count + c] != expected;
          }
        }
      }
    }
    CHECK(wrong == 0);
  }
}

TEST_CASE("layouts convert there and back without loss", "[nn]") {
  for (const ParamLayout layout :
       {ParamLayout::kPlain, ParamLayout::kConv, ParamLayout::kConvTranspose}) {
    const ParamSpec spec = weight({6, 4, 4, 5}, layout);
    const std::vector<float> torch = test::RandomData(2).normal(spec.shape.elements());
    std::vector<float> back(torch.size());
    engine_to_torch(spec, to_engine(spec, torch), back);
    CHECK(back == torch);
  }
}

}  // namespace
}  // namespace ebb
