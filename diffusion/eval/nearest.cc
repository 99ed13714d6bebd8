#include "diffusion/eval/nearest.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/error.h"
#include "kernels/cpu/parallel.h"

namespace ebb {
namespace {

constexpr int64_t kMaxPixels = 33'000;  // 255^2 of them fit 31 bits
// A block of references that stays in the first-level cache while the queries of a group pass.
constexpr int64_t kReferenceBlock = 16;
constexpr int64_t kQueryGroup = 16;

int32_t squared_distance(const uint8_t* a, const uint8_t* b, int64_t pixels) {
  int32_t sum = 0;
  for (int64_t i = 0; i < pixels; ++i) {
    const auto difference = static_cast<int16_t>(static_cast<int16_t>(a[i]) - b[i]);
    sum += difference * difference;
  }
  return sum;
}

}  // namespace

std::vector<double> nearest_distances(std::span<const uint8_t> queries,
                                      std::span<const uint8_t> references, int64_t pixels,
                                      int threads) {
  EBB_CHECK(pixels > 0 && pixels <= kMaxPixels && queries.size() % pixels == 0 &&
                references.size() % pixels == 0 && !references.empty(),
            ShapeError, "nearest_distances: ", queries.size(), " and ", references.size(),
            " bytes, expected images of ", pixels, " pixels, at most ", kMaxPixels);
  const auto count = static_cast<int64_t>(queries.size()) / pixels;
  const auto total = static_cast<int64_t>(references.size()) / pixels;
  std::vector<int32_t> smallest(static_cast<size_t>(count), std::numeric_limits<int32_t>::max());
  cpu::parallel_for(threads, cpu::ceil_div(count, kQueryGroup), [&](int64_t task) {
    const int64_t group = task * kQueryGroup, last = std::min(group + kQueryGroup, count);
    for (int64_t block = 0; block < total; block += kReferenceBlock) {
      const int64_t end = std::min(block + kReferenceBlock, total);
      for (int64_t q = group; q < last; ++q) {
        for (int64_t r = block; r < end; ++r) {
          smallest[q] =
              std::min(smallest[q], squared_distance(queries.data() + q * pixels,
                                                     references.data() + r * pixels, pixels));
        }
      }
    }
  });
  std::vector<double> distances;
  for (const int32_t square : smallest) {
    distances.push_back(std::sqrt(static_cast<double>(square)) / 255);
  }
  return distances;
}

std::vector<uint8_t> to_bytes(std::span<const float> values) {
  std::vector<uint8_t> bytes;
  bytes.reserve(values.size());
  for (const float value : values) {
    bytes.push_back(static_cast<uint8_t>(std::lround(std::clamp(value, 0.0f, 1.0f) * 255)));
  }
  return bytes;
}

double quantile(std::vector<double> values, double q) {
  EBB_CHECK(!values.empty(), Error, "quantile: no values");
  std::sort(values.begin(), values.end());
  const double place = q * static_cast<double>(values.size() - 1);
  const auto low = static_cast<size_t>(place);
  const size_t high = std::min(low + 1, values.size() - 1);
  return values[low] + (place - static_cast<double>(low)) * (values[high] - values[low]);
}

}  // namespace ebb
