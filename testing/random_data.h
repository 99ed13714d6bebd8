#pragma once

#include <cstdint>
#include <random>
#include <vector>

namespace ebb::test {

// Test inputs, repeatable by seed. Independent of the product's own random numbers.
class RandomData {
 public:
  explicit RandomData(uint64_t seed) : engine_(seed) {}

  std::vector<float> normal(int64_t count, double mean = 0, double deviation = 1) {
    return draw(count, std::normal_distribution<double>(mean, deviation));
  }
  std::vector<float> uniform(int64_t count, double low = 0, double high = 1) {
    return draw(count, std::uniform_real_distribution<double>(low, high));
  }
  // Uniform in low..high, both included.
  int64_t integer(int64_t low, int64_t high) {
    return std::uniform_int_distribution<int64_t>(low, high)(engine_);
  }
  std::vector<uint8_t> bytes(int64_t count) {
    std::vector<uint8_t> values(static_cast<size_t>(count));
    for (uint8_t& value : values) value = static_cast<uint8_t>(integer(0, 255));
    return values;
  }

 private:
  template <typename Distribution>
  std::vector<float> draw(int64_t count, Distribution distribution) {
    std::vector<float> values(static_cast<size_t>(count));
    for (float& value : values) value = static_cast<float>(distribution(engine_));
    return values;
  }

  std::mt19937_64 engine_;
};

}  // namespace ebb::test
