#include "apps/train_mnist/validation.h"

#include <algorithm>
#include <span>

#include "apps/train_mnist/sample_grids.h"
#include "diffusion/eval/evaluate.h"
#include "engine/executor.h"
#include "nn/graph_builder.h"

namespace ebb {
namespace {

// `count` images of the test set, cut to whole batches.
MnistDataset held_out(const MnistDataset& test_data, int64_t count) {
  count = std::min(count, test_data.count);
  return spread(test_data,
                count <= Validation::kBatch ? count : count - count % Validation::kBatch);
}

TrainConfig validation_config(const TrainConfig& config, int64_t images) {
  TrainConfig fixed = config;
  fixed.batch_size = std::min(images, Validation::kBatch);
  fixed.seed = 0;
  fixed.class_dropout = 0;
  fixed.overfit_batch = false;
  return fixed;
}

double sum_of_squares(const std::vector<float>& output, const std::vector<float>& target) {
  double sum = 0;
  for (size_t i = 0; i < output.size(); ++i) {
    const double difference = static_cast<double>(output[i]) - static_cast<double>(target[i]);
    sum += difference * difference;
  }
  return sum;
}

}  // namespace

Validation::Validation(Context& context, const MnistDataset& test_data, const TrainConfig& config,
                       int64_t images)
    : Validation(context, held_out(test_data, images), config) {}

Validation::Validation(Context& context, const MnistDataset& images, const TrainConfig& config)
    : context_(context),
      batch_(std::min(images.count, kBatch)),
      batches_(context, images, validation_config(config, images.count)) {}

std::optional<double> Validation::loss(const autograd::Trainer& trainer,
                                       const std::function<bool()>& go_on) {
  Executor executor(context_, inference_graph(trainer.network(), batch_, context_),
                    trainer.params().final_weights());
  double sum = 0;
  for (int64_t step = 0; step < batches_.steps_per_epoch(); ++step) {
    if (!go_on()) return std::nullopt;
    const Batch batch = batches_.batch(step);
    for (const auto& [name, value] : batch.inputs) executor.set_input(name, value);
    sum += sum_of_squares(executor.run().to_host(), batch.target.to_host());
  }
  return sum / static_cast<double>(images() * MnistDataset::kPixels);
}

std::optional<double> read_as_asked(Context& context, const autograd::Trainer& trainer,
                                    const TrainConfig& config, DigitClassifier& classifier,
                                    const std::function<bool()>& go_on) {
  const std::optional<ClassSamples> samples =
      draw_class_samples(context, trainer, config, SampleQuality::kFast, go_on);
  if (!samples) return std::nullopt;
  return accuracy(classifier(samples->values).labels, std::span<const int64_t>(samples->labels));
}

}  // namespace ebb
