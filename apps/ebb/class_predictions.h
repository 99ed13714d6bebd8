#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "apps/ebb/sample_job.h"

namespace ebb {

// Lets the classifier network read digits and prints how many it reads as meant:
//   "judged upright as 6: 95 % (19 of 20)"
// Prints nothing for models that do not draw MNIST digits. values: [N, 28, 28].
class PredictionPrinter {
 public:
  explicit PredictionPrinter(const SampleJob& job);
  ~PredictionPrinter();
  void print(const std::string& what, std::span<const float> values, int64_t expected);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;  // null: nothing to classifier
};

}  // namespace ebb
