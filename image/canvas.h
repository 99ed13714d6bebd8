#pragma once

#include <cairo.h>

#include <memory>
#include <string>

#include "image/image.h"

namespace ebb {

struct Color {
  double red, green, blue;  // 0 to 1
};

enum class Anchor { kLeft, kCenter, kRight };

// A white RGB drawing surface. Positions are pixels from the top left corner; the font is DejaVu
// Sans, or what fontconfig finds in its place. Text with a character that the font lacks is an
// IoError, also where it is only measured: no box is drawn in its place.
class Canvas {
 public:
  Canvas(int width, int height);

  // For shapes. Colors set through it do not outlive the next call of a member function.
  cairo_t* context() const { return context_.get(); }

  void set_color(Color color, double alpha = 1);
  void set_font(double size, bool bold = false);  // size of an em in pixels

  double text_width(const std::string& text) const;

  // `text` (UTF-8) in the font and color that are set, vertically centered on its digits at y.
  void draw_text(const std::string& text, double x, double y, Anchor anchor);
  // The same, read from bottom to top and centered at (x, y).
  void draw_vertical_text(const std::string& text, double x, double y);

  void draw_image(const Image& image, int left, int top);

  Image image() const;  // RGB

 private:
  struct Deleter {
    void operator()(cairo_surface_t* surface) const { cairo_surface_destroy(surface); }
    void operator()(cairo_t* context) const { cairo_destroy(context); }
  };
  double digit_height() const;
  void check_glyphs(const std::string& text) const;

  std::unique_ptr<cairo_surface_t, Deleter> surface_;
  std::unique_ptr<cairo_t, Deleter> context_;
};

}  // namespace ebb
