#include <algorithm>
#include <array>
#include <cmath>

#include "diffusion/combine.h"
#include "diffusion/eval/evaluate.h"
#include "diffusion/eval/image_quality.h"
#include "diffusion/image_noise.h"
#include "engine/executor.h"
#include "nn/graph_builder.h"
#include "nn/param_collector.h"

namespace ebb {
namespace {

constexpr int64_t kBatch = 32;
constexpr int64_t kSide = 28, kPixels = MnistDataset::kPixels;

// Sums over images.
struct Quality {
  double mse = 0, ssim = 0, noisy_mse = 0, noisy_ssim = 0;
  double mean_mse = 0;  // between outputs and the mean training image
};

// Outputs of a denoiser for images plus sigma times noise that is fixed by the image's number.
class NoisyTest {
 public:
  NoisyTest(Context& context, const Model& model, const EvaluateRequest& request)
      : context_(context),
        input_(model.network.sample().name),
        executor_(context, inference_graph(model.network, kBatch, context), model.params),
        seed_(request.seed),
        data_(
            spread(load_mnist(request.data, MnistSplit::kTest, kClassesOfLabels), request.images)),
        noise_(Tensor::empty(context, {kBatch, kSide, kSide, 1})),
        noisy_(Tensor::empty(context, noise_.shape())) {}

  int64_t images() const { return data_.count; }
  const std::string& fingerprint() const { return data_.fingerprint; }

  // x = signal * image + sigma * eps. mean: the mean training image, or empty.
  Quality run(double signal, double sigma, std::span<const float> mean,
              const std::function<void(int64_t)>& on_images) {
    const Tensor factors = coefficients(context_, std::array{signal, sigma});
    Quality sums;
    for (int64_t first = 0; first < data_.count; first += kBatch) {
      const int64_t part = std::min(kBatch, data_.count - first);
      std::vector<float> clean =
          to_floats(std::span(data_.images).subspan(first * kPixels, part * kPixels));
      clean.resize(kBatch * kPixels, 0.0f);
      ImageNoise(context_, seed_ + static_cast<uint64_t>(first)).start(noise_);
      const std::array terms{
          Tensor::from_host(context_, noise_.shape(), std::span<const float>(clean)), noise_};
      combine(context_, terms, factors, noisy_);
      executor_.set_input(input_, noisy_);
      const std::vector<float> outputs = executor_.run().to_host(), noisy = noisy_.to_host();
      for (int64_t i = 0; i < part; ++i) {
        const auto image = [&](const std::vector<float>& batch) {
          return std::span(batch).subspan(i * kPixels, kPixels);
        };
        sums.mse += mean_squared_error(image(outputs), image(clean));
        sums.ssim += structural_similarity(image(outputs), image(clean), kSide, kSide);
        sums.noisy_mse += mean_squared_error(image(noisy), image(clean));
        sums.noisy_ssim += structural_similarity(image(noisy), image(clean), kSide, kSide);
        if (!mean.empty()) sums.mean_mse += mean_squared_error(image(outputs), mean);
      }
      on_images(first + part);
    }
    const auto count = static_cast<double>(data_.count);
    return {sums.mse / count, sums.ssim / count, sums.noisy_mse / count, sums.noisy_ssim / count,
            sums.mean_mse / count};
  }

 private:
  Context& context_;
  std::string input_;  // the network's name for the images
  Executor executor_;
  uint64_t seed_;
  MnistDataset data_;
  Tensor noise_, noisy_;
};

ReportTable denoising_table(double trained_sigma) {
  return {.key = "denoising",
          .title = "Test images with noise, denoised in one step",
          .columns = {{"sigma", "sigma", 2},
                      {"mse", "MSE", 5},
                      {"psnr_db", "PSNR dB", 2},
                      {"ssim", "SSIM", 4},
                      {"noisy_mse", "noisy MSE", 5},
                      {"noisy_psnr_db", "noisy PSNR", 2},
                      {"noisy_ssim", "noisy SSIM", 4}},
          .rows = {},
          .notes = {cat("trained at sigma ", trained_sigma,
                        "; the same noise per image at every sigma")}};
}

void denoise_sweep(NoisyTest& test, const EvaluateRequest& request, double trained_sigma,
                   const EvaluateProgress& progress, Report& report) {
  ReportTable table = denoising_table(trained_sigma);
  PlotSeries denoised{.label = "denoised", .x = {}, .y = {}};
  PlotSeries noisy{.label = "noisy", .x = {}, .y = {}};
  const double total = static_cast<double>(request.sigmas.size() * test.images());
  int64_t done = 0;
  for (const double sigma : request.sigmas) {
    const Quality q = test.run(1, sigma, {}, [&](int64_t images) {
      progress(static_cast<double>(done + images) / total);
    });
    done += test.images();
    table.rows.push_back({sigma, q.mse, peak_signal_to_noise(q.mse), q.ssim, q.noisy_mse,
                          peak_signal_to_noise(q.noisy_mse), q.noisy_ssim});
    denoised.x.push_back(sigma);
    denoised.y.push_back(q.mse);
    noisy.x.push_back(sigma);
    noisy.y.push_back(q.noisy_mse);
  }
  report.tables.push_back(std::move(table));
  report.plots.push_back({.title = cat("MSE on test images, trained at sigma ", trained_sigma),
                          .x_label = "sigma",
                          .y_label = "MSE",
                          .series = {denoised, noisy},
                          .x_step = 0});
}

std::vector<float> mean_image(const MnistDataset& data) {
  std::vector<double> sum(kPixels, 0.0);
  for (size_t i = 0; i < data.images.size(); ++i) sum[i % kPixels] += data.images[i];
  std::vector<float> mean;
  for (const double s : sum) {
    mean.push_back(static_cast<float>(s / 255 / static_cast<double>(data.count)));
  }
  return mean;
}

// Given nothing but noise, the best output is the mean image; what is left is the variance.
void pure_noise(NoisyTest& test, const EvaluateRequest& request, const EvaluateProgress& progress,
                Report& report) {
  const MnistDataset train = load_mnist(request.data, MnistSplit::kTrain, kClassesOfLabels);
  const std::vector<float> mean = mean_image(train);
  const Quality q = test.run(0, 1, mean, [&](int64_t images) {
    progress(static_cast<double>(images) / static_cast<double>(test.images()));
  });
  double variance = 0;
  for (int64_t i = 0; i < train.count; ++i) {
    const std::vector<float> image =
        to_floats(std::span(train.images).subspan(i * kPixels, kPixels));
    variance += mean_squared_error(image, mean) / static_cast<double>(train.count);
  }
  report.tables.push_back({.key = "pure_noise",
                           .title = "Outputs for pure noise",
                           .columns = {{"figure", "", 0}, {"mse", "MSE", 5}},
                           .rows = {{"from the mean training image", q.mean_mse},
                                    {"from the test images", q.mse},
                                    {"training images from their mean (floor)", variance}},
                           .notes = {}});
}

}  // namespace

void evaluate_denoiser(Context& context, const Model& model, const EvaluateRequest& request,
                       const EvaluateProgress& progress, Report& report) {
  NoisyTest test(context, model, request);
  report.facts.emplace_back("images", test.images());
  if (model.objective.type == ObjectiveType::kPureNoise) {
    pure_noise(test, request, progress, report);
  } else {
    denoise_sweep(test, request, model.objective.sigma, progress, report);
  }
}

}  // namespace ebb
