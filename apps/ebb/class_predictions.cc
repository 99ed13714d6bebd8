#include "apps/ebb/class_predictions.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <ostream>

#include "diffusion/conditioner.h"
#include "diffusion/eval/digit_classifier.h"

namespace ebb {
namespace {

// The digits of MNIST, as images of this model.
bool generates_digits(const SampleJob& job) {
  return job.image() == Shape({28, 28, 1}) && class_count(job.model().network) == 10;
}

}  // namespace

struct PredictionPrinter::Impl {
  Results& results;
  DigitClassifier classifier;
};

PredictionPrinter::PredictionPrinter(const SampleJob& job) {
  if (!generates_digits(job)) return;
  try {
    impl_.reset(new Impl{job.results(), load_classifier(job.context())});
  } catch (const IoError& error) {
    job.err() << "warning: images not classified: " << error.what() << '\n';
  }
}

PredictionPrinter::~PredictionPrinter() = default;

void PredictionPrinter::print(const std::string& what, std::span<const float> values,
                              int64_t expected) {
  if (impl_ == nullptr) return;
  const Predictions predictions = impl_->classifier(values);
  const auto right = std::count(predictions.labels.begin(), predictions.labels.end(), expected);
  std::array<char, 32> share;
  std::snprintf(share.data(), share.size(), "%.1f",
                100.0 * static_cast<double>(right) / static_cast<double>(predictions.images));
  impl_->results.append("classified", Json{{"what", what},
                                           {"expected", expected},
                                           {"right", right},
                                           {"images", predictions.images}});
  impl_->results.text() << "classified " << what << " as " << expected << ": " << share.data()
                        << " % (" << right << " of " << predictions.images << ")\n";
}

}  // namespace ebb
