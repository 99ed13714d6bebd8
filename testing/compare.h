#pragma once

#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <sstream>
#include <string>
#include <vector>

// Comparisons return an empty string when all is well and otherwise say what is wrong, so that
// CHECK(compare(...) == "") prints it. A NaN, a wrong size or a wrong infinity fails first,
// whatever the limit.
namespace ebb::test {

// Unit roundoff: the relative error of one f32 operation.
inline constexpr double kEps32 = 0x1p-24;

// |actual - expected| <= absolute + relative * |expected|
struct Tolerance {
  double absolute = 0;
  double relative = 0;
};

// Largest error over its limit among all elements. limit(i) is the error that element i may have.
template <typename Actual, typename Limit>
std::string compare_with(std::span<const Actual> actual, std::span<const double> expected,
                         const Limit& limit) {
  std::ostringstream out;
  out.precision(9);
  if (actual.size() != expected.size()) {
    out << actual.size() << " elements, expected " << expected.size();
    return out.str();
  }
  double worst_ratio = 1;
  size_t worst = actual.size(), beyond = 0;
  for (size_t i = 0; i < actual.size(); ++i) {
    const double a = static_cast<double>(actual[i]), e = expected[i];
    if (std::isnan(a) != std::isnan(e) || std::isinf(a) != std::isinf(e)) {
      out << "element " << i << " is " << a << ", expected " << e;
      return out.str();
    }
    if (a == e || std::isnan(a)) continue;
    const double ratio = std::fabs(a - e) / limit(i);
    if (!(ratio > 1)) continue;
    ++beyond;
    if (ratio > worst_ratio || worst == actual.size()) {
      worst_ratio = ratio;
      worst = i;
    }
  }
  if (beyond == 0) return "";
  const double a = static_cast<double>(actual[worst]), e = expected[worst];
  out << "element " << worst << " of " << actual.size() << " is " << a << ", expected " << e
      << ": error " << std::fabs(a - e) << " over limit " << limit(worst) << " (" << beyond
      << " elements beyond their limits)";
  return out.str();
}

inline std::string compare(std::span<const float> actual, std::span<const double> expected,
                           Tolerance tolerance) {
  return compare_with(actual, expected, [&](size_t i) {
    return tolerance.absolute + tolerance.relative * std::fabs(expected[i]);
  });
}

// For sums: the error of element i may be `factor` roundoffs of magnitude[i], the sum of the
// absolute values of its terms. A blocked or vectorized f32 sum stays within a factor of 8; a sum
// in the wrong precision or with a missing term does not.
inline std::string compare_sums(std::span<const float> actual, std::span<const double> expected,
                                std::span<const double> magnitude, double factor = 8) {
  return compare_with(actual, expected, [&](size_t i) { return factor * kEps32 * magnitude[i]; });
}

// Normalized mean squared error, sum (a - e)^2 / sum e^2; NaN when anything is NaN.
inline double nmse(std::span<const float> actual, std::span<const double> expected) {
  double error = 0, power = 0;
  for (size_t i = 0; i < expected.size(); ++i) {
    const double difference = static_cast<double>(actual[i]) - expected[i];
    error += difference * difference;
    power += expected[i] * expected[i];
  }
  return error == 0 ? 0 : error / power;
}

// Equal to the last bit (0 differs from -0, NaNs with equal bits agree).
inline std::string compare_bits(std::span<const float> actual, std::span<const float> expected) {
  std::ostringstream out;
  out.precision(9);
  if (actual.size() != expected.size()) {
    out << actual.size() << " elements, expected " << expected.size();
    return out.str();
  }
  for (size_t i = 0; i < actual.size(); ++i) {
    if (std::bit_cast<uint32_t>(actual[i]) == std::bit_cast<uint32_t>(expected[i])) continue;
    out << "element " << i << " is " << actual[i] << ", expected the bits of " << expected[i];
    return out.str();
  }
  return "";
}

inline std::vector<double> to_double(std::span<const float> values) {
  return {values.begin(), values.end()};
}

}  // namespace ebb::test
