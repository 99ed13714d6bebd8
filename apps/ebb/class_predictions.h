#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "apps/ebb/sample_job.h"

namespace ebb {

// The images of a command in one of the ways in which they can be read.
struct Reading {
  std::string what;           // "upright", "from afar"
  std::vector<float> values;  // [N, 28, 28]
  int64_t expected = 0;       // the class that they should show
};

// Classifies generated digits; does nothing for models that do not generate MNIST digits.
class PredictionPrinter {
 public:
  explicit PredictionPrinter(const SampleJob& job);
  ~PredictionPrinter();

  // UsageError that names `flag`, which needs the classifier, when there is nothing to classify
  // with or it is not here.
  void check_usable(const std::string& flag) const;

  // Prints the share that agrees with the prompt: "classified upright as 6: 95.0 % (19 of 20)".
  void print(const Reading& reading);

  // The `kept` of N images that are read as expected in every reading, most surely first: those of
  // the largest probability of the expected class in the reading where that is smallest. Where
  // fewer are read so, the next best follow. Prints "kept the best 4 of 32: 9 are read in every
  // view"; `ways`: "in every view".
  std::vector<int64_t> keep_best(const std::vector<Reading>& readings, int64_t kept,
                                 const std::string& ways);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;  // null: nothing to classify
};

}  // namespace ebb
