#include "diffusion/eval/sample_metrics.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

#include "base/error.h"

namespace ebb {
namespace {

template <typename T>
void add_if(std::vector<Cell>& row, bool known, const T& value) {
  row.emplace_back();
  if (known) row.back() = value;
}

// The cells that identify a row.
std::vector<Cell> row_head(const Metrics& f, bool guidance) {
  std::vector<Cell> row;
  row.emplace_back(f.name);
  add_if(row, f.generated, f.setting.steps);
  if (guidance) add_if(row, f.generated, f.setting.guidance);
  return row;
}

}  // namespace

ReportTable samples_table(bool classes, double near, int64_t samples,
                          const std::vector<Metrics>& rows) {
  ReportTable table{.key = "samples",
                    .title = "Generated digits, read by the classifier",
                    .columns = {{"images", "images"}, {"steps", "steps"}},
                    .rows = {},
                    .notes = {}};
  if (classes) {
    table.columns.push_back({"guidance", "guidance", 1});
    table.columns.push_back({"accuracy", "right %", 2, true});
  }
  table.columns.insert(table.columns.end(), {{"frechet", "Frechet", 3},
                                             {"rarest_share", "rarest %", 1, true},
                                             {"commonest_share", "commonest %", 1, true},
                                             {"nearest", "nearest", 2},
                                             {"near_share", "near %", 1, true}});
  for (const Metrics& f : rows) {
    std::vector<Cell> row = row_head(f, classes);
    if (classes) add_if(row, !std::isnan(f.accuracy), f.accuracy);
    const auto count =
        static_cast<double>(std::accumulate(f.read.begin(), f.read.end(), int64_t{0}));
    const auto [rarest, commonest] = std::minmax_element(f.read.begin(), f.read.end());
    for (const double metric : {f.frechet, static_cast<double>(*rarest) / count,
                                static_cast<double>(*commonest) / count, f.nearest, f.near_share}) {
      row.emplace_back(metric);
    }
    table.rows.push_back(std::move(row));
  }
  const double share = 1.0 / static_cast<double>(rows.front().read.size());
  const double deviation = std::sqrt(share * (1 - share) / static_cast<double>(samples));
  const auto percent = [](double value) { return std::round(1000 * value) / 10; };
  table.notes = {
      "right: classified as the digit of the prompt",
      "Frechet: distance from the training set in the classifier's features. It varies with",
      "  the number of images: compare with the rows of test images (floor) and noise (ceiling)",
      cat("rarest, commonest: shares of a digit as read; chance alone leaves ",
          percent(std::max(share - 3 * deviation, 0.0)), "..",
          percent(std::min(share + 3 * deviation, 1.0)), " (3 sigma)"),
      cat("nearest: median distance to the nearest training image; near: nearer than ",
          std::round(1000 * near) / 1000, ","),
      "  as 1 % of the test images are. Many near ones mean copied training images"};
  if (std::any_of(rows.begin(), rows.end(),
                  [](const Metrics& f) { return std::isnan(f.frechet); })) {
    table.notes.emplace_back("Frechet is left out: it takes two images of every set at least");
  }
  return table;
}

ReportTable digits_table(const std::vector<Metrics>& rows) {
  ReportTable table{
      .key = "digits",
      .title = "How often the classifier reads each digit",
      .columns = {{"images", "images"}, {"steps", "steps"}, {"guidance", "guidance", 1}},
      .rows = {},
      .notes = {}};
  for (size_t k = 0; k < rows.front().read.size(); ++k) {
    table.columns.push_back({cat("digit_", k), std::to_string(k)});
  }
  for (const Metrics& f : rows) {
    std::vector<Cell> row = row_head(f, /*guidance=*/true);
    for (const int64_t count : f.read) row.emplace_back(count);
    table.rows.push_back(std::move(row));
  }
  return table;
}

std::vector<LossPlot> sample_plots(bool classes, const std::vector<Metrics>& rows) {
  std::map<std::string, std::vector<const Metrics*>> curves;
  for (const Metrics& f : rows) {
    if (!f.generated) continue;
    curves[classes ? cat(f.name, ", ", f.setting.steps, " steps") : f.name].push_back(&f);
  }
  LossPlot errors{.title = "Digits that the classifier reads as another",
                  .x_label = "guidance",
                  .y_label = "misread, %",
                  .series = {},
                  .x_step = 0,
                  .shows_zero = true};
  LossPlot frechet{.title = "Frechet distance from the training set",
                   .x_label = classes ? "guidance" : "steps",
                   .y_label = "Frechet distance",
                   .series = {},
                   .x_step = classes ? 0.0 : 1.0};
  double low = std::numeric_limits<double>::infinity(), high = -low;
  for (auto& [name, metrics] : curves) {
    const auto x_of = [&](const Metrics* f) {
      return classes ? f->setting.guidance : static_cast<double>(f->setting.steps);
    };
    std::sort(metrics.begin(), metrics.end(),
              [&](const Metrics* a, const Metrics* b) { return x_of(a) < x_of(b); });
    PlotSeries distance{.label = name, .x = {}, .y = {}};
    PlotSeries misread{.label = name, .x = {}, .y = {}};
    for (const Metrics* f : metrics) {
      distance.x.push_back(x_of(f));
      distance.y.push_back(f->frechet);
      low = std::min(low, distance.x.back());
      high = std::max(high, distance.x.back());
      if (std::isnan(f->accuracy)) continue;
      misread.x.push_back(x_of(f));
      misread.y.push_back(100 * (1 - f->accuracy));
    }
    frechet.series.push_back(std::move(distance));
    if (!misread.x.empty()) errors.series.push_back(std::move(misread));
  }
  for (const Metrics& f : rows) {
    if (!f.generated) frechet.series.push_back({f.name, {low, high}, {f.frechet, f.frechet}});
  }
  std::vector<LossPlot> plots;
  if (!errors.series.empty()) plots.push_back(std::move(errors));
  plots.push_back(std::move(frechet));
  return plots;
}

}  // namespace ebb
