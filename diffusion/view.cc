#include "diffusion/view.h"

#include <algorithm>
#include <functional>
#include <limits>
#include <numeric>

#include "base/error.h"
#include "base/text.h"
#include "kernels/random/philox.h"

namespace ebb {
namespace {

using Source = std::vector<int32_t>;

// Pixel (row, column) of the view -> pixel of the image.
struct Pixel {
  int64_t i, j;
};
using Map = std::function<Pixel(int64_t i, int64_t j)>;

Source from_map(int64_t height, int64_t width, const Map& map) {
  Source source;
  for (int64_t i = 0; i < height; ++i) {
    for (int64_t j = 0; j < width; ++j) {
      const Pixel pixel = map(i, j);
      source.push_back(static_cast<int32_t>(pixel.i * width + pixel.j));
    }
  }
  return source;
}

// Source of pixel (i, j) of a square of `side` pixels after `quarters` clockwise quarter turns.
Pixel turned(Pixel p, int64_t side, int64_t quarters) {
  for (int64_t q = 0; q < quarters % 4; ++q) p = {side - 1 - p.j, p.i};
  return p;
}

// The same permutation of 0..count-1 in every run and on every machine (Fisher-Yates).
std::vector<int64_t> shuffled(int64_t count, uint64_t seed) {
  std::vector<int64_t> order(static_cast<size_t>(count));
  std::iota(order.begin(), order.end(), 0);
  for (int64_t k = count - 1; k > 0; --k) {
    const uint32_t word =
        random_words(seed, RandomStream::kShuffle, 0, static_cast<uint32_t>(k), 0).w[0];
    std::swap(order[k], order[below_from_word(word, static_cast<uint64_t>(k) + 1)]);
  }
  return order;
}

// Cuts the image's middle into grid x grid squares and shows in each the square order[cell],
// turned; pixels outside the grid stay.
Source from_cells(int64_t size, int64_t grid, const std::vector<int64_t>& order,
                  const std::vector<int64_t>& quarters) {
  const int64_t side = size / grid, margin = (size - side * grid) / 2;
  return from_map(size, size, [&](int64_t i, int64_t j) -> Pixel {
    const int64_t row = i - margin, column = j - margin;
    const bool inside = row >= 0 && column >= 0 && row < side * grid && column < side * grid;
    if (!inside) return {i, j};
    const int64_t cell = row / side * grid + column / side;
    const Pixel in_cell = turned({row % side, column % side}, side, quarters[cell]);
    return {margin + order[cell] / grid * side + in_cell.i,
            margin + order[cell] % grid * side + in_cell.j};
  });
}

std::vector<int64_t> in_order(int64_t count) {
  std::vector<int64_t> order(static_cast<size_t>(count));
  std::iota(order.begin(), order.end(), 0);
  return order;
}

constexpr uint64_t kPatchSeed = 1, kPixelSeed = 2, kPieceSeed = 4522, kTurnSeed = 4523;

Source flip(int64_t h, int64_t w) {
  return from_map(h, w, [&](int64_t i, int64_t j) { return Pixel{h - 1 - i, j}; });
}
Source rotate_180(int64_t h, int64_t w) {
  return from_map(h, w, [&](int64_t i, int64_t j) { return Pixel{h - 1 - i, w - 1 - j}; });
}
Source rotate_cw(int64_t size, int64_t) {
  return from_map(size, size, [&](int64_t i, int64_t j) { return turned({i, j}, size, 1); });
}
Source rotate_ccw(int64_t size, int64_t) {
  return from_map(size, size, [&](int64_t i, int64_t j) { return turned({i, j}, size, 3); });
}
Source skew(int64_t h, int64_t w) {
  return from_map(h, w, [&](int64_t i, int64_t j) {
    const int64_t shift = 3 * (j - w / 2) / 2;  // towards zero
    return Pixel{((i - shift) % h + h) % h, j};
  });
}
Source patch_permute(int64_t size, int64_t) {
  constexpr int64_t kFinest = 8;
  int64_t grid = std::min(kFinest, size);
  while (size % grid != 0) --grid;
  return from_cells(size, grid, shuffled(grid * grid, kPatchSeed),
                    std::vector<int64_t>(static_cast<size_t>(grid * grid), 0));
}
Source pixel_permute(int64_t h, int64_t w) {
  const std::vector<int64_t> order = shuffled(h * w, kPixelSeed);
  return {order.begin(), order.end()};
}
Source jigsaw(int64_t size, int64_t) {
  constexpr int64_t kGrid = 4;
  std::vector<int64_t> quarters = shuffled(kGrid * kGrid, kTurnSeed);
  for (int64_t& quarter : quarters) quarter %= 4;
  return from_cells(size, kGrid, shuffled(kGrid * kGrid, kPieceSeed), quarters);
}
Source inner_circle(int64_t size, int64_t) {
  return from_map(size, size, [&](int64_t i, int64_t j) {
    // Distance from the center in half pixels, against a radius of 3/8 of the side.
    const int64_t y = 2 * i - (size - 1), x = 2 * j - (size - 1);
    const bool inside = 16 * (y * y + x * x) <= 9 * size * size;
    return inside ? Pixel{size - 1 - i, size - 1 - j} : Pixel{i, j};
  });
}
Source square_hinge(int64_t size, int64_t) {
  constexpr int64_t kGrid = 3;
  std::vector<int64_t> quarters;
  for (int64_t cell = 0; cell < kGrid * kGrid; ++cell) quarters.push_back(cell % 2 == 0 ? 1 : 3);
  return from_cells(size, kGrid, in_order(kGrid * kGrid), quarters);
}

struct Kind {
  const char* name;
  Source (*source)(int64_t height, int64_t width);  // null: pixels stay
  bool needs_square = false;
  int64_t smallest = 1;  // pixels a side
};
constexpr Kind kKinds[] = {
    {"identity", nullptr},
    {"flip", flip},
    {"rotate_180", rotate_180},
    {"rotate_cw", rotate_cw, true},
    {"rotate_ccw", rotate_ccw, true},
    {"negate", nullptr},
    {"skew", skew},
    {"patch_permute", patch_permute, true},
    {"pixel_permute", pixel_permute},
    {"jigsaw", jigsaw, true, 4},
    {"inner_circle", inner_circle, true},
    {"square_hinge", square_hinge, true, 3},
};

}  // namespace

const std::vector<std::string>& view_names() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> result;
    for (const Kind& kind : kKinds) result.emplace_back(kind.name);
    return result;
  }();
  return names;
}

View make_view(const std::string& name, int64_t height, int64_t width, const std::string& flag) {
  std::string expected;
  for (const Kind& kind : kKinds) {
    if (name == kind.name) {
      EBB_CHECK(!kind.needs_square || height == width, UsageError, flag, " ", name,
                ": turns squares, but images are ", width, " x ", height,
                " pixels. Use another view, such as flip.");
      EBB_CHECK(std::min(height, width) >= kind.smallest, UsageError, flag, " ", name, ": needs ",
                kind.smallest, " pixels a side, images have ", height,
                ". Use another view, such as flip.");
      View view{.name = name, .source = {}, .sign = name == "negate" ? -1 : 1};
      if (kind.source != nullptr) view.source = kind.source(height, width);
      return view;
    }
    expected += (expected.empty() ? "" : ", ") + std::string(kind.name);
  }
  throw UsageError(cat(flag, " ", terminal_safe(name), ": must be one of ", expected));
}

View inverse(const View& view) {
  View result{.name = "inverse of " + view.name,
              .source = std::vector<int32_t>(view.source.size()),
              .sign = view.sign};
  for (size_t p = 0; p < view.source.size(); ++p) {
    result.source[view.source[p]] = static_cast<int32_t>(p);
  }
  return result;
}

std::vector<int32_t> gather_index(const View& view, int64_t pixels, int64_t channels, int64_t first,
                                  int64_t x_channels, bool with_sign) {
  EBB_CHECK(view.source.empty() || static_cast<int64_t>(view.source.size()) == pixels, ShapeError,
            "view ", view.name, ": of ", view.source.size(), " pixels on an image of ", pixels);
  constexpr int64_t kMaxIndex = std::numeric_limits<int32_t>::max();
  EBB_CHECK(pixels <= kMaxIndex / x_channels, ShapeError, "view ", view.name, ": an image of ",
            pixels, " x ", x_channels, " numbers, at most ", kMaxIndex, ". Use smaller images");
  std::vector<int32_t> index;
  index.reserve(static_cast<size_t>(pixels * channels));
  for (int64_t p = 0; p < pixels; ++p) {
    const int64_t source = view.source.empty() ? p : view.source[p];
    for (int64_t c = 0; c < channels; ++c) {
      const auto k = static_cast<int32_t>(source * x_channels + first + c);
      index.push_back(with_sign && view.sign < 0 ? ~k : k);
    }
  }
  return index;
}

std::vector<float> apply_view(const View& view, const std::vector<float>& values,
                              int64_t channels) {
  if (view.is_identity()) return values;
  const auto pixels = view.source.empty() ? static_cast<int64_t>(values.size()) / channels
                                          : static_cast<int64_t>(view.source.size());
  std::vector<float> result;
  result.reserve(values.size());
  for (size_t image = 0; image < values.size(); image += static_cast<size_t>(pixels * channels)) {
    for (int64_t p = 0; p < pixels; ++p) {
      const int64_t source = view.source.empty() ? p : view.source[p];
      for (int64_t c = 0; c < channels; ++c) {
        result.push_back(static_cast<float>(view.sign) * values[image + source * channels + c]);
      }
    }
  }
  return result;
}

}  // namespace ebb
