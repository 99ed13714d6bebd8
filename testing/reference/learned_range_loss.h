#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

namespace ebb::reference {

// The hybrid loss of Nichol & Dhariwal 2021 as their code has it: the divergence of two normal
// distributions, and of a first step the logarithm of the probability of one of 256 levels.
struct LearnedRangeLoss {
  int64_t n, pixels, c;
  double vlb_weight;
  std::vector<double> noise, images;  // [n, pixels, c]
  std::vector<double> steps;          // [n, 4]: least and largest log variance, gap, is first

  struct Parts {
    double squares, bits;  // means over all numbers
  };

  static double below(double x) {
    return 0.5 * (1 + std::tanh(std::sqrt(2 / M_PI) * (x + 0.044715 * std::pow(x, 3))));
  }

  static double level(double image, double mean, double log_variance) {
    const double deviation = std::exp(log_variance / 2);
    const double up = below((image - mean + 1.0 / 255) / deviation);
    const double low = below((image - mean - 1.0 / 255) / deviation);
    if (image < -0.999) return -std::log(std::max(up, 1e-12));
    if (image > 0.999) return -std::log(std::max(1 - low, 1e-12));
    return -std::log(std::max(up - low, 1e-12));
  }

  static double divergence(double mean, double log_a, double log_b) {
    return 0.5 * (-1 + log_b - log_a + std::exp(log_a - log_b) + mean * mean * std::exp(-log_b));
  }

  // prediction: [n, pixels, 2c].
  Parts parts(std::span<const double> prediction) const {
    Parts sum{0, 0};
    const int64_t count = n * pixels * c;
    for (int64_t p = 0; p < n * pixels; ++p) {
      const double* step = steps.data() + p / pixels * 4;
      for (int64_t k = 0; k < c; ++k) {
        const double error = prediction[p * 2 * c + k] - noise[p * c + k];
        const double share = (prediction[p * 2 * c + c + k] + 1) / 2;
        const double log_variance = share * step[1] + (1 - share) * step[0];
        const double image = images[p * c + k], gap = step[2] * error;
        sum.squares += error * error / static_cast<double>(count);
        const double nats = step[3] != 0 ? level(image, image - gap, log_variance)
                                         : divergence(gap, step[0], log_variance);
        sum.bits += nats / std::log(2.0) / static_cast<double>(count);
      }
    }
    return sum;
  }

  double loss(std::span<const double> prediction) const {
    const Parts found = parts(prediction);
    return found.squares + vlb_weight * found.bits;
  }

  // By central differences of the squares for the noise and of the bound for the codes, since the
  // bound does not move the noise.
  std::vector<double> gradient(std::vector<double> prediction, double dloss) const {
    constexpr double kStep = 1e-5;
    std::vector<double> result(prediction.size());
    for (size_t i = 0; i < prediction.size(); ++i) {
      const bool is_code = static_cast<int64_t>(i) / c % 2 == 1;
      const auto part = [&](double at) {
        const double here = std::exchange(prediction[i], at);
        const Parts found = parts(prediction);
        prediction[i] = here;
        return is_code ? vlb_weight * found.bits : found.squares;
      };
      const double here = prediction[i];
      result[i] = dloss * (part(here + kStep) - part(here - kStep)) / (2 * kStep);
    }
    return result;
  }
};

}  // namespace ebb::reference
