#include "apps/ebb/side_by_side.h"

#include <algorithm>

#include "base/error.h"

namespace ebb {
namespace {

constexpr int64_t kMaxCells = 8;  // in a row

GridLabels labels_for(const OutputFiles& files, const std::vector<std::string>& titles) {
  GridLabels labels;
  for (int image = 0; image < files.columns; ++image) {
    labels.columns.insert(labels.columns.end(), titles.begin(), titles.end());
  }
  labels.group = static_cast<int>(titles.size());
  return labels;
}

}  // namespace

int64_t side_by_side_columns(int64_t images, size_t aspects) {
  return std::min(images, std::max<int64_t>(1, kMaxCells / static_cast<int64_t>(aspects)));
}

void check_side_by_side(const OutputFiles& files, const Shape& image, int64_t images,
                        const std::vector<std::string>& titles) {
  GridLabels labels = labels_for(files, titles);
  labels.cells = {"seed"};
  check_figure(files, image, files.columns * static_cast<int64_t>(titles.size()),
               (images + files.columns - 1) / files.columns, labels);
}

void write_side_by_side(Results& results, const OutputFiles& files,
                        const std::vector<Aspect>& aspects, const std::vector<uint64_t>& seeds,
                        Provenance common) {
  std::vector<std::string> titles;
  for (const Aspect& aspect : aspects) titles.push_back(aspect.title);
  GridLabels labels = labels_for(files, titles);
  labels.title = figure_text(common.prompt);
  std::vector<Image> cells;
  for (size_t k = 0; k < seeds.size(); ++k) {
    for (const Aspect& aspect : aspects) {
      cells.push_back(aspect.images[k]);
      labels.cells.push_back(&aspect == aspects.data() ? cat("seed ", seeds[k]) : "");
    }
  }
  common.seeds = seeds;
  write_figure(results, files, cells, files.columns * static_cast<int64_t>(aspects.size()), labels,
               common);
}

}  // namespace ebb
