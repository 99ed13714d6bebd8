#include "image/canvas.h"

#include <cstring>
#include <span>
#include <string_view>

#include "base/error.h"
#include "base/text.h"
#include "base/utf8.h"

namespace ebb {
namespace {

constexpr const char* kFont = "DejaVu Sans";

// The character with this index of well-formed UTF-8.
std::string character_of(const std::string& text, size_t index) {
  size_t at = 0, bytes = 0;
  for (size_t i = 0; i <= index && at + bytes < text.size(); ++i) {
    at += bytes;
    bytes = decode_utf8(std::string_view(text).substr(at)).bytes;
  }
  return text.substr(at, bytes);
}

struct FreeGlyphs {
  void operator()(cairo_glyph_t* glyphs) const { cairo_glyph_free(glyphs); }
};

}  // namespace

Canvas::Canvas(int width, int height)
    : surface_(cairo_image_surface_create(CAIRO_FORMAT_RGB24, width, height)),
      context_(cairo_create(surface_.get())) {
  const cairo_status_t status = cairo_status(context_.get());
  EBB_CHECK(status == CAIRO_STATUS_SUCCESS, Error, "drawing of ", width, " x ", height,
            " pixels: cairo: ", cairo_status_to_string(status));
  set_color({1, 1, 1});
  cairo_paint(context_.get());
  set_color({0, 0, 0});
  // The result must not depend on the screen settings of the machine.
  cairo_font_options_t* options = cairo_font_options_create();
  cairo_font_options_set_antialias(options, CAIRO_ANTIALIAS_GRAY);
  cairo_font_options_set_hint_style(options, CAIRO_HINT_STYLE_NONE);
  cairo_font_options_set_hint_metrics(options, CAIRO_HINT_METRICS_OFF);
  cairo_set_font_options(context_.get(), options);
  cairo_font_options_destroy(options);
}

void Canvas::set_color(Color color, double alpha) {
  cairo_set_source_rgba(context_.get(), color.red, color.green, color.blue, alpha);
}

void Canvas::set_font(double size, bool bold) {
  cairo_select_font_face(context_.get(), kFont, CAIRO_FONT_SLANT_NORMAL,
                         bold ? CAIRO_FONT_WEIGHT_BOLD : CAIRO_FONT_WEIGHT_NORMAL);
  cairo_set_font_size(context_.get(), size);
}

// cairo asks one font only, which draws glyph 0, a box, for what it lacks.
void Canvas::check_glyphs(const std::string& text) const {
  if (text.empty()) return;
  cairo_glyph_t* found = nullptr;
  int count = 0;
  const cairo_status_t status = cairo_scaled_font_text_to_glyphs(
      cairo_get_scaled_font(context_.get()), 0, 0, text.c_str(), static_cast<int>(text.size()),
      &found, &count, nullptr, nullptr, nullptr);
  const std::unique_ptr<cairo_glyph_t, FreeGlyphs> glyphs(found);
  EBB_CHECK(status == CAIRO_STATUS_SUCCESS, Error, "text ", quoted(terminal_safe(text)),
            ": cairo: ", cairo_status_to_string(status));
  const std::span<const cairo_glyph_t> drawn(found, static_cast<size_t>(count));
  for (size_t i = 0; i < drawn.size(); ++i) {
    if (drawn[i].index != 0) continue;
    const std::string character = character_of(text, i);
    throw IoError(cat("font ", kFont, ": has no glyph for ", quoted(terminal_safe(character)),
                      " in ", quoted(terminal_safe(text)),
                      ". Install the font (Debian: fonts-dejavu-core), or use other characters."));
  }
}

double Canvas::text_width(const std::string& text) const {
  check_glyphs(text);
  cairo_text_extents_t extents;
  cairo_text_extents(context_.get(), text.c_str(), &extents);
  return extents.x_advance;
}

double Canvas::digit_height() const {
  cairo_text_extents_t extents;
  cairo_text_extents(context_.get(), "0", &extents);
  return extents.height;
}

void Canvas::draw_text(const std::string& text, double x, double y, Anchor anchor) {
  const double width = text_width(text);
  const double left = anchor == Anchor::kLeft     ? x
                      : anchor == Anchor::kCenter ? x - width / 2
                                                  : x - width;
  cairo_move_to(context_.get(), left, y + digit_height() / 2);
  cairo_show_text(context_.get(), text.c_str());
  cairo_new_path(context_.get());
}

void Canvas::draw_vertical_text(const std::string& text, double x, double y) {
  constexpr double kQuarterTurn = -1.5707963267948966;
  cairo_save(context_.get());
  cairo_translate(context_.get(), x, y);
  cairo_rotate(context_.get(), kQuarterTurn);
  draw_text(text, 0, 0, Anchor::kCenter);
  cairo_restore(context_.get());
}

// CAIRO_FORMAT_RGB24: one native-endian 32-bit word per pixel, 0xXXRRGGBB.
void Canvas::draw_image(const Image& image, int left, int top) {
  const Image rgb = to_rgb(image);
  const int width = cairo_image_surface_get_width(surface_.get());
  const int height = cairo_image_surface_get_height(surface_.get());
  EBB_CHECK(left >= 0 && top >= 0 && left + rgb.width <= width && top + rgb.height <= height,
            ShapeError, "drawing: image ", rgb.width, " x ", rgb.height, " at (", left, ", ", top,
            ") does not fit ", width, " x ", height);
  cairo_surface_flush(surface_.get());
  const int stride = cairo_image_surface_get_stride(surface_.get());
  uint8_t* target = cairo_image_surface_get_data(surface_.get());
  const uint8_t* source = rgb.pixels.data();
  for (int y = 0; y < rgb.height; ++y) {
    for (int x = 0; x < rgb.width; ++x, source += 3) {
      const uint32_t word = uint32_t{source[0]} << 16 | uint32_t{source[1]} << 8 | source[2];
      std::memcpy(target + int64_t{top + y} * stride + (left + x) * 4, &word, 4);
    }
  }
  cairo_surface_mark_dirty(surface_.get());
}

Image Canvas::image() const {
  cairo_surface_flush(surface_.get());
  const int width = cairo_image_surface_get_width(surface_.get());
  const int height = cairo_image_surface_get_height(surface_.get());
  const int stride = cairo_image_surface_get_stride(surface_.get());
  const uint8_t* source = cairo_image_surface_get_data(surface_.get());
  Image result = make_image(width, height, 3);
  uint8_t* target = result.pixels.data();
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x, target += 3) {
      uint32_t word;
      std::memcpy(&word, source + int64_t{y} * stride + x * 4, 4);
      target[0] = static_cast<uint8_t>(word >> 16);
      target[1] = static_cast<uint8_t>(word >> 8);
      target[2] = static_cast<uint8_t>(word);
    }
  }
  return result;
}

}  // namespace ebb
