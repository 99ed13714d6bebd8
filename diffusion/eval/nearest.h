#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace ebb {

// For each query the smallest Euclidean distance to any of the references, in units in which white
// is 1 and over all pixels: 0 for a copy, 28 between a black and a white digit. Images are bytes,
// [N, pixels]; sums are exact integers. pixels: up to 33,000.
std::vector<double> nearest_distances(std::span<const uint8_t> queries,
                                      std::span<const uint8_t> references, int64_t pixels,
                                      int threads);

// Images as models make them as bytes: clamped to 0..1 and rounded to the nearest of 256 levels.
std::vector<uint8_t> to_bytes(std::span<const float> values);

// The value below which a share q (0..1) of the values lies, interpolated linearly between
// neighbors as numpy.quantile does. At least one value.
double quantile(std::vector<double> values, double q);

}  // namespace ebb
