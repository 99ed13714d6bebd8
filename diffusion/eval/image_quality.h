#pragma once

#include <cstdint>
#include <span>

namespace ebb {

// Similarity of an image to a reference. Values are 0 black to 1 white and are not clamped.
// Everything is computed in double.

// Mean of (a - b)^2.
double mean_squared_error(std::span<const float> a, std::span<const float> b);

// 10 log10(1 / mse) in dB, infinite for 0.
double peak_signal_to_noise(double mse);

// Structural similarity (Wang, Bovik, Sheikh, Simoncelli 2004) of two gray images [height][width],
// both at least 11 x 11: the mean over all positions of an 11 x 11 Gaussian window, sigma 1.5, that
// lie inside of
//   (2 m_a m_b + C1) (2 s_ab + C2) / ((m_a^2 + m_b^2 + C1) (s_a^2 + s_b^2 + C2)),
// C1 = 0.01^2, C2 = 0.03^2. The same as scikit-image's structural_similarity with
// gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=1.
double structural_similarity(std::span<const float> a, std::span<const float> b, int64_t height,
                             int64_t width);

}  // namespace ebb
