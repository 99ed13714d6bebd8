#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

#include "base/text.h"
#include "diffusion/conditioner.h"
#include "diffusion/eval/diffusion_classifier.h"
#include "diffusion/eval/evaluate.h"
#include "diffusion/eval/frechet.h"
#include "diffusion/eval/nearest.h"
#include "diffusion/eval/sample_metrics.h"
#include "diffusion/pipeline.h"

namespace ebb {
namespace {

constexpr int64_t kPixels = MnistDataset::kPixels;
// A sample nearer to the training set than all but this share of the test images looks copied.
constexpr double kNearShare = 0.01;

bool takes_class(const Model& model) { return class_count(model.network) > 0; }

// The real images that samples are compared with.
struct Real {
  MnistDataset train, test;  // test: as many images as samples
  Predictions test_predictions;
  std::optional<FeatureStatistics> train_statistics;
  std::vector<double> test_nearest;
  double near = 0;  // the kNearShare quantile of test_nearest
};

// Nothing for fewer than two images, which have no covariance.
std::optional<FeatureStatistics> statistics_of(const Predictions& predictions,
                                               const DigitClassifier& classifier) {
  if (predictions.images < 2) return std::nullopt;
  return feature_statistics(predictions.features, classifier.features());
}

Real measure_real(const Context& context, DigitClassifier& classifier,
                  const EvaluateRequest& request) {
  const int64_t classes = classifier.classes();
  Real real{.train = load_mnist(request.data, MnistSplit::kTrain, classes),
            .test = spread(load_mnist(request.data, MnistSplit::kTest, classes), request.samples),
            .test_predictions = {},
            .train_statistics = {},
            .test_nearest = {}};
  real.train_statistics = statistics_of(classifier(real.train), classifier);
  real.test_predictions = classifier(real.test);
  real.test_nearest = nearest_distances(real.test.images, real.train.images, kPixels,
                                        context.kernel_stream().threads);
  real.near = quantile(real.test_nearest, kNearShare);
  return real;
}

Metrics measure(const Real& real, DigitClassifier& classifier, const Predictions& predictions,
                const std::vector<double>& nearest) {
  Metrics metrics;
  const auto statistics = statistics_of(predictions, classifier);
  metrics.frechet = statistics && real.train_statistics
                        ? frechet_distance(*statistics, *real.train_statistics)
                        : std::numeric_limits<double>::quiet_NaN();
  metrics.read.resize(static_cast<size_t>(classifier.classes()));
  for (const int64_t label : predictions.labels) ++metrics.read[label];
  metrics.nearest = quantile(nearest, 0.5);
  const auto near = std::count_if(nearest.begin(), nearest.end(),
                                  [&](double distance) { return distance < real.near; });
  metrics.near_share = static_cast<double>(near) / static_cast<double>(nearest.size());
  return metrics;
}

Metrics measure_images(const Context& context, const Real& real, DigitClassifier& classifier,
                       std::span<const float> images, const Predictions& predictions) {
  return measure(real, classifier, predictions,
                 nearest_distances(to_bytes(images), real.train.images, kPixels,
                                   context.kernel_stream().threads));
}

// Gaussian noise as the sampler starts from: the ceiling of the Frechet distance.
Metrics measure_noise(Context& context, const Real& real, DigitClassifier& classifier,
                      const EvaluateRequest& request) {
  const Tensor noise = Tensor::empty(context, {request.samples, 28, 28, 1});
  ImageNoise(context, request.seed).start(noise);
  const std::vector<float> images = noise.to_host();
  Metrics metrics = measure_images(context, real, classifier, images, classifier(images));
  metrics.name = "noise (ceiling)";
  return metrics;
}

// Runs of the network per image; one for guidance 0 and 1, else two.
double cost(const SampleSetting& setting, bool classes) {
  const bool one = !classes || setting.guidance == 0 || setting.guidance == 1;
  const int64_t runs = setting.steps * sampler_info(setting.sampler).evaluations;
  return static_cast<double>(one ? runs : 2 * runs);
}

Metrics measure_setting(Context& context, const Model& model, const Real& real,
                        DigitClassifier& classifier, const EvaluateRequest& request,
                        const SampleSetting& setting, const EvaluateProgress& progress) {
  const bool classes = takes_class(model);
  const bool conditioned = classes && setting.guidance != 0;
  std::vector<int64_t> digits;
  for (int64_t i = 0; i < request.samples; ++i) {
    digits.push_back(conditioned ? i % classifier.classes() : kNoClass);
  }
  const double total = static_cast<double>(request.samples * setting.steps);
  const Pipeline pipeline(context, model,
                          {.sampler = to_string(setting.sampler),
                           .steps = setting.steps,
                           .batch_size = request.batch_size});
  const std::vector<float> images =
      pipeline.generate_values({.labels = digits,
                                .guidance_scale = conditioned ? setting.guidance : 1,
                                .seed = request.seed},
                               [&](const GenerateStep& step) {
                                 progress(static_cast<double>(step.first_image * setting.steps +
                                                              step.x.shape()[0] * step.step) /
                                          total);
                                 return true;
                               });
  const Predictions predictions = classifier(images);
  Metrics metrics = measure_images(context, real, classifier, images, predictions);
  if (conditioned) metrics.accuracy = accuracy(predictions.labels, digits);
  metrics.name = to_string(setting.sampler);
  metrics.setting = setting;
  metrics.generated = true;
  return metrics;
}

std::vector<Metrics> rows_to_compare_with(Context& context, const Real& real,
                                          DigitClassifier& classifier,
                                          const EvaluateRequest& request) {
  Metrics floor = measure(real, classifier, real.test_predictions, real.test_nearest);
  floor.name = "test images (floor)";
  floor.accuracy = accuracy(real.test_predictions.labels, real.test.labels);
  return {floor, measure_noise(context, real, classifier, request)};
}

ReportTable classifier_table(Context& context, const Model& model, DigitClassifier& classifier,
                             const EvaluateRequest& request, const EvaluateProgress& progress) {
  const MnistDataset test =
      spread(load_mnist(request.data, MnistSplit::kTest, classifier.classes()), request.images);
  const auto total = static_cast<double>(test.count * request.trials);
  const std::vector<double> errors =
      diffusion_errors(context, model, to_floats(test.images),
                       {.trials = request.trials, .first_seed = request.seed},
                       [&](int64_t done) { progress(static_cast<double>(done) / total); });
  const std::vector<int64_t> labels = least_error(errors, classifier.classes());
  return {.key = "classifier",
          .title = cat("Test images classified, ", test.count, " of them"),
          .columns = {{"by", "by"}, {"trials", "noise levels"}, {"accuracy", "right %", 2, true}},
          .rows = {{"the model: the class whose prediction errs least", request.trials,
                    accuracy(labels, test.labels)},
                   {"the classifier", Cell(), accuracy(classifier(test).labels, test.labels)}},
          .notes = {}};
}

}  // namespace

void evaluate_samples(Context& context, const Model& model, DigitClassifier& classifier,
                      const EvaluateRequest& request, const EvaluateProgress& progress,
                      Report& report) {
  const bool classes = takes_class(model);
  EBB_CHECK(!classes || class_count(model.network) == classifier.classes(), UsageError,
            "--classifier ", path_label(classifier.path()), ": has ", classifier.classes(),
            " classes, the model has ", class_count(model.network),
            ". Name a classifier that was trained on the same data.");
  // One prediction of the classifier costs about 0.6 of a run: the classes share the encoder.
  const double classifier_cost = classes ? static_cast<double>(request.images * request.trials) *
                                               0.6 * static_cast<double>(classifier.classes())
                                         : 0;
  double total = classifier_cost, done = 0;
  for (const SampleSetting& setting : request.settings) {
    total += cost(setting, classes) * static_cast<double>(request.samples);
  }
  const auto part = [&](double share_cost) {
    return [&, share_cost](double share) { progress((done + share * share_cost) / total); };
  };

  const Real real = measure_real(context, classifier, request);
  report.facts.emplace_back("samples", request.samples);
  std::vector<Metrics> rows = rows_to_compare_with(context, real, classifier, request);
  for (const SampleSetting& setting : request.settings) {
    const double setting_cost = cost(setting, classes) * static_cast<double>(request.samples);
    rows.push_back(
        measure_setting(context, model, real, classifier, request, setting, part(setting_cost)));
    done += setting_cost;
  }
  report.tables.push_back(samples_table(classes, real.near, request.samples, rows));
  report.tables.push_back(digits_table(rows));
  report.plots = sample_plots(classes, rows);
  if (!classes) return;
  report.tables.push_back(
      classifier_table(context, model, classifier, request, part(classifier_cost)));
}

void evaluate_stored(Context& context, std::span<const uint8_t> images,
                     std::span<const int64_t> labels, DigitClassifier& classifier,
                     const EvaluateRequest& stored, Report& report) {
  EvaluateRequest request = stored;
  request.samples = static_cast<int64_t>(images.size()) / kPixels;
  for (const int64_t label : labels) {
    EBB_CHECK(label >= 0 && label < classifier.classes(), FormatError, "class ", label,
              " of an image: the classifier knows 0 to ", classifier.classes() - 1,
              ". Name another one with --classifier.");
  }
  const Real real = measure_real(context, classifier, request);
  report.facts.emplace_back("samples", request.samples);
  std::vector<Metrics> rows = rows_to_compare_with(context, real, classifier, request);
  const Predictions predictions = classifier(to_floats(images));
  Metrics metrics = measure(
      real, classifier, predictions,
      nearest_distances(images, real.train.images, kPixels, context.kernel_stream().threads));
  if (!labels.empty()) metrics.accuracy = accuracy(predictions.labels, labels);
  metrics.name = "the file";
  rows.push_back(metrics);
  report.tables.push_back(samples_table(!labels.empty(), real.near, request.samples, rows));
  report.tables.push_back(digits_table(rows));
}

}  // namespace ebb
