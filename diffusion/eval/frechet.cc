#include "diffusion/eval/frechet.h"

#include <Eigen/Dense>

#include "base/error.h"

namespace ebb {
namespace {

using Matrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using ConstMatrix = Eigen::Map<const Matrix>;

ConstMatrix covariance_of(const FeatureStatistics& s) {
  return {s.covariance.data(), s.dimensions, s.dimensions};
}

// Rounding may leave an eigenvalue of a singular matrix just below zero.
Eigen::VectorXd roots(const Eigen::VectorXd& eigenvalues) {
  return eigenvalues.cwiseMax(0).cwiseSqrt();
}

Matrix square_root(const Matrix& symmetric) {
  const Eigen::SelfAdjointEigenSolver<Matrix> solver(symmetric);
  EBB_CHECK(solver.info() == Eigen::Success, DivergedError,
            "frechet_distance: no eigenvalues; the features hold values that are not finite");
  return solver.eigenvectors() * roots(solver.eigenvalues()).asDiagonal() *
         solver.eigenvectors().transpose();
}

}  // namespace

FeatureStatistics feature_statistics(std::span<const float> features, int64_t dimensions) {
  const auto count = static_cast<int64_t>(features.size()) / dimensions;
  EBB_CHECK(count >= 2 && count * dimensions == static_cast<int64_t>(features.size()), ShapeError,
            "feature_statistics: ", features.size(), " values in ", dimensions,
            " dimensions, expected two vectors at least");
  const Eigen::Map<const Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>>
      rows(features.data(), count, dimensions);
  FeatureStatistics result{
      .count = count,
      .dimensions = dimensions,
      .mean = std::vector<double>(static_cast<size_t>(dimensions)),
      .covariance = std::vector<double>(static_cast<size_t>(dimensions * dimensions))};
  Eigen::Map<Eigen::RowVectorXd> mean(result.mean.data(), dimensions);
  mean = rows.cast<double>().colwise().mean();
  const Matrix centered = rows.cast<double>().rowwise() - mean;
  Eigen::Map<Matrix>(result.covariance.data(), dimensions, dimensions) =
      centered.transpose() * centered / static_cast<double>(count - 1);
  return result;
}

double frechet_distance(const FeatureStatistics& a, const FeatureStatistics& b) {
  EBB_CHECK(a.dimensions == b.dimensions, ShapeError, "frechet_distance: ", a.dimensions, " and ",
            b.dimensions, " dimensions");
  const Eigen::Map<const Eigen::VectorXd> mean_a(a.mean.data(), a.dimensions);
  const Eigen::Map<const Eigen::VectorXd> mean_b(b.mean.data(), b.dimensions);
  const ConstMatrix cov_a = covariance_of(a), cov_b = covariance_of(b);
  const Matrix root_a = square_root(cov_a);
  const Matrix product = root_a * cov_b * root_a;
  // Symmetric but for rounding; the solver reads one triangle.
  const Matrix symmetric = (product + product.transpose()) / 2;
  const Eigen::SelfAdjointEigenSolver<Matrix> solver(symmetric, Eigen::EigenvaluesOnly);
  EBB_CHECK(solver.info() == Eigen::Success, DivergedError,
            "frechet_distance: no eigenvalues; the features hold values that are not finite");
  return (mean_a - mean_b).squaredNorm() + cov_a.trace() + cov_b.trace() -
         2 * roots(solver.eigenvalues()).sum();
}

}  // namespace ebb
