#include "apps/ebb/motion.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>
#include <optional>
#include <ostream>

#include "apps/cli/animation_file.h"
#include "base/error.h"
#include "base/text.h"
#include "image/convert.h"
#include "image/resize.h"

namespace ebb {
namespace {

constexpr double kFarSize = 1.0 / 3;  // of the image when it is farthest away

// 0 to 1 with rests at both ends.
double eased(int frame) { return (1 - std::cos(std::numbers::pi * frame / kMotionFrames)) / 2; }

// The median of the border's pixels by level: what surrounds an image that moves.
std::vector<uint8_t> background_of(const Image& image) {
  std::vector<size_t> border;
  for (int y = 0; y < image.height; ++y) {
    const bool whole_row = y == 0 || y == image.height - 1;
    const int step = whole_row ? 1 : std::max(1, image.width - 1);
    for (int x = 0; x < image.width; x += step) {
      border.push_back((static_cast<size_t>(y) * image.width + x) * image.channels);
    }
  }
  const auto middle = border.begin() + static_cast<int64_t>(border.size() / 2);
  std::nth_element(border.begin(), middle, border.end(),
                   [&](size_t a, size_t b) { return image.pixels[a] < image.pixels[b]; });
  const uint8_t* pixel = image.pixels.data() + *middle;
  return {pixel, pixel + image.channels};
}

Image filled(int width, int height, const std::vector<uint8_t>& color) {
  Image image = make_image(width, height, static_cast<int>(color.size()));
  for (size_t i = 0; i < image.pixels.size(); ++i) image.pixels[i] = color[i % color.size()];
  return image;
}

// Clockwise angle of a view that turns the whole image, in radians.
std::optional<double> angle_of(const View& view) {
  if (view.is_identity()) return 0;
  if (view.name == "rotate_cw") return std::numbers::pi / 2;
  if (view.name == "rotate_180") return std::numbers::pi;
  if (view.name == "rotate_ccw") return 3 * std::numbers::pi / 2;
  return std::nullopt;
}

// `image` turned clockwise about its center; four samples a pixel.
Image turned(const Image& image, double angle, const std::vector<uint8_t>& background) {
  Image result = make_image(image.width, image.height, image.channels);
  const double sine = std::sin(angle), cosine = std::cos(angle);
  const double middle_x = image.width / 2.0, middle_y = image.height / 2.0;
  uint8_t* target = result.pixels.data();
  for (int y = 0; y < image.height; ++y) {
    for (int x = 0; x < image.width; ++x) {
      std::vector<int> sums(static_cast<size_t>(image.channels), 0);
      for (int sample = 0; sample < 4; ++sample) {
        const int column = sample % 2, row = sample / 2;
        const double right = x + 0.25 + 0.5 * column - middle_x;
        const double down = y + 0.25 + 0.5 * row - middle_y;
        const auto from_x = std::floor(cosine * right + sine * down + middle_x);
        const auto from_y = std::floor(cosine * down - sine * right + middle_y);
        const bool inside =
            from_x >= 0 && from_y >= 0 && from_x < image.width && from_y < image.height;
        const uint8_t* source =
            inside ? image.pixels.data() +
                         (static_cast<size_t>(from_y) * image.width + static_cast<size_t>(from_x)) *
                             image.channels
                   : background.data();
        for (int c = 0; c < image.channels; ++c) sums[c] += source[c];
      }
      for (int c = 0; c < image.channels; ++c) *target++ = static_cast<uint8_t>((sums[c] + 2) / 4);
    }
  }
  return result;
}

// [H * W]: where each pixel of the image is in the view.
std::vector<int32_t> places_in(const View& view, int64_t pixels) {
  std::vector<int32_t> places(static_cast<size_t>(pixels));
  std::iota(places.begin(), places.end(), 0);
  for (size_t p = 0; p < view.source.size(); ++p) places[view.source[p]] = static_cast<int32_t>(p);
  return places;
}

// Every pixel on its way from its place in one view to that in another.
Image moved(const Image& image, const View& from, const View& to, double share, int scale,
            const std::vector<uint8_t>& background) {
  const int64_t pixels = int64_t{image.width} * image.height;
  const std::vector<int32_t> starts = places_in(from, pixels), ends = places_in(to, pixels);
  const double sign = from.sign + share * (to.sign - from.sign);
  std::vector<int64_t> order(static_cast<size_t>(pixels));
  std::iota(order.begin(), order.end(), 0);
  const auto contrast = [&](int64_t p) {
    return std::abs(image.pixels[p * image.channels] - background[0]);
  };
  // Pixels that stand out from the background pass in front of it.
  std::stable_sort(order.begin(), order.end(),
                   [&](int64_t a, int64_t b) { return contrast(a) < contrast(b); });
  Image result = filled(image.width * scale, image.height * scale, background);
  for (const int64_t p : order) {
    Image block = make_image(1, 1, image.channels);
    for (int c = 0; c < image.channels; ++c) {
      const double level = 127.5 + sign * (image.pixels[p * image.channels + c] - 127.5);
      block.pixels[c] = static_cast<uint8_t>(std::lround(level));
    }
    const auto place = [&](int32_t start, int32_t end) {
      return static_cast<int>(std::lround((start + share * (end - start)) * scale));
    };
    paste(upscale_nearest(block, scale), place(starts[p] % image.width, ends[p] % image.width),
          place(starts[p] / image.width, ends[p] / image.width), result);
  }
  return result;
}

Image between(const Image& image, const View& from, const View& to, double share, int scale) {
  const std::vector<uint8_t> background = background_of(image);
  const auto start = angle_of(from), end = angle_of(to);
  if (!start || !end) return moved(image, from, to, share, scale, background);
  const double way = *end > *start ? *end - *start : *end - *start + 2 * std::numbers::pi;
  return turned(upscale_nearest(image, scale), *start + share * way, background);
}

// Values of `size` taps.
std::vector<double> gaussian(double sigma) {
  const int reach = static_cast<int>(std::ceil(3 * sigma));
  std::vector<double> taps;
  double sum = 0;
  for (int i = -reach; i <= reach; ++i)
    sum += taps.emplace_back(std::exp(-i * i / (2 * sigma * sigma)));
  for (double& tap : taps) tap /= sum;
  return taps;
}

// A Gaussian blur; the border pixels go on beyond the border.
Image blurred(const Image& image, double sigma) {
  if (sigma < 0.05) return image;
  const std::vector<double> taps = gaussian(sigma);
  const int reach = static_cast<int>(taps.size() / 2);
  const auto at = [&](const std::vector<double>& levels, int x, int y, int c) {
    x = std::clamp(x, 0, image.width - 1);
    y = std::clamp(y, 0, image.height - 1);
    return levels[(static_cast<size_t>(y) * image.width + x) * image.channels + c];
  };
  std::vector<double> levels(image.pixels.begin(), image.pixels.end());
  for (const bool along_rows : {true, false}) {
    std::vector<double> next;
    for (int y = 0; y < image.height; ++y) {
      for (int x = 0; x < image.width; ++x) {
        for (int c = 0; c < image.channels; ++c) {
          double sum = 0;
          for (int i = -reach; i <= reach; ++i) {
            sum += taps[i + reach] * at(levels, along_rows ? x + i : x, along_rows ? y : y + i, c);
          }
          next.push_back(sum);
        }
      }
    }
    levels = std::move(next);
  }
  Image result = image;
  std::transform(levels.begin(), levels.end(), result.pixels.begin(),
                 [](double level) { return static_cast<uint8_t>(std::lround(level)); });
  return result;
}

Image from_distance(const Image& image, double share, double sigma, int scale) {
  const Image near = upscale_nearest(blurred(image, share * sigma), scale);
  const double size = 1 - share * (1 - kFarSize);
  const auto side = [&](int pixels) { return static_cast<int>(std::lround(pixels * size)); };
  const Image far = resize_bicubic(near, side(near.width), side(near.height));
  Image result = filled(near.width, near.height, background_of(image));
  paste(far, (near.width - far.width) / 2, (near.height - far.height) / 2, result);
  return result;
}

}  // namespace

std::vector<MotionFrame> turn_images(const std::vector<Image>& images,
                                     const std::vector<View>& views, int scale) {
  std::vector<MotionFrame> frames;
  for (size_t v = 0; v < views.size(); ++v) {
    for (int frame = 0; frame < kMotionFrames; ++frame) {
      MotionFrame& made = frames.emplace_back();
      for (const Image& image : images) {
        made.push_back(
            between(image, views[v], views[(v + 1) % views.size()], eased(frame), scale));
      }
    }
  }
  return frames;
}

std::vector<MotionFrame> step_back_from(const std::vector<Image>& images, double sigma, int scale) {
  std::vector<MotionFrame> frames;
  for (int frame = 0; frame < 2 * kMotionFrames; ++frame) {
    MotionFrame& made = frames.emplace_back();
    const double share = eased(frame);  // goes back to 0 behind kMotionFrames
    for (const Image& image : images) made.push_back(from_distance(image, share, sigma, scale));
  }
  return frames;
}

void write_motion(Results& results, const OutputFiles& files,
                  const std::vector<MotionFrame>& frames, const std::vector<uint64_t>& seeds,
                  Provenance provenance) {
  GridLabels labels;
  for (const uint64_t seed : seeds) labels.cells.push_back(cat("seed ", seed));
  std::vector<Image> drawn;
  for (const MotionFrame& images : frames) {
    if (images.size() == 1) {
      drawn.push_back(images.front());
      continue;
    }
    const Image figure = make_labeled_grid(images, files.columns, labels);
    drawn.push_back(images.front().channels == 1 ? to_gray(figure) : figure);
  }
  provenance.seeds = seeds;
  provenance.scale = files.animation_scale(static_cast<int64_t>(seeds.size()));
  provenance.animation = files.motion_kind;
  const AnimationTiming timing{.frame_ms = 40, .rest_every = kMotionFrames};
  write_animation(*files.motion, drawn, files.metadata ? &provenance : nullptr, files.overwrite,
                  timing);
  results.text() << path_label(*files.motion) << "  " << drawn.size() << " frames\n";
  results.add_image(*files.motion, "animation", drawn.front().width, drawn.front().height,
                    provenance);
}

}  // namespace ebb
