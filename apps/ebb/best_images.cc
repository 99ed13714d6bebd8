#include "apps/ebb/best_images.h"

#include <algorithm>
#include <numeric>

#include "base/error.h"

namespace ebb {
namespace {

constexpr int64_t kDrawnForEach = 8, kMinDrawn = 16;  // when -b is not given

}  // namespace

ImageCount count_images(const SampleFlags& flags) {
  if (flags.best == 0) {
    const int64_t images = std::max<int64_t>(flags.count, 1);
    return {images, images};
  }
  refuse_flag("--gif", flags.gif, "with --best, which keeps some of the images it draws");
  const int64_t drawn =
      flags.count > 0 ? flags.count : std::max(kMinDrawn, kDrawnForEach * flags.best);
  EBB_CHECK(flags.best <= drawn, UsageError, "--best ", flags.best, ": more than the ", drawn,
            drawn == 1 ? " image" : " images", " of -b. Raise -b or leave it out.");
  return {drawn, flags.best};
}

std::string best_help(const std::string& ways) {
  return cat("Keep this many of the images of -b (by default ", kDrawnForEach,
             " for each, at least ", kMinDrawn, "): those that the classifier reads best ", ways);
}

std::vector<uint64_t> keep_best(const ImageCount& count, uint64_t first_seed,
                                PredictionPrinter& classifier, const std::vector<Reading>& readings,
                                const std::string& ways, std::vector<float>& values) {
  std::vector<int64_t> kept(static_cast<size_t>(count.drawn));
  std::iota(kept.begin(), kept.end(), 0);
  if (count.kept < count.drawn) {
    kept = classifier.keep_best(readings, count.kept, ways);
    const auto size = static_cast<int64_t>(values.size()) / count.drawn;
    std::vector<float> best;
    for (const int64_t k : kept) {
      best.insert(best.end(), values.begin() + k * size, values.begin() + (k + 1) * size);
    }
    values = std::move(best);
  }
  std::vector<uint64_t> seeds;
  for (const int64_t k : kept) seeds.push_back(first_seed + static_cast<uint64_t>(k));
  return seeds;
}

}  // namespace ebb
