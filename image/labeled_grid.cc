#include "image/labeled_grid.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "image/canvas.h"

namespace ebb {
namespace {

constexpr int kGap = 4;      // pixels between images
constexpr int kMargin = 12;  // around everything, and between text and images
constexpr int kHalfMargin = kMargin / 2;
constexpr double kFontSize = 15;
constexpr double kTitleSize = 18;
constexpr double kCaptionSize = 12;  // below an image
constexpr Color kInk = {0.13, 0.13, 0.13};
constexpr Color kFrame = {0.6, 0.6, 0.6};  // shows where a white image ends

// Widest of the texts in the canvas's font, rounded up; 0 for none.
int widest(const Canvas& canvas, const std::vector<std::string>& texts) {
  double width = 0;
  for (const std::string& text : texts) width = std::max(width, canvas.text_width(text));
  return static_cast<int>(std::ceil(width));
}

struct Layout {
  int64_t cell_width;                 // an image or the label above or below it
  int64_t image_height, cell_height;  // without and with the label below
  int64_t group, group_gap;           // columns between wider gaps, and what those have more
  int64_t left, top;                  // of the first cell
  int64_t width, height;              // of everything
  double title_y, labels_y;
};

Layout lay_out(PixelSize image, int64_t columns, int64_t rows, const GridLabels& labels,
               int scale) {
  Canvas ruler(1, 1);
  ruler.set_font(kTitleSize, true);
  const int title_width = widest(ruler, {labels.title});
  ruler.set_font(kFontSize);
  const int row_label_width = widest(ruler, labels.rows);
  const int column_label_width = widest(ruler, labels.columns);
  ruler.set_font(kCaptionSize);
  const int caption_width = widest(ruler, labels.cells);

  Layout layout = {};
  layout.cell_width =
      std::max(static_cast<int64_t>(image.width) * scale, int64_t{column_label_width} + kMargin);
  if (caption_width > 0) {
    layout.cell_width = std::max(layout.cell_width, int64_t{caption_width} + kMargin);
  }
  layout.image_height = static_cast<int64_t>(image.height) * scale;
  layout.cell_height =
      layout.image_height + (caption_width > 0 ? static_cast<int>(kCaptionSize) + kMargin / 2 : 0);
  layout.group = labels.group > 0 ? labels.group : columns;
  layout.group_gap = labels.group > 0 ? kMargin : 0;
  layout.left = kMargin + (row_label_width > 0 ? row_label_width + kMargin : 0);
  layout.top = kMargin;
  if (!labels.title.empty()) {
    layout.title_y = layout.top + kTitleSize / 2;
    layout.top += static_cast<int>(kTitleSize) + kMargin;
  }
  if (!labels.columns.empty()) {
    layout.labels_y = layout.top + kFontSize / 2;
    layout.top += static_cast<int>(kFontSize) + kMargin / 2;
  }
  const int64_t grid_width =
      columns * (layout.cell_width + kGap) - kGap + (columns - 1) / layout.group * layout.group_gap;
  layout.width = std::max(layout.left + grid_width, int64_t{kMargin} + title_width) + kMargin;
  layout.height = layout.top + rows * (layout.cell_height + kGap) - kGap + kMargin;
  return layout;
}

// With a line of one pixel around it.
void draw_framed(Canvas& canvas, const Image& image, int left, int top) {
  canvas.set_color(kFrame);
  cairo_rectangle(canvas.context(), left - 1, top - 1, image.width + 2, image.height + 2);
  cairo_fill(canvas.context());
  canvas.draw_image(image, left, top);
}

int cell_x(const Layout& layout, int column) {
  return static_cast<int>(layout.left + column * (layout.cell_width + kGap) +
                          column / layout.group * layout.group_gap);
}
int cell_y(const Layout& layout, int row) {
  return static_cast<int>(layout.top + row * (layout.cell_height + kGap));
}

// The labels of `count` images.
void draw_labels(Canvas& canvas, const Layout& layout, const GridLabels& labels, int columns,
                 int count) {
  const auto middle_of = [&](int column) {
    return cell_x(layout, column) + static_cast<double>(layout.cell_width) / 2;
  };
  const int rows = (count + columns - 1) / columns;
  canvas.set_color(kInk);
  canvas.set_font(kTitleSize, true);
  canvas.draw_text(labels.title, kMargin, layout.title_y, Anchor::kLeft);
  canvas.set_font(kFontSize);
  for (int c = 0; c < std::min<int>(columns, labels.columns.size()); ++c) {
    canvas.draw_text(labels.columns[c], middle_of(c), layout.labels_y, Anchor::kCenter);
  }
  for (int r = 0; r < std::min<int>(rows, labels.rows.size()); ++r) {
    canvas.draw_text(labels.rows[r], static_cast<double>(layout.left - kMargin),
                     cell_y(layout, r) + static_cast<double>(layout.image_height) / 2,
                     Anchor::kRight);
  }
  canvas.set_font(kCaptionSize);
  for (int i = 0; i < std::min<int>(count, labels.cells.size()); ++i) {
    const double bottom = cell_y(layout, i / columns) + static_cast<double>(layout.image_height);
    canvas.draw_text(labels.cells[i], middle_of(i % columns),
                     bottom + kHalfMargin + kCaptionSize / 2 - 1, Anchor::kCenter);
  }
}

PixelSize size_of(const Layout& layout) {
  return {static_cast<uint64_t>(layout.width), static_cast<uint64_t>(layout.height)};
}

}  // namespace

PixelSize labeled_grid_size(PixelSize image, uint64_t columns, uint64_t rows,
                            const GridLabels& labels, int scale) {
  return size_of(
      lay_out(image, static_cast<int64_t>(columns), static_cast<int64_t>(rows), labels, scale));
}

void check_figure_size(const std::string& what, PixelSize size) {
  EBB_CHECK(is_readable_size(size.width, size.height), UsageError, what, ": makes an image of ",
            size.width, " x ", size.height, " pixels, expected ", readable_sizes(),
            ". Draw fewer images, change --grid-cols or lower --scale.");
}

Image make_labeled_grid(std::span<const Image> images, int columns, const GridLabels& labels,
                        int scale) {
  EBB_CHECK(!images.empty() && columns > 0, ShapeError, "grid: ", images.size(), " images in ",
            columns, " columns; expected at least one of each");
  const Image& first = images.front();
  const int count = static_cast<int>(images.size());
  const int rows = (count + columns - 1) / columns;
  const PixelSize cell = {static_cast<uint64_t>(first.width), static_cast<uint64_t>(first.height)};
  const Layout layout = lay_out(cell, columns, rows, labels, scale);
  check_figure_size("grid", size_of(layout));
  Canvas canvas(static_cast<int>(layout.width), static_cast<int>(layout.height));
  draw_labels(canvas, layout, labels, columns, count);
  for (int i = 0; i < count; ++i) {
    EBB_CHECK(images[i].width == first.width && images[i].height == first.height, ShapeError,
              "grid: image ", i, " is ", images[i].width, " x ", images[i].height, ", image 0 is ",
              first.width, " x ", first.height);
    const int left =
        cell_x(layout, i % columns) + static_cast<int>(layout.cell_width - first.width * scale) / 2;
    draw_framed(canvas, upscale_nearest(images[i], scale), left, cell_y(layout, i / columns));
  }
  return canvas.image();
}

}  // namespace ebb
