#include <limits>

#include "diffusion/eval/evaluate.h"

namespace ebb {
namespace {

using Confusion = std::vector<std::vector<int64_t>>;  // [true][predicted]

// NaN without images.
double share(int64_t part, int64_t total) {
  if (total == 0) return std::numeric_limits<double>::quiet_NaN();
  return static_cast<double>(part) / static_cast<double>(total);
}

}  // namespace

void evaluate_classifier(DigitClassifier& classifier, const EvaluateRequest& request,
                         const EvaluateProgress& progress, Report& report) {
  const int64_t classes = classifier.classes();
  const MnistDataset test =
      spread(load_mnist(request.data, MnistSplit::kTest, classes), request.images);
  const std::vector<int64_t> labels = classifier(test).labels;
  progress(1);
  Confusion confusion(static_cast<size_t>(classes),
                      std::vector<int64_t>(static_cast<size_t>(classes)));
  for (int64_t i = 0; i < test.count; ++i) ++confusion[test.labels[i]][labels[i]];

  report.facts.emplace_back("images", test.count);
  report.facts.emplace_back("accuracy", accuracy(labels, test.labels));
  ReportTable table{.key = "confusion",
                    .title = "How the classifier reads the test images",
                    .columns = {{"digit", "digit", 0}},
                    .rows = {},
                    .notes = {"rows: what the image shows; columns: what the classifier reads"}};
  for (int64_t k = 0; k < classes; ++k) {
    table.columns.push_back({cat("read_as_", k), std::to_string(k), 0});
  }
  table.columns.push_back({"recall", "right %", 2, true});
  PlotSeries errors{.label = "misread", .x = {}, .y = {}};
  for (int64_t digit = 0; digit < classes; ++digit) {
    std::vector<Cell> row{digit};
    int64_t total = 0;
    for (const int64_t count : confusion[digit]) {
      row.emplace_back(count);
      total += count;
    }
    const double recall = share(confusion[digit][digit], total);
    row.emplace_back(recall);
    table.rows.push_back(std::move(row));
    if (total == 0) continue;
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
