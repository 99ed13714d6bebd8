#include "apps/ebb/class_predictions.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <numeric>
#include <ostream>

#include "base/error.h"
#include "diffusion/conditioner.h"
#include "diffusion/eval/digit_classifier.h"

namespace ebb {
namespace {

// The logarithm of the probability of class `label` for image k.
double log_probability(const Predictions& predictions, int64_t k, int64_t label) {
  const auto classes = static_cast<int64_t>(predictions.logits.size()) / predictions.images;
  const float* logits = predictions.logits.data() + k * classes;
  const double most = *std::max_element(logits, logits + classes);
  double sum = 0;
  for (int64_t c = 0; c < classes; ++c) sum += std::exp(logits[c] - most);
  return logits[label] - most - std::log(sum);
}

// The digits of MNIST, as images of this model.
bool generates_digits(const SampleJob& job) {
  return job.image() == Shape({28, 28, 1}) && class_count(job.model().network) == 10;
}

}  // namespace

struct PredictionPrinter::Impl {
  Results& results;
  std::ostream& err;
  DigitClassifier classifier;
};

PredictionPrinter::PredictionPrinter(const SampleJob& job) {
  if (!generates_digits(job)) return;
  try {
    impl_.reset(new Impl{job.results(), job.err(), load_classifier(job.context())});
  } catch (const IoError& error) {
    job.err() << "warning: images not classified: " << error.what() << '\n';
  }
}

PredictionPrinter::~PredictionPrinter() = default;

void PredictionPrinter::check_usable(const std::string& flag) const {
  EBB_CHECK(impl_ != nullptr, UsageError, flag,
            ": needs a model of digits, and mnist-classifier to read them. Leave it out.");
}

void PredictionPrinter::print(const Reading& reading) {
  if (impl_ == nullptr) return;
  const auto& [what, values, expected] = reading;
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

std::vector<int64_t> PredictionPrinter::keep_best(const std::vector<Reading>& readings,
                                                  int64_t kept, const std::string& ways) {
  check_usable("--best");
  std::vector<double> scores;
  std::vector<bool> is_read;
  for (const Reading& reading : readings) {
    const Predictions predictions = impl_->classifier(reading.values);
    scores.resize(static_cast<size_t>(predictions.images), 0);
    is_read.resize(scores.size(), true);
    for (size_t k = 0; k < scores.size(); ++k) {
      const auto image = static_cast<int64_t>(k);
      scores[k] = std::min(scores[k], log_probability(predictions, image, reading.expected));
      is_read[k] = is_read[k] && predictions.labels[k] == reading.expected;
    }
  }
  std::vector<int64_t> order(scores.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) {
    return is_read[a] != is_read[b] ? is_read[a] : scores[a] > scores[b];
  });
  const auto read = std::count(is_read.begin(), is_read.end(), true);
  order.resize(static_cast<size_t>(std::min<int64_t>(kept, static_cast<int64_t>(order.size()))));
  impl_->results.set("best", Json{{"kept", order.size()}, {"of", scores.size()}, {"read", read}});
  impl_->results.text() << "kept the best " << order.size() << " of " << scores.size() << ": "
                        << read << (read == 1 ? " is" : " are") << " read " << ways << '\n';
  if (read < kept) {
    impl_->err << "warning: only " << read << " of " << scores.size() << " images are read " << ways
               << ". Draw more with -b, or try another pair.\n";
  }
  return order;
}

}  // namespace ebb
