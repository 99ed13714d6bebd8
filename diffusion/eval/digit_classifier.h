#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "engine/executor.h"
#include "nn/network.h"
#include "weights/mnist_dataset.h"

namespace ebb {

// The predictions of a classifier for N images.
struct Predictions {
  int64_t images = 0;
  std::vector<float> logits;    // [N, classes]
  std::vector<float> features;  // [N, features]: what the logits are a linear function of
  std::vector<int64_t> labels;  // [N]: the class with the largest logit, the first of equals
};

// A classifier of 28x28 digits (nn/classifier_mnist.h) in use: how legible generated digits are,
// and the features in which sets of digits are compared. An image gets the same prediction in any
// batch.
class DigitClassifier {
 public:
  // network: one that classifies; params: as of Executor.
  DigitClassifier(Context& context, const Network& network, TensorMap params);

  // images: [N, 28, 28] as models make them, 0 black to 1 white; values beyond are clamped, as in
  // written images. DivergedError when a value is not finite.
  Predictions operator()(std::span<const float> images);
  Predictions operator()(const MnistDataset& data);

  int64_t classes() const { return classes_; }
  int64_t features() const { return features_; }
  const std::string& path() const { return path_; }      // empty unless from load_classifier()
  const std::string& sha256() const { return sha256_; }  // of the file; likewise

 private:
  friend DigitClassifier load_classifier(Context& context, const std::string& name);

  // Appends the predictions on the `count` images that batch_ starts with.
  void classify_batch(int64_t count, Predictions& predictions);

  Context& context_;
  int64_t classes_, features_;
  std::string input_;  // the network's name for the images
  Executor executor_;
  std::vector<float> batch_;  // [kBatch, 28, 28]
  std::string path_, sha256_;
};

// The pretrained classifier of this name, or in this file, as find_model() finds it. FormatError
// when the file is damaged or no classifier, IoError when there is none.
inline constexpr const char* kDefaultClassifier = "mnist-classifier";
DigitClassifier load_classifier(Context& context, const std::string& name = kDefaultClassifier);

// The share of images whose label is the expected one, 0..1. Both have N >= 1 entries.
double accuracy(std::span<const int64_t> labels, std::span<const int64_t> expected);
double accuracy(std::span<const int64_t> labels, std::span<const uint8_t> expected);

}  // namespace ebb
