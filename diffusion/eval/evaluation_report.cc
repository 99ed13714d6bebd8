#include "diffusion/eval/evaluation_report.h"

#include <algorithm>
#include <cmath>
#include <iomanip>
#include <ostream>
#include <sstream>

#include "base/error.h"
#include "base/json.h"
#include "base/text.h"

namespace ebb {
namespace {

struct ToJson {
  Json operator()(std::monostate) const { return nullptr; }
  Json operator()(const std::string& text) const { return text; }
  Json operator()(int64_t count) const { return count; }
  Json operator()(double value) const { return std::isfinite(value) ? Json(value) : Json(nullptr); }
};

struct ToText {
  const ReportColumn& column;

  std::string operator()(std::monostate) const { return "-"; }
  std::string operator()(const std::string& text) const { return terminal_safe(text); }
  std::string operator()(int64_t count) const { return std::to_string(count); }
  std::string operator()(double value) const {
    if (std::isnan(value)) return "-";
    std::ostringstream out;
    out << std::fixed << std::setprecision(column.decimals)
        << (column.percent ? 100 * value : value);
    return out.str();
  }
};

std::string text_of(const Cell& cell, const ReportColumn& column) {
  return std::visit(ToText{column}, cell);
}

size_t column_width(const ReportTable& table, size_t c) {
  size_t width = table.columns[c].title.size();
  for (const auto& row : table.rows) {
    width = std::max(width, text_of(row.at(c), table.columns[c]).size());
  }
  return width;
}

// The first column is a name or a setting and stands left, figures stand right.
void print_row(std::ostream& out, const std::vector<size_t>& widths,
               const std::vector<std::string>& texts) {
  for (size_t c = 0; c < texts.size(); ++c) {
    out << (c == 0 ? "  " : "   ") << (c == 0 ? std::left : std::right)
        << std::setw(static_cast<int>(widths[c])) << texts[c];
  }
  out << '\n';
}

void print_table(std::ostream& out, const ReportTable& table) {
  out << '\n' << table.title << '\n';
  std::vector<size_t> widths;
  std::vector<std::string> titles;
  for (size_t c = 0; c < table.columns.size(); ++c) {
    widths.push_back(column_width(table, c));
    titles.push_back(table.columns[c].title);
  }
  print_row(out, widths, titles);
  for (const auto& row : table.rows) {
    std::vector<std::string> texts;
    for (size_t c = 0; c < table.columns.size(); ++c) {
      texts.push_back(text_of(row.at(c), table.columns[c]));
    }
    print_row(out, widths, texts);
  }
  for (const std::string& note : table.notes) out << "  " << note << '\n';
}

}  // namespace

void print_text(std::ostream& out, const Report& report) {
  size_t width = 0;
  for (const auto& [name, value] : report.facts) width = std::max(width, name.size());
  for (const auto& [name, value] : report.facts) {
    const double* number = std::get_if<double>(&value);
    out << std::left << std::setw(static_cast<int>(width)) << name << "  "
        << (number != nullptr && !std::isnan(*number)
                ? cat(*number)
                : text_of(value, {.key = name, .title = name}))
        << '\n';
  }
  for (const ReportTable& table : report.tables) print_table(out, table);
}

void print_json(std::ostream& out, const Report& report) {
  Json json = Json::object();
  for (const auto& [name, value] : report.facts) json[name] = std::visit(ToJson{}, value);
  for (const ReportTable& table : report.tables) {
    Json rows = Json::array();
    for (const auto& row : table.rows) {
      Json object = Json::object();
      for (size_t c = 0; c < table.columns.size(); ++c) {
        object[table.columns[c].key] = std::visit(ToJson{}, row.at(c));
      }
      rows.push_back(std::move(object));
    }
    json[table.key] = std::move(rows);
  }
  // A path may hold any bytes; JSON holds UTF-8.
  out << json.dump(2, ' ', true, Json::error_handler_t::replace) << '\n';
}

Image draw_plots(const Report& report) {
  EBB_CHECK(!report.plots.empty(), Error, "draw_plots: the report has no plot");
  std::vector<Image> images;
  int height = 0;
  for (const LossPlot& plot : report.plots) {
    images.push_back(draw_loss_plot(plot));
    height += images.back().height;
  }
  Image all = make_image(images.front().width, height, images.front().channels, 255);
  int top = 0;
  for (const Image& image : images) {
    paste(image, 0, top, all);
    top += image.height;
  }
  return all;
}

}  // namespace ebb
