// Captured graphs, on the emulator: behaves like stream capture on a GPU, and rejects the same
// calls.

#include "engine/graph_cache.h"
#include "kernels/kernel_table.h"
#include "kernels/simt/emulator.h"
#include "testing/catch.h"
#include "testing/contexts.h"
#include "testing/errors.h"
#include "testing/tensors.h"

namespace ebb {
namespace {

using Catch::Matchers::Contains;
using test::message_of;

void gelu(Context& context, const Tensor& x, const Tensor& y) {
  context.launch(&KernelTable::activation_forward, ActivationArgs{.activation = Activation::kGelu,
                                                                  .dtype = DType::kF32,
                                                                  .count = x.elements(),
                                                                  .x = x.raw(),
                                                                  .y = y.raw()});
}

TEST_CASE("a captured graph runs when it is launched, on the memory's contents at that time",
          "[engine][emu]") {
  const auto context = make_context("emu", 1);
  const Tensor x = Tensor::zeros(*context, {3}), y = Tensor::zeros(*context, {3}),
               z = Tensor::zeros(*context, {3});
  const auto work = [&] {
    gelu(*context, x, y);
    z.copy_from(y);
    y.fill_zero();
  };
  x.copy_from_host(std::vector<float>{1, 2, 3});
  const auto captured = context->stream()->capture(work);
  CHECK_FALSE(context->stream()->capturing());
  CHECK(z.to_host() == std::vector<float>(3, 0.0f));  // nothing has run
  for (const float shift : {0.0f, 0.5f}) {
    x.copy_from_host(std::vector<float>{1 + shift, 2 + shift, 3 + shift});
    captured->launch();
    const std::vector<float> replayed = z.to_host();
    CHECK(y.to_host() == std::vector<float>(3, 0.0f));
    work();
    CHECK(test::compare_bits(z.to_host(), replayed) == "");
    CHECK(replayed[0] > shift);
  }
}

TEST_CASE("capture rejects work that a launch could not repeat", "[engine][emu]") {
  const auto context = make_context("emu", 1);
  Stream& stream = *context->stream();
  const Tensor x = Tensor::zeros(*context, {3});
  CHECK_THAT(
      message_of<Error>([&] { stream.capture([&] { x.copy_from_host(std::vector<float>(3)); }); }),
      Contains("copy from the host during graph capture"));
  CHECK_THAT(message_of<Error>([&] { stream.capture([&] { x.to_host(); }); }),
             Contains("copy to the host during graph capture"));
  CHECK_THAT(message_of<Error>([&] { stream.capture([&] { Tensor::empty(*context, {5}); }); }),
             Contains("20 bytes are requested from the system"));
  CHECK_FALSE(stream.capturing());  // an error ends it
  CHECK(x.to_host() == std::vector<float>(3, 0.0f));
}

TEST_CASE("a pool repeats its memory, and what it hands out again holds nothing", "[engine][emu]") {
  const auto context = make_context("emu", 1);
  const auto pool = context->with_pool();
  const Tensor x = Tensor::zeros(*context, {3}), y = Tensor::zeros(*context, {3});
  const auto work = [&](bool write) {
    const Tensor scratch = Tensor::empty(*pool, {3});
    if (write) scratch.copy_from(x);
    gelu(*context, scratch, y);
  };
  work(true);
  const int64_t system_allocations = pool->allocator()->stats().system_allocations;
  const auto good = context->stream()->capture([&] { work(true); });
  const auto bad = context->stream()->capture([&] { work(false); });
  CHECK(pool->allocator()->stats().system_allocations == system_allocations);
  good->launch();
  CHECK_THAT(message_of<DeviceError>([&] { bad->launch(); }),
             Contains("read of uninitialized memory"));
  good->launch();
}

TEST_CASE("the graph cache runs a key eagerly, captures it, and launches it", "[engine][emu]") {
  const auto context = make_context("emu", 1);
  const Tensor x = Tensor::zeros(*context, {3}), y = Tensor::zeros(*context, {3});
  GraphCache<int> captured_graphs;
  int calls = 0;
  const auto run = [&](int key) {
    captured_graphs.run(*context->stream(), key, [&] {
      ++calls;
      gelu(*context, x, y);
    });
  };
  for (int i = 1; i <= 4; ++i) {
    x.copy_from_host(std::vector<float>(3, static_cast<float>(i)));
    run(7);
    CHECK(calls == std::min(i, 2));
    CHECK(y.to_host()[0] == Approx(i).epsilon(0.2));
  }
  run(8);
  CHECK(calls == 3);
  CHECK(captured_graphs.size() == 1);
  // Within larger work it is a part of that.
  const auto outer = context->stream()->capture([&] { run(7); });
  CHECK(calls == 4);
}

}  // namespace
}  // namespace ebb
