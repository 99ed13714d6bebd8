#include "kernels/conv/tap_list.h"

#include <cstdint>
#include <utility>
#include <vector>

#include "base/error.h"
#include "testing/catch.h"

namespace ebb {
namespace {

struct Size {
  int64_t h, w, kh, kw, stride, pad;
};

// Counts, for one pass on one channel, how often out pixel (ay, ax) reads in pixel (by, bx) with
// kernel position (ky, kx): counts[((a * in_pixels) + b) * kernel + k].
class PairCounts {
 public:
  PairCounts(int64_t out_pixels, int64_t in_pixels, int64_t kernel)
      : in_pixels_(in_pixels), kernel_(kernel), counts_(out_pixels * in_pixels * kernel) {}
  void add(int64_t a, int64_t b, int64_t k) { ++counts_.at((a * in_pixels_ + b) * kernel_ + k); }
  friend bool operator==(const PairCounts&, const PairCounts&) = default;

 private:
  int64_t in_pixels_, kernel_;
  std::vector<int> counts_;
};

// From the definition in conv.h: the pairs (x pixel, y pixel, kernel position) that meet.
PairCounts defined_pairs(const ConvGeometry& g, bool out_is_y) {
  const int64_t x_pixels = g.h * g.w, y_pixels = g.ho * g.wo;
  PairCounts counts(out_is_y ? y_pixels : x_pixels, out_is_y ? x_pixels : y_pixels, g.kh * g.kw);
  for (int64_t iy = 0; iy < g.h; ++iy) {
    for (int64_t ix = 0; ix < g.w; ++ix) {
      for (int64_t oy = 0; oy < g.ho; ++oy) {
        for (int64_t ox = 0; ox < g.wo; ++ox) {
          for (int64_t k = 0; k < g.kh * g.kw; ++k) {
            const int64_t ky = k / g.kw, kx = k % g.kw;
            const bool meets =
                g.transposed ? oy == iy * g.stride - g.pad + ky && ox == ix * g.stride - g.pad + kx
                             : iy == oy * g.stride - g.pad + ky && ix == ox * g.stride - g.pad + kx;
            if (!meets) continue;
            const int64_t x = iy * g.w + ix, y = oy * g.wo + ox;
            counts.add(out_is_y ? y : x, out_is_y ? x : y, k);
          }
        }
      }
    }
  }
  return counts;
}

struct ListedPairs {
  PairCounts counts;
  std::vector<int> written;  // per out pixel
};

ListedPairs listed_pairs(const TapList& list) {
  const int64_t out_pixels = list.out.h * list.out.w, in_pixels = list.in.h * list.in.w;
  ListedPairs result{PairCounts(out_pixels, in_pixels, list.kh * list.kw),
                     std::vector<int>(out_pixels)};
  for (int64_t p = 0; p < list.phases(); ++p) {
    const TapPhase phase = list.phase(p);
    for (int64_t gy = 0; gy < phase.y.grid; ++gy) {
      for (int64_t gx = 0; gx < phase.x.grid; ++gx) {
        const int64_t a = phase.y.out(gy) * list.out.w + phase.x.out(gx);
        ++result.written.at(a);
        for (int64_t t = 0; t < phase.taps(); ++t) {
          const Tap tap = phase.tap(t);
          const int64_t by = gy * phase.y.in_step + tap.dy, bx = gx * phase.x.in_step + tap.dx;
          if (by < 0 || by >= list.in.h || bx < 0 || bx >= list.in.w) continue;
          result.counts.add(a, by * list.in.w + bx, tap.ky * list.kw + tap.kx);
        }
      }
    }
  }
  return result;
}

void check_size(const Size& s, bool transposed) {
  const ConvGeometry g = conv_geometry(2, s.h, s.w, 3, 5, s.kh, s.kw, s.stride, s.pad, transposed);
  INFO("h " << s.h << " w " << s.w << " kernel " << s.kh << "x" << s.kw << " stride " << s.stride
            << " pad " << s.pad << " transposed " << transposed);
  for (const ConvPass pass :
       {ConvPass::kForward, ConvPass::kBackwardInput, ConvPass::kBackwardWeight}) {
    const TapList list = tap_list(g, pass);
    const bool out_is_y = list.out.c == g.o;
    const ListedPairs listed = listed_pairs(list);
    CHECK(listed.counts == defined_pairs(g, out_is_y));
    CHECK(listed.written == std::vector<int>(listed.written.size(), 1));
  }
}

TEST_CASE("the tap list of every pass joins exactly the pixels that the definition joins") {
  for (int64_t stride = 1; stride <= 7; ++stride) {
    for (const auto& [kh, kw] :
         {std::pair<int64_t, int64_t>{1, 1}, {3, 3}, {4, 4}, {2, 5}, {7, 7}}) {
      for (int64_t pad = 0; pad <= 3; ++pad) {
        for (const auto& [h, w] : {std::pair<int64_t, int64_t>{1, 1}, {5, 3}, {7, 7}, {4, 9}}) {
          const Size s{h, w, kh, kw, stride, pad};
          if (h + 2 * pad >= kh && w + 2 * pad >= kw) check_size(s, false);
          if ((h - 1) * stride - 2 * pad + kh > 0 && (w - 1) * stride - 2 * pad + kw > 0) {
            check_size(s, true);
          }
        }
      }
    }
  }
}

TEST_CASE("only scattering passes have more than one phase") {
  const ConvGeometry conv = conv_geometry(1, 28, 28, 64, 64, 3, 3, 2, 1, false);
  CHECK(tap_list(conv, ConvPass::kForward).phases() == 1);
  CHECK(tap_list(conv, ConvPass::kBackwardInput).phases() == 4);
  CHECK(tap_list(conv, ConvPass::kBackwardWeight).phases() == 1);
  const ConvGeometry transposed = conv_geometry(1, 7, 7, 128, 64, 4, 4, 2, 1, true);
  CHECK(tap_list(transposed, ConvPass::kForward).phases() == 4);
  CHECK(tap_list(transposed, ConvPass::kForward).phase(3).taps() == 4);
  CHECK(tap_list(transposed, ConvPass::kBackwardInput).phases() == 1);
  CHECK(tap_list(transposed, ConvPass::kBackwardWeight).phases() == 1);
}

TEST_CASE("the tap list is a constant expression") {
  constexpr ConvGeometry g{.n = 1,
                           .h = 7,
                           .w = 7,
                           .c = 2,
                           .ho = 7,
                           .wo = 7,
                           .o = 3,
                           .kh = 3,
                           .kw = 3,
                           .stride = 1,
                           .pad = 1};
  static_assert(tap_list(g, ConvPass::kForward).phase(0).tap(0).dy == -1);
  static_assert(tap_list(g, ConvPass::kBackwardInput).phase(0).tap(0).ky == 2);
  CHECK(tap_list(g, ConvPass::kForward).phase(0).taps() == 9);
}

TEST_CASE("conv_geometry reports sizes that leave no output") {
  CHECK(conv_geometry(2, 28, 27, 3, 8, 3, 3, 2, 1, false).wo == 14);
  CHECK(conv_geometry(2, 7, 5, 3, 8, 4, 4, 2, 1, true).ho == 14);
  CHECK_THROWS_AS(conv_geometry(1, 5, 3, 1, 1, 7, 7, 1, 0, false), ShapeError);
  CHECK_THROWS_AS(conv_geometry(1, 1, 1, 1, 1, 2, 2, 1, 1, true), ShapeError);
  CHECK_THROWS_AS(conv_geometry(0, 5, 3, 1, 1, 3, 3, 1, 1, false), ShapeError);
  CHECK_THROWS_AS(conv_geometry(1, 5, 3, 1, 1, 3, 3, 0, 1, false), ShapeError);
}

}  // namespace
}  // namespace ebb
