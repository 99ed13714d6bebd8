#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace ebb {

// Mean and covariance of a set of feature vectors: the Gaussian that is fitted to it.
struct FeatureStatistics {
  int64_t count = 0;               // vectors
  int64_t dimensions = 0;          // D
  std::vector<double> mean;        // [D]
  std::vector<double> covariance;  // [D, D], divided by count - 1 as numpy.cov does
};

// features: [count, dimensions], at least two vectors.
FeatureStatistics feature_statistics(std::span<const float> features, int64_t dimensions);

// Frechet distance of two Gaussians (Dowson & Landau 1982; FID of Heusel et al. 2017), squared as
// usual:
//   |m_a - m_b|^2 + tr(C_a + C_b - 2 (C_a C_b)^(1/2))
// in double. The trace of the root is the sum of the roots of the eigenvalues of
// C_a^(1/2) C_b C_a^(1/2), which is symmetric, so covariances may be singular.
double frechet_distance(const FeatureStatistics& a, const FeatureStatistics& b);

}  // namespace ebb
