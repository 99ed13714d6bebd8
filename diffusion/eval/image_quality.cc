#include "diffusion/eval/image_quality.h"

#include <array>
#include <cmath>
#include <limits>
#include <vector>

#include "base/error.h"

namespace ebb {
namespace {

constexpr int kRadius = 5;
constexpr int kWindow = 2 * kRadius + 1;
constexpr double kSigma = 1.5;
constexpr double kC1 = 0.01 * 0.01, kC2 = 0.03 * 0.03;

std::array<double, kWindow> gaussian_weights() {
  std::array<double, kWindow> weights{};
  double sum = 0;
  for (int i = 0; i < kWindow; ++i) {
    const double distance = i - kRadius;
    weights[i] = std::exp(-distance * distance / (2 * kSigma * kSigma));
    sum += weights[i];
  }
  for (double& weight : weights) weight /= sum;
  return weights;
}

using Plane = std::vector<double>;

// Gaussian means at the positions where the window fits: [height - 10][width - 10].
Plane local_means(const Plane& values, int64_t height, int64_t width) {
  static const std::array<double, kWindow> kWeights = gaussian_weights();
  const int64_t rows = height - kWindow + 1, columns = width - kWindow + 1;
  Plane across(static_cast<size_t>(height * columns), 0.0);
  for (int64_t i = 0; i < height; ++i) {
    for (int64_t j = 0; j < columns; ++j) {
      for (int k = 0; k < kWindow; ++k) {
        across[i * columns + j] += kWeights[k] * values[i * width + j + k];
      }
    }
  }
  Plane means(static_cast<size_t>(rows * columns), 0.0);
  for (int64_t i = 0; i < rows; ++i) {
    for (int k = 0; k < kWindow; ++k) {
      for (int64_t j = 0; j < columns; ++j) {
        means[i * columns + j] += kWeights[k] * across[(i + k) * columns + j];
      }
    }
  }
  return means;
}

}  // namespace

double mean_squared_error(std::span<const float> a, std::span<const float> b) {
  EBB_CHECK(a.size() == b.size() && !a.empty(), ShapeError, "mean_squared_error: ", a.size(),
            " values and ", b.size());
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    const double error = static_cast<double>(a[i]) - b[i];
    sum += error * error;
  }
  return sum / static_cast<double>(a.size());
}

double peak_signal_to_noise(double mse) {
  return mse == 0 ? std::numeric_limits<double>::infinity() : -10 * std::log10(mse);
}

double structural_similarity(std::span<const float> a, std::span<const float> b, int64_t height,
                             int64_t width) {
  const auto pixels = static_cast<size_t>(height * width);
  EBB_CHECK(height >= kWindow && width >= kWindow && a.size() == pixels && b.size() == pixels,
            ShapeError, "structural_similarity: ", a.size(), " and ", b.size(),
            " pixels, expected twice ", height, " x ", width, ", at least ", kWindow, " x ",
            kWindow);
  Plane x(a.begin(), a.end()), y(b.begin(), b.end()), xx(pixels), yy(pixels), xy(pixels);
  for (size_t i = 0; i < pixels; ++i) {
    xx[i] = x[i] * x[i];
    yy[i] = y[i] * y[i];
    xy[i] = x[i] * y[i];
  }
  const Plane mx = local_means(x, height, width), my = local_means(y, height, width);
  const Plane mxx = local_means(xx, height, width), myy = local_means(yy, height, width);
  const Plane mxy = local_means(xy, height, width);
  double sum = 0;
  for (size_t i = 0; i < mx.size(); ++i) {
    const double vx = mxx[i] - mx[i] * mx[i], vy = myy[i] - my[i] * my[i];
    const double covariance = mxy[i] - mx[i] * my[i];
    sum += (2 * mx[i] * my[i] + kC1) * (2 * covariance + kC2) /
           ((mx[i] * mx[i] + my[i] * my[i] + kC1) * (vx + vy + kC2));
  }
  return sum / static_cast<double>(mx.size());
}

}  // namespace ebb
