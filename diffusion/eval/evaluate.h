#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "diffusion/eval/digit_classifier.h"
#include "diffusion/eval/evaluation_report.h"
#include "diffusion/model.h"
#include "diffusion/sampler.h"

namespace ebb {

// Sampler settings: one row of the table of samples.
struct SampleSetting {
  SamplerKind sampler = SamplerKind::kDdpm;
  int64_t steps = 300;
  double guidance = 1;  // of networks with classes; 0: the class is not used
};

struct EvaluateRequest {
  std::string data;            // the directory of the MNIST files; empty: the default one
  int64_t images = 0;          // test images, spread evenly over the test set
  int64_t samples = 0;         // generated images per setting
  int64_t trials = 0;          // noise levels per image of the diffusion classifier
  std::vector<double> sigmas;  // of a denoiser
  std::vector<SampleSetting> settings;
  uint64_t seed = 0;
  int64_t batch_size = 50;
};

// Called with the share of the work that is done, 0..1, ascending.
using EvaluateProgress = std::function<void(double)>;

// Each adds its tables and plots to `report`.

// Objectives kDenoise and kPureNoise: MSE, PSNR and SSIM of the outputs on noisy test images.
void evaluate_denoiser(Context& context, const Model& model, const EvaluateRequest& request,
                       const EvaluateProgress& progress, Report& report);

// Objectives kDdpm and kFlow: the classifier's accuracy on samples, their Frechet distance from the
// training set, class balance, nearest neighbors; of models with classes also the accuracy of the
// diffusion classifier.
void evaluate_samples(Context& context, const Model& model, DigitClassifier& classifier,
                      const EvaluateRequest& request, const EvaluateProgress& progress,
                      Report& report);

// Digits that were generated before, of whatever model: [N, 28, 28] bytes, and the class that each
// was to show, or none. The same figures as of samples. request: data and seed.
void evaluate_stored(Context& context, std::span<const uint8_t> images,
                     std::span<const int64_t> labels, DigitClassifier& classifier,
                     const EvaluateRequest& request, Report& report);

// A classifier: accuracy and confusion matrix on test images.
void evaluate_classifier(DigitClassifier& classifier, const EvaluateRequest& request,
                         const EvaluateProgress& progress, Report& report);

// `count` images of a data set, spread evenly over it; all of them when it has fewer.
MnistDataset spread(const MnistDataset& data, int64_t count);

// Pixels over 255.
std::vector<float> to_floats(std::span<const uint8_t> bytes);

}  // namespace ebb
