#include "diffusion/upscale.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "image/convert.h"
#include "nn/param_collector.h"

namespace ebb {
namespace {

// Between which two samples a place of one axis lies.
struct Place {
  int64_t low, high;
  double share;  // of high
};

Place place_of(int64_t index, int64_t from, int64_t to) {
  const double at = to == 1 ? 0
                            : static_cast<double>(index) * static_cast<double>(from - 1) /
                                  static_cast<double>(to - 1);
  const int64_t low = std::min(static_cast<int64_t>(at), from - 1);
  return {low, std::min(low + 1, from - 1), at - static_cast<double>(low)};
}

// Samples of an axis that make one of the larger axis, with their weights.
struct CubicTaps {
  int64_t first = 0;
  std::vector<double> weights;
};

// Those of Keys' cubic convolution with a = -1/2, within the axis, as torch's interpolate() with
// antialias has it.
CubicTaps cubic_taps(int64_t index, int64_t from, int64_t to) {
  constexpr double kSupport = 2;
  const double at =
      (static_cast<double>(index) + 0.5) * static_cast<double>(from) / static_cast<double>(to);
  const double low = at - kSupport + 0.5, high = at + kSupport + 0.5;  // rounded to nearest
  CubicTaps taps{.first = std::max<int64_t>(static_cast<int64_t>(low), 0), .weights = {}};
  const int64_t end = std::min<int64_t>(static_cast<int64_t>(high), from);
  double sum = 0;
  for (int64_t i = taps.first; i < end; ++i) {
    const double x = std::fabs(static_cast<double>(i) - at + 0.5);
    const double weight = x < 1   ? (1.5 * x - 2.5) * x * x + 1
                          : x < 2 ? ((-0.5 * x + 2.5) * x - 4) * x + 2
                                  : 0;
    taps.weights.push_back(weight);
    sum += weight;
  }
  for (double& weight : taps.weights) weight /= sum;
  return taps;
}

// values [outer, from, inner] -> [outer, to, inner].
std::vector<double> cubic_axis(const std::vector<double>& values, int64_t outer, int64_t from,
                               int64_t to, int64_t inner) {
  std::vector<double> result(static_cast<size_t>(outer * to * inner), 0);
  for (int64_t t = 0; t < to; ++t) {
    const CubicTaps taps = cubic_taps(t, from, to);
    for (int64_t o = 0; o < outer; ++o) {
      for (size_t k = 0; k < taps.weights.size(); ++k) {
        const int64_t source = (o * from + taps.first + static_cast<int64_t>(k)) * inner;
        for (int64_t c = 0; c < inner; ++c) {
          result[static_cast<size_t>((o * to + t) * inner + c)] +=
              taps.weights[k] * values[static_cast<size_t>(source + c)];
        }
      }
    }
  }
  return result;
}

std::vector<float> resize_cubic(std::span<const float> values, int64_t h, int64_t w,
                                int64_t channels, int64_t height, int64_t width) {
  const std::vector<double> tall =
      cubic_axis({values.begin(), values.end()}, 1, h, height, w * channels);
  const std::vector<double> large = cubic_axis(tall, height, w, width, channels);
  return {large.begin(), large.end()};
}

// images [N, h, w, C] -> [N, H, W, C] with `shape` [H, W, C].
Tensor enlarged(Context& context, const Tensor& images, const Shape& shape, bool is_bilinear) {
  const Shape small = images.shape();
  EBB_CHECK(small[3] == shape[2], Error, "low_res_condition: ", small[3], " channels");
  const std::vector<float> values = images.to_host();
  const auto size = static_cast<size_t>(small.elements() / small[0]);
  std::vector<float> large;
  for (size_t first = 0; first < values.size(); first += size) {
    const auto resize = is_bilinear ? resize_bilinear : resize_cubic;
    const std::vector<float> one = resize(std::span(values).subspan(first, size), small[1],
                                          small[2], small[3], shape[0], shape[1]);
    large.insert(large.end(), one.begin(), one.end());
  }
  return Tensor::from_host(context, with_batch(small[0], shape), std::span<const float>(large));
}

}  // namespace

std::vector<float> resize_bilinear(std::span<const float> values, int64_t h, int64_t w,
                                   int64_t channels, int64_t height, int64_t width) {
  std::vector<float> result(static_cast<size_t>(height * width * channels));
  for (int64_t y = 0; y < height; ++y) {
    const Place row = place_of(y, h, height);
    for (int64_t x = 0; x < width; ++x) {
      const Place column = place_of(x, w, width);
      const auto value = [&](int64_t r, int64_t c, int64_t channel) {
        return double{values[static_cast<size_t>((r * w + c) * channels + channel)]};
      };
      for (int64_t c = 0; c < channels; ++c) {
        const double above = value(row.low, column.low, c) * (1 - column.share) +
                             value(row.low, column.high, c) * column.share;
        const double below = value(row.high, column.low, c) * (1 - column.share) +
                             value(row.high, column.high, c) * column.share;
        result[static_cast<size_t>((y * width + x) * channels + c)] =
            static_cast<float>(above * (1 - row.share) + below * row.share);
      }
    }
  }
  return result;
}

bool is_noise_level(const NetworkInput& input) {
  return input.role == InputRole::kCondition && input.exact && input.shape.rank() == 0;
}

bool takes_noise_level(const Network& network) {
  return std::any_of(network.inputs.begin(), network.inputs.end(), is_noise_level);
}

TensorMap low_res_condition(Context& context, const Model& model, const LowRes& low_res,
                            const std::string& field) {
  const NetworkInput* input = model.network.input(InputRole::kLowRes);
  EBB_CHECK(input != nullptr, Error, "low_res_condition: the model enlarges no images");
  const Image& image = low_res.image;
  const Tensor one =
      Tensor::from_host(context, {1, image.height, image.width, image.channels},
                        std::span<const float>(image_to_floats(image, model.objective.data_range)));
  const Tensor eps = Tensor::empty(context, with_batch(low_res.images, input->shape));
  ImageNoise(context, low_res.seed).reference(0, eps);
  return low_res_condition(context, model, select_images(context, one, 0, low_res.images), eps,
                           low_res.noise_level, field);
}

TensorMap low_res_condition(Context& context, const Model& model, const Tensor& images,
                            const Tensor& eps, int64_t noise_level, const std::string& field) {
  const NetworkInput* input = model.network.input(InputRole::kLowRes);
  EBB_CHECK(input != nullptr && model.low_res_noise, Error,
            "low_res_condition: the model enlarges no images");
  const bool is_noisy = takes_noise_level(model.network);
  const Tensor large = enlarged(context, images, input->shape, is_noisy);
  if (!is_noisy) return {{input->name, large}};
  const Objective& objective = *model.low_res_noise;
  EBB_CHECK(noise_level >= 0 && noise_level < objective.timesteps, UsageError, field, " ",
            noise_level, ": must be 0..", objective.timesteps - 1,
            ", timesteps of the model's image_noising_scheduler");
  const NoiseLevel level = timestep_level(objective, noise_level);
  TensorMap condition = {{input->name, add_noise(context, level, large, eps)}};
  for (const NetworkInput& other : model.network.inputs) {
    if (!is_noise_level(other)) continue;
    const std::array number{static_cast<double>(noise_level)};
    condition[other.name] = coefficients(context, number);
  }
  return condition;
}

}  // namespace ebb
