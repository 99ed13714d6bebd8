#include <algorithm>
#include <cmath>

#include "diffusion/metrics/diffusion_classifier.h"
#include "diffusion/metrics/evaluate.h"
#include "diffusion/metrics/frechet.h"
#include "diffusion/metrics/nearest.h"
#include "diffusion/metrics/sample_figures.h"
#include "diffusion/sampling/classes.h"
#include "diffusion/sampling/generate.h"

namespace ebb {
namespace {

constexpr int64_t kPixels = MnistDataset::kPixels;
// A sample nearer to the training set than all but this share of the test images looks copied.
constexpr double kNearShare = 0.01;

bool takes_class(const LoadedModel& model) { return model.network.has_input("c"); }

// What a set of images is measured against.
struct Real {
  MnistDataset train, test;  // test: as many images as are drawn
  Verdicts test_verdicts;
  FeatureStatistics train_statistics;
  std::vector<double> test_nearest;
  double near = 0;  // the kNearShare quantile of test_nearest
};

Real measure_real(const Context& context, Judge& judge, const EvaluateRequest& request) {
  Real real{.train = load_mnist(request.data, MnistSplit::kTrain),
            .test = spread(load_mnist(request.data, MnistSplit::kTest), request.samples),
            .test_verdicts = {},
            .train_statistics = {},
            .test_nearest = {}};
  real.train_statistics = feature_statistics(judge(real.train).features, judge.features());
  real.test_verdicts = judge(real.test);
  real.test_nearest =
      nearest_distances(real.test.images, real.train.images, kPixels, context.stream().threads);
  real.near = quantile(real.test_nearest, kNearShare);
  return real;
}

Figures measure(const Real& real, Judge& judge, const Verdicts& verdicts,
                const std::vector<double>& nearest) {
  Figures figures;
  figures.frechet = frechet_distance(feature_statistics(verdicts.features, judge.features()),
                                     real.train_statistics);
  for (const int64_t label : verdicts.labels) ++figures.read[label];
  figures.nearest = quantile(nearest, 0.5);
  const auto near = std::count_if(nearest.begin(), nearest.end(),
                                  [&](double distance) { return distance < real.near; });
  figures.near_share = static_cast<double>(near) / static_cast<double>(nearest.size());
  return figures;
}

Figures measure_images(const Context& context, const Real& real, Judge& judge,
                       std::span<const float> images, const Verdicts& verdicts) {
  return measure(
      real, judge, verdicts,
      nearest_distances(to_bytes(images), real.train.images, kPixels, context.stream().threads));
}

// Gaussian noise as the sampler starts from: the ceiling of the Frechet distance.
Figures measure_noise(Context& context, const Real& real, Judge& judge,
                      const EvaluateRequest& request) {
  const Tensor noise = Tensor::empty(context, {request.samples, 28, 28, 1});
  ImageNoise(context, request.seed).start(noise);
  const std::vector<float> images = noise.to_host();
  Figures figures = measure_images(context, real, judge, images, judge(images));
  figures.name = "noise (ceiling)";
  return figures;
}

// Runs of the network per image; guidance 0 and 1 ask one question, others two.
double cost(const SampleSetting& setting, bool classes) {
  const bool one = !classes || setting.guidance == 0 || setting.guidance == 1;
  const double runs = setting.sampler == SamplerKind::kHeun ? 2 : 1;
  return static_cast<double>(setting.steps) * runs * (one ? 1 : 2);
}

Figures measure_setting(Context& context, const LoadedModel& model, const Real& real, Judge& judge,
                        const EvaluateRequest& request, const SampleSetting& setting,
                        const EvaluateProgress& progress) {
  const bool classes = takes_class(model);
  const bool asks = classes && setting.guidance != 0;
  std::vector<int64_t> digits;
  for (int64_t i = 0; i < request.samples; ++i) digits.push_back(asks ? i % kDigits : kNoClass);
  const double total = static_cast<double>(request.samples * setting.steps);
  GenerateRequest drawing;
  drawing.images = request.samples;
  drawing.recipe = class_recipe(context, model.network, digits, asks ? setting.guidance : 1);
  drawing.sampler.kind = setting.sampler;
  drawing.walk = full_walk(model.objective, setting.steps);
  drawing.first_seed = request.seed;
  drawing.batch_size = request.batch_size;
  const std::vector<float> images = generate(
      context, model.network, model.params, drawing,
      [&](int64_t first, int64_t steps_done, const Tensor& x) {
        progress(static_cast<double>(first * setting.steps + x.shape()[0] * steps_done) / total);
      });
  const Verdicts verdicts = judge(images);
  Figures figures = measure_images(context, real, judge, images, verdicts);
  if (asks) figures.accuracy = accuracy(verdicts.labels, digits);
  figures.name = to_string(setting.sampler);
  figures.setting = setting;
  figures.drawn = true;
  return figures;
}

ReportTable classifier_table(Context& context, const LoadedModel& model, Judge& judge,
                             const EvaluateRequest& request, const EvaluateProgress& progress) {
  const MnistDataset test = spread(load_mnist(request.data, MnistSplit::kTest), request.images);
  const auto total = static_cast<double>(test.count * request.trials);
  const std::vector<double> errors =
      diffusion_errors(context, model, to_floats(test.images),
                       {.trials = request.trials, .first_seed = request.seed},
                       [&](int64_t done) { progress(static_cast<double>(done) / total); });
  const std::vector<int64_t> labels = least_error(errors, kDigits);
  return {.key = "classifier",
          .title = cat("Test images classified, ", test.count, " of them"),
          .columns = {{"by", "by"}, {"trials", "noise levels"}, {"accuracy", "right %", 2, true}},
          .rows = {{"the model: the class whose prediction errs least", request.trials,
                    accuracy(labels, test.labels)},
                   {"the judge", Cell(), accuracy(judge(test).labels, test.labels)}},
          .notes = {}};
}

}  // namespace

void evaluate_samples(Context& context, const LoadedModel& model, Judge& judge,
                      const EvaluateRequest& request, const EvaluateProgress& progress,
                      Report& report) {
  const bool classes = takes_class(model);
  // One answer of the classifier is about 0.6 of a run: the encoder is shared by the ten classes.
  const double classifier_cost =
      classes ? static_cast<double>(request.images * request.trials) * 0.6 * kDigits : 0;
  double total = classifier_cost, done = 0;
  for (const SampleSetting& setting : request.settings) {
    total += cost(setting, classes) * static_cast<double>(request.samples);
  }
  const auto part = [&](double share_cost) {
    return [&, share_cost](double share) { progress((done + share * share_cost) / total); };
  };

  const Real real = measure_real(context, judge, request);
  report.facts.emplace_back("samples", request.samples);
  Figures floor = measure(real, judge, real.test_verdicts, real.test_nearest);
  floor.name = "test images (floor)";
  floor.accuracy = accuracy(real.test_verdicts.labels, real.test.labels);
  std::vector<Figures> rows{floor, measure_noise(context, real, judge, request)};
  for (const SampleSetting& setting : request.settings) {
    const double setting_cost = cost(setting, classes) * static_cast<double>(request.samples);
    rows.push_back(
        measure_setting(context, model, real, judge, request, setting, part(setting_cost)));
    done += setting_cost;
  }
  report.tables.push_back(samples_table(classes, real.near, request.samples, rows));
  report.tables.push_back(digits_table(rows));
  report.plots = sample_plots(classes, rows);
  if (!classes) return;
  report.tables.push_back(classifier_table(context, model, judge, request, part(classifier_cost)));
}

}  // namespace ebb
