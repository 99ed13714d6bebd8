#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/tensor.h"

namespace ebb {

// A transformed view of an image: its pixels in another order and all values times `sign`. A view
// is orthogonal, so it turns white noise into white noise, and it does the same to signal and noise
// (Geng, Park, Owens, "Visual Anagrams", 2024).
struct View {
  std::string name = "identity";
  std::vector<int32_t> source;  // [H * W]: pixel p of the view is pixel source[p] of the image;
                                // empty: the image as it is
  int sign = 1;                 // or -1, of values; never of variances

  bool is_identity() const { return source.empty() && sign == 1; }
  // The same transformation, regardless of its name.
  bool is_same_as(const View& other) const { return source == other.source && sign == other.sign; }
};

// identity, flip (upside down), rotate_180, rotate_cw, rotate_ccw (a quarter turn), negate, skew
// (column j rolls down by 1.5 (j - W/2), cut to whole pixels), patch_permute (an 8 x 8 grid of
// patches in another order, or the finest below that divides the side: 7 x 7 at 28 pixels),
// pixel_permute (all pixels), jigsaw (a 4 x 4 grid of square pieces in another order, each turned;
// the paper cuts its pieces with tabs), inner_circle (a half turn of the disc of diameter 3/4,
// exact on any square of pixels where the paper's other angles are not), square_hinge (a 3 x 3 grid
// of squares that take quarter turns in alternating directions).
const std::vector<std::string>& view_names();

// The view with this name of images of height x width pixels. UsageError names `flag`: an unknown
// name, or a view that turns parts of an image that is not square, or cannot be cut into them.
View make_view(const std::string& name, int64_t height, int64_t width, const std::string& flag);

// The inverse view.
View inverse(const View& view);

// For KernelTable::signed_gather: takes `channels` channels from channel `first` on out of pixels
// of `x_channels`, transformed by the view. [pixels * channels]
std::vector<int32_t> gather_index(const View& view, int64_t pixels, int64_t channels, int64_t first,
                                  int64_t x_channels, bool with_sign);

// values [N, H * W, C] transformed by the view.
std::vector<float> apply_view(const View& view, const std::vector<float>& values, int64_t channels);

}  // namespace ebb
