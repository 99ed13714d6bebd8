#include "kernels/pointwise/broadcast.h"

#include <array>
#include <cmath>
#include <vector>

#include "testing/backend.h"
#include "testing/catch.h"
#include "testing/compare.h"
#include "testing/cpu_stream.h"
#include "testing/gradcheck.h"
#include "testing/random_data.h"
#include "testing/reference/broadcast.h"

namespace ebb::test {
namespace {

using reference::BroadcastSize;

constexpr std::array kOps = {BroadcastOp::kAdd, BroadcastOp::kMultiply};

struct Data {
  std::vector<float> x, s, dy;

  explicit Data(const BroadcastSize& size) {
    RandomData random(1);
    x = random.normal(size.x_n * size.pixels * size.c);
    s = random.normal(size.s_n * size.c);
    dy = random.normal(size.n * size.pixels * size.c);
  }
};

std::vector<float> forward(const BroadcastSize& size, const Data& data, int threads = 1) {
  std::vector<float> y(data.dy.size(), NAN);
  KernelCall call;
  call.run(&KernelTable::broadcast_forward,
           {size.op, size.n, size.pixels, size.c, size.x_n, size.s_n, DType::kF32, call.in(data.x),
            call.in(data.s), call.out(y)},
           threads);
  return y;
}

struct Gradients {
  std::vector<float> dx, ds;
};

Gradients backward(const BroadcastSize& size, const Data& data, int threads = 1) {
  Gradients g = {std::vector<float>(data.dy.size(), NAN), std::vector<float>(data.s.size(), NAN)};
  KernelCall call;
  call.run(&KernelTable::broadcast_backward,
           {size.op, size.n, size.pixels, size.c, DType::kF32, call.in(data.x), call.in(data.s),
            call.in(data.dy), call.out(g.dx), call.out(g.ds)},
           threads);
  return g;
}

TEST_CASE("broadcast: forward combines every image with its vector", "[kernels]") {
  const TestBackend backend(GENERATE(from_range(test_backends())));
  const BroadcastOp op = GENERATE(from_range(kOps));
  const BroadcastSize sizes[] = {
      {op, 1, 1, 1, 1, 1},   {op, 3, 49, 7, 3, 3}, {op, 6, 5, 10, 2, 6},    {op, 6, 5, 13, 6, 2},
      {op, 4, 1, 130, 2, 4}, {op, 4, 9, 3, 1, 2},  {op, 2, 66000, 1, 2, 2}, {op, 2, 196, 64, 2, 1}};
  for (const BroadcastSize& size : sizes) {
    CAPTURE(size.n, size.pixels, size.c, size.x_n, size.s_n);
    const Data data(size);
    const auto expected = reference::broadcast_forward(size, to_double(data.x), to_double(data.s));
    CHECK(compare(forward(size, data), expected, {0, kEps32}) == "");
  }
}

TEST_CASE("broadcast: images of one pixel are added as a residual, chunk by chunk", "[kernels]") {
  const TestBackend backend(GENERATE(from_range(test_backends())));
  const BroadcastOp op = GENERATE(from_range(kOps));
  // Shorter and longer than the CPU's chunks of 16384; batches read modulo theirs.
  const BroadcastSize sizes[] = {{op, 1, 1, 16384, 1, 1},
                                 {op, 2, 1, 35001, 2, 2},
                                 {op, 6, 1, 16400, 2, 6},
                                 {op, 6, 1, 77, 6, 3}};
  for (const BroadcastSize& size : sizes) {
    CAPTURE(backend.name(), size.n, size.c, size.x_n, size.s_n);
    const Data data(size);
    const std::vector<float> y = forward(size, data);
    const auto expected = reference::broadcast_forward(size, to_double(data.x), to_double(data.s));
    CHECK(compare(y, expected, {0, kEps32}) == "");
    for (int threads : kThreadCounts) CHECK(compare_bits(forward(size, data, threads), y) == "");
    if (size.x_n != size.n || size.s_n != size.n) continue;
    const Gradients g = backward(size, data);
    const auto gradients = reference::broadcast_backward(size, to_double(data.x), to_double(data.s),
                                                         to_double(data.dy));
    CHECK(compare(g.dx, gradients.dx, {0, kEps32}) == "");
    CHECK(compare(g.ds, gradients.ds, {0, kEps32}) == "");
  }
}

TEST_CASE("broadcast: backward sums over the pixels of an image", "[kernels]") {
  const TestBackend backend(GENERATE(from_range(test_backends())));
  const BroadcastOp op = GENERATE(from_range(kOps));
  const BroadcastSize sizes[] = {{op, 1, 1, 1, 1, 1},
                                 {op, 3, 49, 7, 3, 3},
                                 {op, 2, 196, 130, 2, 2},
                                 {op, 2, 66000, 3, 2, 2},
                                 {op, 3, 131, 36, 3, 3}};
  for (const BroadcastSize& size : sizes) {
    CAPTURE(size.n, size.pixels, size.c);
    const Data data(size);
    const auto expected = reference::broadcast_backward(size, to_double(data.x), to_double(data.s),
                                                        to_double(data.dy));
    const Gradients g = backward(size, data);
    CHECK(compare(g.dx, expected.dx, {0, kEps32}) == "");
    CHECK(compare_sums(g.ds, expected.ds, expected.ds_magnitude, 1) == "");
  }
}

TEST_CASE("broadcast: threads do not change a bit", "[kernels]") {
  const BroadcastSize size = {GENERATE(from_range(kOps)), 3, 1000, 37, 3, 3};
  const Data data(size);
  const Gradients one = backward(size, data);
  for (int threads : kThreadCounts) {
    CHECK(compare_bits(forward(size, data, threads), forward(size, data)) == "");
    const Gradients several = backward(size, data, threads);
    CHECK(compare_bits(several.dx, one.dx) == "");
    CHECK(compare_bits(several.ds, one.ds) == "");
  }
}

TEST_CASE("broadcast: outputs may alias inputs and may be absent", "[kernels]") {
  const TestBackend backend(GENERATE(from_range(test_backends())));
  const BroadcastSize size = {GENERATE(from_range(kOps)), 3, 10, 7, 3, 3};
  const Data data(size);
  std::vector<float> y = data.x;
  KernelCall in_place;
  in_place.run(&KernelTable::broadcast_forward,
               {size.op, 3, 10, 7, 3, 3, DType::kF32, in_place.inout(y), in_place.in(data.s),
                in_place.inout(y)});
  CHECK(compare_bits(y, forward(size, data)) == "");

  const Gradients expected = backward(size, data);
  std::vector<float> dx = data.dy, ds(data.s.size(), NAN);
  KernelCall over_dy;
  over_dy.run(&KernelTable::broadcast_backward,
              {size.op, 3, 10, 7, DType::kF32, over_dy.in(data.x), over_dy.in(data.s),
               over_dy.inout(dx), over_dy.inout(dx), over_dy.out(ds)});
  CHECK(compare_bits(dx, expected.dx) == "");
  CHECK(compare_bits(ds, expected.ds) == "");

  std::fill(ds.begin(), ds.end(), NAN);
  KernelCall only_ds;
  only_ds.run(&KernelTable::broadcast_backward,
              {size.op, 3, 10, 7, DType::kF32, only_ds.in(data.x), only_ds.in(data.s),
               only_ds.in(data.dy), nullptr, only_ds.out(ds)});
  CHECK(compare_bits(ds, expected.ds) == "");
  std::fill(dx.begin(), dx.end(), NAN);
  KernelCall only_dx;
  only_dx.run(&KernelTable::broadcast_backward,
              {size.op, 3, 10, 7, DType::kF32, only_dx.in(data.x), only_dx.in(data.s),
               only_dx.in(data.dy), only_dx.out(dx), nullptr});
  CHECK(compare_bits(dx, expected.dx) == "");
}

TEST_CASE("broadcast: reference gradients are derivatives of the reference", "[kernels]") {
  const BroadcastSize size = {GENERATE(from_range(kOps)), 2, 5, 3, 2, 2};
  const Data data(size);
  const std::vector<double> x = to_double(data.x), s = to_double(data.s), dy = to_double(data.dy);
  const auto g = reference::broadcast_backward(size, x, s, dy);
  const auto loss_of_x = [&](std::span<const double> at) {
    return inner_product(reference::broadcast_forward(size, at, s), dy);
  };
  const auto loss_of_s = [&](std::span<const double> at) {
    return inner_product(reference::broadcast_forward(size, x, at), dy);
  };
  CHECK(gradcheck(loss_of_x, x, g.dx) == "");
  CHECK(gradcheck(loss_of_s, s, g.ds) == "");
}

}  // namespace
}  // namespace ebb::test
