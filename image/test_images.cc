#include "image/test_images.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <numbers>

#include "base/error.h"
#include "base/text.h"
#include "image/test_scenes.h"

namespace ebb {
namespace {

struct Point {
  double x, y;
};

constexpr Color kGraphite{0.17, 0.17, 0.20};
constexpr Color kPaper{0.985, 0.98, 0.96};

void paint_paper(Canvas& canvas) {
  canvas.set_color(kPaper);
  cairo_paint(canvas.context());
}

// Point on the Catmull-Rom spline from b to c.
Point spline(Point a, Point b, Point c, Point d, double t) {
  const auto blend = [t](double p, double q, double r, double s) {
    return 0.5 * (2 * q + (r - p) * t + (2 * p - 5 * q + 4 * r - s) * t * t +
                  (3 * q - p - 3 * r + s) * t * t * t);
  };
  return {blend(a.x, b.x, c.x, d.x), blend(a.y, b.y, c.y, d.y)};
}

// A hand-drawn line through the points: unsteady, with varying pressure.
void pencil(Canvas& canvas, const std::vector<Point>& points, double width) {
  constexpr int kPieces = 24;  // per pair of points
  cairo_t* c = canvas.context();
  cairo_set_line_cap(c, CAIRO_LINE_CAP_ROUND);
  canvas.set_color(kGraphite, 0.92);
  const auto at = [&](size_t i) { return points[std::min(i, points.size() - 1)]; };
  double phase = points[0].x;
  Point last = points[0];
  for (size_t i = 0; i + 1 < points.size(); ++i) {
    for (int piece = 1; piece <= kPieces; ++piece) {
      Point next = spline(at(i == 0 ? 0 : i - 1), at(i), at(i + 1), at(i + 2),
                          static_cast<double>(piece) / kPieces);
      phase += 0.37;
      next.x += 0.9 * std::sin(phase * 1.7);
      next.y += 0.9 * std::sin(phase * 1.1 + 1);
      cairo_set_line_width(c, width * (1 + 0.16 * std::sin(phase * 0.6)));
      cairo_move_to(c, last.x, last.y);
      cairo_line_to(c, next.x, next.y);
      cairo_stroke(c);
      last = next;
    }
  }
}

void draw_snake(Canvas& canvas) {
  paint_paper(canvas);
  pencil(canvas,
         {{184, 62},
          {150, 36},
          {104, 48},
          {88, 86},
          {112, 116},
          {154, 132},
          {178, 166},
          {160, 208},
          {112, 220},
          {72, 200}},
         15);
  pencil(canvas, {{184, 62}, {200, 60}, {212, 50}}, 4);
  pencil(canvas, {{200, 60}, {213, 67}}, 4);
}

void draw_balloon(Canvas& canvas) {
  paint_paper(canvas);
  pencil(canvas,
         {{128, 138}, {84, 116}, {80, 66}, {120, 34}, {166, 46}, {180, 90}, {160, 126}, {128, 138}},
         14);
  pencil(canvas, {{176, 96}, {170, 140}, {160, 180}, {156, 226}}, 12);
  pencil(canvas, {{106, 78}, {112, 62}, {126, 56}}, 5);
}

void draw_house(Canvas& canvas) {
  paint_paper(canvas);
  pencil(canvas, {{62, 118}, {96, 80}, {128, 42}, {162, 80}, {196, 118}}, 13);
  pencil(canvas, {{78, 112}, {77, 160}, {80, 214}}, 13);
  pencil(canvas, {{80, 214}, {130, 212}, {182, 215}}, 13);
  pencil(canvas, {{182, 215}, {180, 160}, {182, 112}}, 13);
  pencil(canvas, {{116, 212}, {117, 164}, {144, 163}, {145, 211}}, 8);
}

// A filled cartoon with outlines: a cat, facing the viewer.
void draw_cat(Canvas& canvas) {
  cairo_t* c = canvas.context();
  canvas.set_color({0.80, 0.90, 0.95});
  cairo_paint(c);
  cairo_move_to(c, 62, 60);
  cairo_line_to(c, 104, 84);
  cairo_curve_to(c, 120, 78, 138, 78, 154, 84);
  cairo_line_to(c, 196, 60);
  cairo_curve_to(c, 204, 110, 206, 160, 178, 190);
  cairo_curve_to(c, 150, 214, 106, 214, 80, 190);
  cairo_curve_to(c, 52, 160, 54, 110, 62, 60);
  cairo_close_path(c);
  canvas.set_color({0.97, 0.66, 0.30});
  cairo_fill_preserve(c);
  canvas.set_color({0.10, 0.08, 0.08});
  cairo_set_line_width(c, 13);
  cairo_set_line_join(c, CAIRO_LINE_JOIN_ROUND);
  cairo_stroke(c);
  for (const double x : {100.0, 158.0}) {
    cairo_arc(c, x, 132, 10, 0, 2 * std::numbers::pi);
    cairo_fill(c);
  }
  pencil(canvas, {{112, 168}, {121, 176}, {129, 166}, {137, 176}, {147, 168}}, 6);
}

// White: the part to inpaint.
void draw_mask(Canvas& canvas) {
  cairo_t* c = canvas.context();
  canvas.set_color({0, 0, 0});
  cairo_paint(c);
  canvas.set_color({1, 1, 1});
  cairo_rectangle(c, 64, 64, 128, 128);
  cairo_fill(c);
}

struct TestImage {
  const char* name;
  void (*draw)(Canvas&);
  bool photo;
};

constexpr TestImage kTestImages[] = {
    {"tower", draw_tower, true},  {"snowman", draw_snowman, true},  {"swan", draw_swan, true},
    {"snake", draw_snake, false}, {"balloon", draw_balloon, false}, {"house", draw_house, false},
    {"cat", draw_cat, false},     {"mask", draw_mask, false},
};

}  // namespace

std::vector<std::string> test_image_names() {
  std::vector<std::string> names;
  for (const TestImage& image : kTestImages) names.emplace_back(image.name);
  return names;
}

Image draw_test_image(const std::string& name) {
  const auto* found = std::find_if(std::begin(kTestImages), std::end(kTestImages),
                                   [&](const TestImage& image) { return name == image.name; });
  EBB_CHECK(found != std::end(kTestImages), UsageError, "test image ", terminal_safe(name),
            ": no such test image.");
  Canvas canvas(kTestImageSide, kTestImageSide);
  found->draw(canvas);
  return found->photo ? develop(canvas.image()) : canvas.image();
}

}  // namespace ebb
