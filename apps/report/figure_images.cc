#include "apps/report/figure_images.h"

#include <sstream>

#include "apps/report/html.h"
#include "base/error.h"
#include "image/png.h"

namespace ebb {
namespace {

using MadeFigures = std::map<std::string, MadeFigure>;

constexpr int kSmallSide = 64;  // pixels; smaller images are enlarged without smoothing

std::string png_uri(const std::string& path) { return data_uri(path, "image/png"); }

std::string image(const std::string& uri, const std::string& alt, const char* kind, int width,
                  int height) {
  return cat("<img class=\"", kind, "\" src=\"", uri, "\" alt=\"", escape_html(alt), "\" width=\"",
             width, "\" height=\"", height, "\">");
}

const char* kind_of(const MadeFigure& made) { return made.width <= kSmallSide ? "pixel" : "photo"; }

std::string cell_image(const Cell& cell, const MadeFigures& made, const std::string& alt) {
  const auto found = made.find(cell.figure);
  if (found == made.end() || found->second.files.empty()) return "<span></span>";
  const MadeFigure& source = found->second;
  return image(png_uri(source.files.at(static_cast<size_t>(cell.image))), alt, kind_of(source),
               source.width, source.height);
}

// "t = 250, noisy"; where there are no labels the cell's number.
std::string cell_name(const CellLayout& layout, size_t index) {
  const auto columns = static_cast<size_t>(layout.columns);
  std::string name;
  if (!layout.column_labels.empty()) name = layout.column_labels.at(index % columns);
  const std::string row = layout.row_labels.empty()
                              ? std::to_string((name.empty() ? index : index / columns) + 1)
                              : layout.row_labels.at(index / columns);
  return name.empty() ? row : cat(name, ", ", row);
}

std::string cells(const Figure& figure, const MadeFigures& made, const std::string& classes = "",
                  const std::string& attributes = "") {
  CellLayout layout = figure.layout;
  if (layout.cells.empty()) {
    for (int k = 0; k < figure.images; ++k) layout.cells.push_back({figure.id, k});
  }
  std::ostringstream out;
  out << "<div class=\"cells" << (layout.row_labels.empty() ? "" : " rowed")
      << (layout.column_labels.empty() && layout.columns > 5 ? " reflow" : "") << " " << classes
      << "\" style=\"--cols:" << layout.columns << ";--narrow:" << (layout.columns + 1) / 2
      << ";--wide:" << layout.wide << "\"" << attributes << ">";
  if (!layout.row_labels.empty() && !layout.column_labels.empty()) {
    out << "<span class=\"corner\"></span>";
  }
  for (const std::string& label : layout.column_labels) {
    out << "<span class=\"label\">" << escape_html(label) << "</span>";
  }
  const auto columns = static_cast<size_t>(layout.columns);
  for (size_t i = 0; i < layout.cells.size(); ++i) {
    if (!layout.row_labels.empty() && i % columns == 0) {
      out << "<span class=\"label row\">" << escape_html(layout.row_labels.at(i / columns))
          << "</span>";
    }
    out << cell_image(layout.cells[i], made, cat(figure.alt, ": ", cell_name(layout, i)));
  }
  out << "</div>";
  return out.str();
}

// labels: what is read upright, what is read turned.
std::string flip(const Figure& figure, const MadeFigures& made) {
  const bool rotate = figure.turn == Turn::kRotate180;
  const std::string turn = cat(" data-turn=\"", rotate ? "rotate_180" : "flip", "\"");
  Figure turned_copy = figure;
  turned_copy.alt = cat(figure.alt, ", turned");
  const std::string upright = escape_html(figure.labels.at(0)),
                    turned = escape_html(figure.labels.at(1));
  return cat(cells(figure, made, "turning", turn),
             "<p class=\"controls\"><button type=\"button\" "
             "data-flip aria-pressed=\"false\">",
             rotate ? "Turn by 180\u00b0" : "Flip upside down", "</button><output data-upright=\"",
             upright, "\" data-turned=\"", turned, "\">", upright, "</output></p>",
             "<p class=\"twin-label\">", turned, "</p>", cells(turned_copy, made, "twin", turn));
}

std::string distance(const Figure& figure, const MadeFigures& made) {
  Figure distant = figure;
  distant.alt = cat(figure.alt, ", from afar");
  distant.layout.columns = figure.images;
  return cat(cells(figure, made, "distance"),
             "<p class=\"controls\"><label>Step back <input type=\"range\" data-distance min=\"1\" "
             "max=\"8\" step=\"0.1\" value=\"1\"></label><output>1.0 \u00d7 as far</output></p>",
             "<p class=\"twin-label\">from afar</p>", cells(distant, made, "twin far"));
}

std::string labeled(const std::string& uri, const std::string& alt, int width, int height) {
  return cat("<div class=\"labeled\" tabindex=\"0\" role=\"group\" style=\"--own:", width,
             "px\" aria-label=\"", escape_html(alt), "\">",
             image(uri, alt, "figure", width, height),
             "</div><p class=\"hint\">wider than the screen: slide it sideways</p>");
}

std::string scene(const Figure& figure, const MadeFigure& made) {
  return cat("<div class=\"scene\">",
             image(png_uri(made.files[0]), figure.alt, "photo", made.width, made.height), "<span>",
             escape_html(figure.labels.empty() ? "" : figure.labels[0]), "</span></div>");
}

// The animation on a screen; on paper, and for those who prefer no motion, its last image.
std::string animation(const Figure& figure, const MadeFigure& made) {
  return cat("<div class=\"film\">",
             image(data_uri(made.animation, "image/webp"), figure.alt, "pixel moving", made.width,
                   made.height),
             image(png_uri(made.files[0]), cat(figure.alt, ", the end"), "pixel still", made.width,
                   made.height),
             "</div>");
}

}  // namespace

std::string figure_images(const Figure& figure, const MadeFigures& made) {
  const MadeFigure& own = made.at(figure.id);
  switch (figure.show) {
    case Show::kCells:
      return cells(figure, made);
    case Show::kFlip:
      return flip(figure, made);
    case Show::kDistance:
      return distance(figure, made);
    case Show::kAnimation:
      return animation(figure, own);
    case Show::kLabeled:
      return labeled(png_uri(own.files[0]), figure.alt, own.width, own.height);
    case Show::kChart:
      return image(png_uri(own.files[0]), figure.alt, "chart", own.width, own.height);
    case Show::kScene:
      return scene(figure, own);
    case Show::kPrinted:
      break;
  }
  return "";
}

std::string found_image(const FoundImage& found) {
  const PngInfo info = read_png_info(found.file);
  return cat("<div class=\"strip\">",
             image(png_uri(found.file), found.alt, info.width <= 400 ? "pixel" : "photo",
                   info.width, info.height),
             "</div>");
}

}  // namespace ebb
