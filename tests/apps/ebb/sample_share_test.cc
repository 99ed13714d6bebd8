#include "apps/ebb/sample_share.h"

#include "base/error.h"
#include "testing/catch.h"
#include "testing/errors.h"

namespace ebb {
namespace {

TEST_CASE("blocks cover every image once, whatever their number", "[share]") {
  for (const int64_t images : {1, 7, 8, 9, 100, 2047, 2048, 2049, 50'000, 100'000}) {
    const std::vector<SampleBlock> blocks = sample_blocks(images);
    CHECK(blocks.size() <= 256);
    int64_t next = 0;
    for (const SampleBlock& block : blocks) {
      REQUIRE(block.first == next);
      REQUIRE(block.images >= 1);
      REQUIRE(&blocks[static_cast<size_t>(block.index)] == &block);
      next += block.images;
    }
    CHECK(next == images);
    CHECK((images < 8 || blocks.front().images >= 8));
  }
}

TEST_CASE("every block belongs to one process", "[share]") {
  const std::vector<SampleBlock> blocks = sample_blocks(100);
  for (int64_t parts = 1; parts <= 20; ++parts) {
    for (const SampleBlock& block : blocks) {
      int owners = 0;
      for (int64_t part = 0; part < parts; ++part) {
        owners += SampleShare{.part = part, .parts = parts}.owns(block) ? 1 : 0;
      }
      REQUIRE(owners == 1);
    }
  }
}

TEST_CASE("processes of a machine take a GPU each", "[share]") {
  const SampleShare third{
      .part = 6, .parts = 8, .launched = true, .local_part = 2, .local_parts = 4};
  CHECK(device_of_share("cuda", third, 4) == "cuda:2");
  CHECK(device_of_share("auto", third, 4) == "cuda:2");
  CHECK(device_of_share("cuda", third, 1) == "cuda");  // the launcher shows each its own
  CHECK(device_of_share("auto", third, 0) == "auto");
  CHECK(device_of_share("cpu", third, 4) == "cpu");
  CHECK(device_of_share("cuda:1", SampleShare{.part = 0, .parts = 2}, 4) == "cuda:1");
  CHECK(test::message_of<DeviceError>([&] { device_of_share("cuda", third, 2); }) ==
        "--device cuda: process 3 of this machine, which shows 2 GPUs. Start no more processes "
        "than GPUs.");
  CHECK_THROWS_AS(device_of_share("cuda:0", third, 4), UsageError);
}

TEST_CASE("processes of a machine divide its threads unless they are bound", "[share]") {
  const SampleShare share{
      .part = 0, .parts = 4, .launched = true, .local_part = 0, .local_parts = 4};
  CHECK(threads_of_share(share, 64, 64) == 16);
  CHECK(threads_of_share(share, 16, 64) == 16);  // its part of the affinity mask
  CHECK(threads_of_share(share, 2, 2) == 1);
}

}  // namespace
}  // namespace ebb
