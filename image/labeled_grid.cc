#include "image/labeled_grid.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "image/canvas.h"

namespace ebb {
namespace {

constexpr int kGap = 4;      // pixels between images
constexpr int kMargin = 12;  // around everything, and between text and images
constexpr double kFontSize = 15;
constexpr double kTitleSize = 18;
constexpr Color kInk = {0.13, 0.13, 0.13};
constexpr Color kFrame = {0.6, 0.6, 0.6};  // shows where a white image ends

// Widest of the texts in the canvas's font, rounded up; 0 for none.
int widest(const Canvas& canvas, const std::vector<std::string>& texts) {
  double width = 0;
  for (const std::string& text : texts) width = std::max(width, canvas.text_width(text));
  return static_cast<int>(std::ceil(width));
}

struct Layout {
  int64_t cell_width, cell_height;  // an image and, across, its column's label
  int64_t left, top;                // of the first cell
  int64_t width, height;            // of everything
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

  Layout layout = {};
  layout.cell_width =
      std::max(static_cast<int64_t>(image.width) * scale, int64_t{column_label_width} + kMargin);
  layout.cell_height = static_cast<int64_t>(image.height) * scale;
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
  const int64_t grid_width = columns * (layout.cell_width + kGap) - kGap;
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
            ". Draw fewer images or change --grid-cols.");
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
  canvas.set_color(kInk);
  canvas.set_font(kTitleSize, true);
  canvas.draw_text(labels.title, kMargin, layout.title_y, Anchor::kLeft);
  canvas.set_font(kFontSize);
  const auto cell_x = [&](int column) {
    return static_cast<int>(layout.left + column * (layout.cell_width + kGap));
  };
  const auto cell_y = [&](int row) {
    return static_cast<int>(layout.top + row * (layout.cell_height + kGap));
  };
  for (int c = 0; c < std::min<int>(columns, labels.columns.size()); ++c) {
    canvas.draw_text(labels.columns[c], cell_x(c) + static_cast<double>(layout.cell_width) / 2,
                     layout.labels_y, Anchor::kCenter);
  }
  for (int r = 0; r < std::min<int>(rows, labels.rows.size()); ++r) {
    canvas.draw_text(labels.rows[r], static_cast<double>(layout.left - kMargin),
                     cell_y(r) + static_cast<double>(layout.cell_height) / 2, Anchor::kRight);
  }
  for (int i = 0; i < count; ++i) {
    EBB_CHECK(images[i].width == first.width && images[i].height == first.height, ShapeError,
              "grid: image ", i, " is ", images[i].width, " x ", images[i].height, ", image 0 is ",
              first.width, " x ", first.height);
    const int left =
        cell_x(i % columns) + static_cast<int>(layout.cell_width - first.width * scale) / 2;
    draw_framed(canvas, upscale_nearest(images[i], scale), left, cell_y(i / columns));
  }
  return canvas.image();
}

}  // namespace ebb
