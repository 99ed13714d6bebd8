#include <array>

#include "diffusion/eval/evaluate.h"

namespace ebb {
namespace {

constexpr int64_t kDigits = 10;
using Confusion = std::array<std::array<int64_t, kDigits>, kDigits>;  // [true][predicted]

}  // namespace

void evaluate_classifier(DigitClassifier& classifier, const EvaluateRequest& request,
                         const EvaluateProgress& progress, Report& report) {
  const MnistDataset test = spread(load_mnist(request.data, MnistSplit::kTest), request.images);
  const std::vector<int64_t> labels = classifier(test).labels;
  progress(1);
  Confusion confusion{};
  for (int64_t i = 0; i < test.count; ++i) ++confusion[test.labels[i]][labels[i]];

  report.facts.emplace_back("images", test.count);
  report.facts.emplace_back("accuracy", accuracy(labels, test.labels));
  ReportTable table{.key = "confusion",
                    .title = "How the classifier reads the test images",
                    .columns = {{"digit", "digit", 0}},
                    .rows = {},
                    .notes = {"rows: what the image shows; columns: what the classifier reads"}};
  for (int64_t k = 0; k < kDigits; ++k) {
    table.columns.push_back({cat("read_as_", k), std::to_string(k), 0});
  }
  table.columns.push_back({"recall", "right %", 2, true});
  PlotSeries errors{.label = "misread", .x = {}, .y = {}};
  for (int64_t digit = 0; digit < kDigits; ++digit) {
    std::vector<Cell> row{digit};
    int64_t total = 0;
    for (const int64_t count : confusion[digit]) {
      row.emplace_back(count);
      total += count;
    }
    const double recall = static_cast<double>(confusion[digit][digit]) / static_cast<double>(total);
    row.emplace_back(recall);
    table.rows.push_back(std::move(row));
    errors.x.push_back(static_cast<double>(digit));
    errors.y.push_back(100 * (1 - recall));
  }
  report.tables.push_back(std::move(table));
  report.plots.push_back({.title = "Test images that the classifier misreads",
                          .x_label = "digit",
                          .y_label = "misread, %",
                          .series = {errors}});
}

}  // namespace ebb
