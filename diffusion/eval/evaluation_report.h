#pragma once

#include <cstdint>
#include <iosfwd>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "image/plot_image.h"

namespace ebb {

// A figure of a report: nothing, a text, a count or a number. NaN is a figure that there is none of
// and shows as "-".
using Cell = std::variant<std::monostate, std::string, int64_t, double>;

struct ReportColumn {
  std::string key;       // in JSON
  std::string title;     // in text
  int decimals = 0;      // of numbers, in text
  bool percent = false;  // numbers are shares 0..1, shown times 100
};

struct ReportTable {
  std::string key;
  std::string title;
  std::vector<ReportColumn> columns;
  std::vector<std::vector<Cell>> rows;  // one cell per column
  std::vector<std::string> notes;       // how to read it; text only
};

// The results of an evaluation. JSON has full precision; NaN and infinity become null there.
struct Report {
  std::vector<std::pair<std::string, Cell>> facts;  // model, digests, seed, counts
  std::vector<ReportTable> tables;
  std::vector<LossPlot> plots;
};

void print_text(std::ostream& out, const Report& report);
void print_json(std::ostream& out, const Report& report);

// The report's plots below one another. Error when it has none.
Image draw_plots(const Report& report);

}  // namespace ebb
