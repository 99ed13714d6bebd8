#pragma once

#include <limits>
#include <string>
#include <vector>

#include "diffusion/eval/evaluate.h"

namespace ebb {

// The figures of one set of images.
struct Metrics {
  std::string name;
  SampleSetting setting;
  bool generated = false;  // by the model; false for the rows to compare with
  double accuracy = std::numeric_limits<double>::quiet_NaN();  // NaN: sampled without classes
  double frechet = 0;                                          // NaN: of fewer than two images
  std::vector<int64_t> read;  // [classes]: images that the classifier reads as each
  double nearest = 0;         // median distance to the training set
  double near_share = 0;
};

// One row per set. near: the distance from the training set below which 1 % of the test images lie;
// samples: images in a set.
ReportTable samples_table(bool classes, double near, int64_t samples,
                          const std::vector<Metrics>& rows);

ReportTable digits_table(const std::vector<Metrics>& rows);

// Curves over guidance, one per sampler and number of steps that has several scales, or
// over steps where there is no guidance to vary.
std::vector<LossPlot> sample_plots(bool classes, const std::vector<Metrics>& rows);

}  // namespace ebb
