#include "engine/tensor.h"

#include <cstring>
#include <numeric>

#include "testing/catch.h"
#include "testing/contexts.h"
#include "testing/errors.h"
#include "testing/tensors.h"

namespace ebb {
namespace {

using test::message_of;
using test::tensor_of;

std::vector<float> counting(int64_t count) {
  std::vector<float> values(static_cast<size_t>(count));
  std::iota(values.begin(), values.end(), 0.0f);
  return values;
}

TEST_CASE("a tensor holds what it was given", "[engine]") {
  const auto context = test::cpu_context();
  const Tensor t = tensor_of(*context, {2, 3, 4}, counting(24));
  CHECK(t.to_host() == counting(24));
  CHECK(t.elements() == 24);
  CHECK(t.bytes() == 96);
  CHECK(t.pitch() == 4);
  CHECK(t.dense());
  CHECK(reinterpret_cast<uintptr_t>(t.raw()) % Allocator::kAlignment == 0);
  CHECK(t.data<float>()[5] == 5);
  const Tensor bytes = Tensor::from_host(*context, {3}, std::vector<uint8_t>{1, 2, 255});
  CHECK(bytes.data<uint8_t>()[2] == 255);
  const Tensor ints = Tensor::from_host(*context, {2}, std::vector<int32_t>{-7, 1 << 30});
  CHECK(ints.data<int32_t>()[1] == 1 << 30);
}

TEST_CASE("zeros are zero and copies share memory", "[engine]") {
  test::PoisonedContext poisoned;
  const Tensor t = Tensor::zeros(poisoned.get(), {3, 5});
  CHECK(t.to_host() == std::vector<float>(15, 0.0f));
  const Tensor same = t;
  same.data<float>()[7] = 3;
  CHECK(t.to_host()[7] == 3);
  same.fill_zero();
  CHECK(t.to_host()[7] == 0);
}

TEST_CASE("memory lives as long as its last view and then goes back", "[engine]") {
  test::PoisonedContext poisoned;
  Tensor view;
  {
    const Tensor t = tensor_of(poisoned.get(), {4, 8}, counting(32));
    view = t.range(8, {8}).reshape({2, 4}).channels(1, 2);
  }
  CHECK(poisoned.allocator().stats().bytes_in_use == 128);
  CHECK(view.to_host() == std::vector<float>{9, 10, 13, 14});
  view = Tensor();
  CHECK(poisoned.allocator().stats().bytes_in_use == 0);
  CHECK(poisoned.allocator().damaged_blocks() == 0);
}

TEST_CASE("a tensor outlives the context that made it", "[engine]") {
  Tensor t;
  {
    const auto context = test::cpu_context();
    t = tensor_of(*context, {3}, {1, 2, 3});
  }
  CHECK(t.to_host() == std::vector<float>{1, 2, 3});
}

TEST_CASE("a channel range is a pitched view of the same memory", "[engine]") {
  const auto context = test::cpu_context();
  const Tensor t = tensor_of(*context, {2, 2, 5}, counting(20));
  const Tensor view = t.channels(1, 3);
  CHECK(view.shape() == Shape{2, 2, 3});
  CHECK(view.pitch() == 5);
  CHECK_FALSE(view.dense());
  CHECK(view.to_host() == std::vector<float>{1, 2, 3, 6, 7, 8, 11, 12, 13, 16, 17, 18});
  CHECK(view.channels(1, 1).to_host() == std::vector<float>{2, 7, 12, 17});
  CHECK(t.channels(0, 5).dense());
  CHECK(t.channels(2, 0).to_host().empty());
}

TEST_CASE("ranges and reshapes see consecutive elements", "[engine]") {
  const auto context = test::cpu_context();
  const Tensor t = tensor_of(*context, {2, 6}, counting(12));
  CHECK(t.range(4, {2, 3}).to_host() == std::vector<float>{4, 5, 6, 7, 8, 9});
  CHECK(t.range(4, {2, 3}).pitch() == 3);
  CHECK(t.range(12, {0}).to_host().empty());
  CHECK(t.reshape({3, 4}).shape() == Shape{3, 4});
  CHECK(t.reshape({3, 4}).raw() == t.raw());
  CHECK(t.range(7, Shape()).item() == 7);
}

TEST_CASE("a view sees bytes as another type", "[engine]") {
  const auto context = test::cpu_context();
  const Tensor bytes = Tensor::zeros(*context, {40}, DType::kU8);
  const Tensor floats = bytes.view(8, {2, 3}, DType::kF32);
  floats.copy_from_host(counting(6));
  CHECK(floats.raw() == static_cast<char*>(bytes.raw()) + 8);
  CHECK(bytes.view(16, {4}, DType::kF32).to_host() == std::vector<float>{2, 3, 4, 5});
  CHECK(bytes.view(40, {0}, DType::kF16).elements() == 0);
  CHECK(message_of<ShapeError>([&] { bytes.view(8, {9}, DType::kF32); }) ==
        "view: bytes 8..44 of 40");
  CHECK_THROWS_AS(bytes.view(-4, {1}, DType::kF32), ShapeError);
  CHECK_THROWS_AS(floats.channels(0, 2).view(0, {1}, DType::kF32), ShapeError);
}

TEST_CASE("views beyond a tensor or of pitched tensors are refused", "[engine]") {
  const auto context = test::cpu_context();
  const Tensor t = tensor_of(*context, {2, 6}, counting(12));
  CHECK(message_of<ShapeError>([&] { t.range(8, {5}); }) == "range: elements 8..13 of [2, 6]");
  CHECK(message_of<ShapeError>([&] { t.range(-1, {2}); }) == "range: elements -1..1 of [2, 6]");
  CHECK(message_of<ShapeError>([&] { t.reshape({5, 2}); }) == "reshape: [2, 6] to [5, 2]");
  CHECK(message_of<ShapeError>([&] { t.channels(4, 3); }) == "channels: 4..7 of [2, 6]");
  CHECK(message_of<ShapeError>([&] { t.channels(-1, 3); }) == "channels: -1..2 of [2, 6]");
  const Tensor pitched = t.channels(0, 3);
  CHECK(message_of<ShapeError>([&] { pitched.reshape({6}); }) ==
        "reshape: [2, 3] to [6] (rows are not adjacent)");
  CHECK_THROWS_AS(pitched.range(0, {1}), ShapeError);
  CHECK_THROWS_AS(pitched.copy_from(Tensor::zeros(*context, {2, 3})), ShapeError);
  CHECK_THROWS_AS(pitched.copy_from_host(counting(6)), ShapeError);
}

TEST_CASE("reading a tensor as another type is refused", "[engine]") {
  const auto context = test::cpu_context();
  const Tensor t = Tensor::zeros(*context, {4}, DType::kU8);
  CHECK(message_of<ShapeError>([&] { t.data<float>(); }) ==
        "tensor [4]: stored as u8, read as f32");
  CHECK(message_of<ShapeError>([&] { t.to_host(); }) == "tensor [4]: stored as u8, read as f32");
  CHECK(message_of<ShapeError>([&] { t.copy_from_host(counting(4)); }) ==
        "tensor [4]: stored as u8, read as f32");
}

TEST_CASE("values and shape must fit each other", "[engine]") {
  const auto context = test::cpu_context();
  CHECK(message_of<ShapeError>([&] {
          tensor_of(*context, {2, 3}, counting(5));
        }) == "tensor [2, 3]: 5 values given, expected 6");
  const Tensor t = Tensor::zeros(*context, {2, 3});
  CHECK(message_of<ShapeError>([&] { t.copy_from_host(counting(5)); }) ==
        "tensor [2, 3]: 5 values given, expected 6");
  CHECK(message_of<ShapeError>([&] {
          t.copy_from(Tensor::zeros(*context, {3, 2}));
        }) == "copy: [3, 2] f32 into [2, 3] f32");
  CHECK(message_of<ShapeError>([&] {
          t.copy_from(Tensor::zeros(*context, {2, 3}, DType::kI32));
        }) == "copy: [2, 3] i32 into [2, 3] f32");
  CHECK(message_of<ShapeError>([&] { t.item(); }) ==
        "item: tensor [2, 3] has 6 elements, expected 1");
}

TEST_CASE("an undefined tensor says so instead of crashing", "[engine]") {
  const Tensor t;
  CHECK_FALSE(t.defined());
  CHECK(message_of<Error>([&] { t.to_host(); }) == "tensor: used before it was given a value");
  CHECK(message_of<Error>([&] { t.item(); }) == "tensor: used before it was given a value");
}

TEST_CASE("half precision tensors are widened when read, also pitched ones", "[engine]") {
  const auto context = test::cpu_context();
  for (const DType dtype : {DType::kF16, DType::kBF16}) {
    const auto narrow = dtype == DType::kF16 ? f32_to_f16 : f32_to_bf16;
    const Tensor t = Tensor::empty(*context, {2, 3}, dtype);
    for (int i = 0; i < 6; ++i) {
      const uint16_t bits = narrow(static_cast<float>(i) - 2.5f);
      std::memcpy(static_cast<char*>(t.raw()) + 2 * i, &bits, 2);
    }
    CHECK(t.to_host() == std::vector<float>{-2.5, -1.5, -0.5, 0.5, 1.5, 2.5});
    CHECK(t.channels(1, 2).to_host() == std::vector<float>{-1.5, -0.5, 1.5, 2.5});
    CHECK(t.range(3, {3}).to_host() == std::vector<float>{0.5, 1.5, 2.5});
  }
}

}  // namespace
}  // namespace ebb
