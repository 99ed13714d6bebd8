#include "diffusion/eval/digit_classifier.h"

#include <algorithm>
#include <cmath>

#include "base/text.h"
#include "diffusion/find_model.h"
#include "diffusion/model.h"
#include "diffusion/model_file.h"
#include "engine/passes/passes.h"
#include "nn/graph_builder.h"

namespace ebb {
namespace {

constexpr int64_t kBatch = 64;
constexpr int64_t kPixels = MnistDataset::kPixels;
constexpr const char* kFeatures = "features";  // module of nn/classifier_mnist

Graph classifier_graph(const Context& context, const Network& network) {
  Graph graph = build_graph(network, kBatch);
  // No other module's output is read, so the passes may fuse them.
  std::erase_if(graph.module_outputs,
                [](const auto& mark_output) { return mark_output.first != kFeatures; });
  EBB_CHECK(graph.module_outputs.contains(kFeatures), Error,
            "classifier: the network has no module ", kFeatures);
  return optimize(graph, context);
}

float clamped(float value) {
  EBB_CHECK(std::isfinite(value), DivergedError, "classifier: a pixel is ", value,
            ", expected a finite value. The model that generated it has diverged.");
  return std::clamp(value, 0.0f, 1.0f);
}

void append_rows(const Tensor& tensor, int64_t rows, std::vector<float>& values) {
  const std::vector<float> all = tensor.to_host();
  values.insert(values.end(), all.begin(), all.begin() + rows * tensor.shape().back());
}

template <typename Expected>
double share_of_equals(std::span<const int64_t> labels, std::span<const Expected> expected) {
  EBB_CHECK(labels.size() == expected.size() && !labels.empty(), Error, "accuracy: ", labels.size(),
            " labels, ", expected.size(), " expected ones");
  int64_t right = 0;
  for (size_t i = 0; i < labels.size(); ++i) right += labels[i] == expected[i] ? 1 : 0;
  return static_cast<double>(right) / static_cast<double>(labels.size());
}

}  // namespace

DigitClassifier::DigitClassifier(Context& context, const Network& network, TensorMap params)
    : context_(context),
      classes_(output_shape(network).back()),
      features_(0),
      input_(network.sample().name),
      executor_(context, classifier_graph(context, network), std::move(params),
                {.keep_module_outputs = true}),
      batch_(static_cast<size_t>(kBatch * kPixels), 0.0f) {
  features_ = executor_.mark_output(kFeatures).shape().back();
}

Predictions DigitClassifier::operator()(std::span<const float> images) {
  EBB_CHECK(images.size() % kPixels == 0, ShapeError, "classifier: ", images.size(),
            " pixels, expected a multiple of ", kPixels);
  Predictions predictions;
  const auto count = static_cast<int64_t>(images.size()) / kPixels;
  for (int64_t first = 0; first < count; first += kBatch) {
    const int64_t part = std::min(kBatch, count - first);
    const auto pixels = images.subspan(first * kPixels, part * kPixels);
    std::transform(pixels.begin(), pixels.end(), batch_.begin(), clamped);
    classify_batch(part, predictions);
  }
  return predictions;
}

Predictions DigitClassifier::operator()(const MnistDataset& data) {
  Predictions predictions;
  for (int64_t first = 0; first < data.count; first += kBatch) {
    const int64_t part = std::min(kBatch, data.count - first);
    for (int64_t i = 0; i < part * kPixels; ++i) {
      batch_[i] = static_cast<float>(data.images[first * kPixels + i]) / 255.0f;
    }
    classify_batch(part, predictions);
  }
  return predictions;
}

void DigitClassifier::classify_batch(int64_t count, Predictions& predictions) {
  executor_.set_input(
      input_, Tensor::from_host(context_, {kBatch, 28, 28, 1}, std::span<const float>(batch_)));
  const size_t first = predictions.logits.size();
  append_rows(executor_.run(), count, predictions.logits);
  append_rows(executor_.mark_output(kFeatures), count, predictions.features);
  for (int64_t i = 0; i < count; ++i) {
    const auto row = predictions.logits.begin() + static_cast<int64_t>(first) + i * classes_;
    predictions.labels.push_back(std::max_element(row, row + classes_) - row);
  }
  predictions.images += count;
}

DigitClassifier load_classifier(Context& context, const std::string& name) {
  Model model = Model::load(context, name);
  EBB_CHECK(model.objective.type == ObjectiveType::kClassify, FormatError, path_label(model.path),
            ": was trained as ", to_string(model.objective.type),
            ", expected a classifier, trained as classify. Train one with train_mnist --model "
            "classifier.");
  DigitClassifier classifier(context, model.network, std::move(model.params));
  classifier.path_ = model.path;
  classifier.sha256_ = model.sha256;
  return classifier;
}

double accuracy(std::span<const int64_t> labels, std::span<const int64_t> expected) {
  return share_of_equals(labels, expected);
}

double accuracy(std::span<const int64_t> labels, std::span<const uint8_t> expected) {
  return share_of_equals(labels, expected);
}

}  // namespace ebb
