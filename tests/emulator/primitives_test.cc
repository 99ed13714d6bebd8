#include "tests/emulator/primitives.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <numeric>
#include <vector>

#include "testing/catch.h"
#include "testing/emulated.h"

namespace ebb {
namespace {

using test::DeviceArray;
using test::for_each_order;

std::vector<int32_t> numbers(int count, int multiplier, int modulus) {
  std::vector<int32_t> values(static_cast<size_t>(count));
  for (int i = 0; i < count; ++i) values[static_cast<size_t>(i)] = i * multiplier % modulus;
  return values;
}

TEST_CASE("threads know their place in block and grid") {
  for_each_order([] {
    DeviceArray<uint32_t> y(12 * 24, "y");
    emu::indices(y.get(), {});
    const auto got = y.values();
    for (uint32_t b = 0; b < 12; ++b) {
      for (uint32_t t = 0; t < 24; ++t) {
        const uint32_t thread = t % 4 | t / 4 % 3 << 4 | t / 12 << 8;
        const uint32_t block = b % 2 << 12 | b / 2 % 3 << 16 | b / 6 << 20;
        CHECK(got[b * 24 + t] == (thread | block));
      }
    }
  });
}

TEST_CASE("barriers count and join predicates") {
  for_each_order([] {
    DeviceArray<int32_t> y(96, "y");
    emu::barrier_votes(y.get(), {});
    for (const int32_t v : y.values()) CHECK(v == 32 + (1 << 8) + (1 << 10));
  });
}

TEST_CASE("shuffles move values as the programming guide says") {
  for_each_order([] {
    for (const int width : {32, 16, 8, 2, 1}) {
      for (const int operand : {0, 1, 3, 5, 16, 31}) {
        DeviceArray<int32_t> y(256, "y");
        emu::shuffles(operand, width, y.get(), {});
        const auto got = y.values();
        for (int t = 0; t < 64; ++t) {
          INFO("width " << width << " operand " << operand << " thread " << t);
          const int warp = t / 32 * 32, lane = t % 32, section = lane / width * width;
          const auto value = [&](int source) { return (warp + source) * (warp + source) + 1; };
          CHECK(got[t] == value(section + operand % width));
          // XOR reads any lane of its section or an earlier one.
          const int partner = lane ^ operand;
          CHECK(got[64 + t] == value(partner < section + width ? partner : lane));
          CHECK(got[128 + t] == value(lane - section >= operand ? lane - operand : lane));
          CHECK(got[192 + t] == value(lane - section + operand < width ? lane + operand : lane));
        }
      }
    }
    DeviceArray<double> wide(32, "wide");
    emu::shuffle_doubles(wide.get(), {});
    const auto got = wide.values();
    for (int t = 0; t < 32; ++t) CHECK(got[t] == 1.0 / (t == 0 ? 1 : t));
  });
}

TEST_CASE("votes, matches and reductions agree with loops over the lanes") {
  const std::vector<int32_t> x = numbers(32, 5, 11);
  for_each_order([&] {
    const DeviceArray<int32_t> device(x, "x");
    DeviceArray<int32_t> y(192, "y");
    emu::votes(device.get(), y.get(), {});
    const auto got = y.values();
    uint32_t positive = 0;
    for (int i = 0; i < 32; ++i) positive |= uint32_t{x[i] > 0} << i;
    const int32_t sum = std::accumulate(x.begin(), x.end(), 0);
    for (int t = 0; t < 32; ++t) {
      uint32_t same = 0;
      for (int i = 0; i < 32; ++i) same |= uint32_t{x[i] == x[t]} << i;
      const auto half = x.begin() + t / 16 * 16;
      CHECK(static_cast<uint32_t>(got[t]) == positive);
      CHECK(got[32 + t] == 1);
      CHECK(got[64 + t] == 1);
      CHECK(static_cast<uint32_t>(got[96 + t]) == same);
      CHECK(got[128 + t] == sum);
      CHECK(got[160 + t] == *std::max_element(half, half + 16));
    }
  });
}

TEST_CASE("atomics of all blocks add up") {
  for_each_order([] {
    DeviceArray<int32_t> y(std::vector<int32_t>{0, 0, 0, 0, 0, -1, 0, 0, 0, 0, 0}, "y");
    emu::atomics(y.get(), {});
    const auto got = y.values();
    int32_t all_bits = 0, exclusive = 0;
    for (int t = 0; t < 192; ++t) {
      all_bits |= 1 << t % 31;
      exclusive ^= t;
    }
    CHECK(got == std::vector<int32_t>{191 * 96, -191 * 96, 99, -191, all_bits, ~255, exclusive, 42,
                                      1, 5, 192 % 10});
  });
}

TEST_CASE("named barriers join the warps they name") {
  for_each_order([] {
    DeviceArray<int32_t> y(128, "y");
    emu::named_barriers(y.get(), {});
    const auto got = y.values();
    for (int t = 0; t < 128; ++t) {
      const int other = 10 * (t / 64 * 64 + 63 - t % 64);
      CHECK(got[t] == other + (t % 64 < 32 ? 0 : 1));
    }
  });
}

TEST_CASE("asynchronous copies deliver their bytes, or zeros on request") {
  const int count = 256;
  std::vector<uint32_t> x(count);
  for (int i = 0; i < count; ++i) x[i] = static_cast<uint32_t>(i) * 2654435761u;
  for_each_order([&] {
    for (const int bytes : {4, 8, 16}) {
      const DeviceArray<uint32_t> device(x, "x");
      DeviceArray<uint32_t> y(count, "y");
      emu::copy_async(bytes, device.get(), y.get(), count, {});
      const auto got = y.values();
      const int words = bytes / 4, pieces = count / words;
      for (int i = 0; i < count; ++i) {
        const int piece = i / words;
        CHECK(got[i] == (piece % 3 == 0 ? 0 : x[(pieces - 1 - piece) * words + i % words]));
      }
    }
  });
}

TEST_CASE("static and dynamic shared memory are shared by the threads of a block") {
  for_each_order([] {
    DeviceArray<int32_t> y(64, "y");
    emu::shared_memory(y.get(), {});
    const auto got = y.values();
    // box[t] was written by thread 63 - t, and the ring was turned by 1 and then by 2.
    for (int t = 0; t < 64; ++t) CHECK(got[t] == 100 * (63 - t) + 7 * ((t + 3) % 64));
  });
}

TEST_CASE("the last block sees what all blocks wrote") {
  for_each_order([] {
    const std::vector<int32_t> x = numbers(500, 7, 1000);
    const DeviceArray<int32_t> device(x, "x");
    DeviceArray<int32_t> partials(16, "partials"), y(2, "y");
    DeviceArray<uint32_t> counter(std::vector<uint32_t>{0}, "counter");
    for (int repeat = 0; repeat < 2; ++repeat) {  // the counter is left as it was
      emu::sum_by_last_block(device.get(), 500, partials.get(), counter.get(), y.get(), {});
      CHECK(y.values()[0] == std::accumulate(x.begin(), x.end(), 0));
      CHECK(counter.values()[0] == 0);
    }
  });
}

}  // namespace
}  // namespace ebb
