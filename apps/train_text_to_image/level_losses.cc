#include "apps/train_text_to_image/level_losses.h"

#include <map>

#include "engine/executor.h"
#include "nn/graph_builder.h"
#include "nn/param_collector.h"

namespace ebb {
namespace {

constexpr int64_t kLevels = 10;

// Inputs of the UNet by name, and the noise in them.
struct FixedBatch {
  std::map<std::string, std::vector<float>> inputs;
  std::vector<float> noise;

  void append(const char* name, const std::vector<float>& values) {
    inputs[name].insert(inputs[name].end(), values.begin(), values.end());
  }
};

FixedBatch batch_at(const DiffusionExamples& examples, int64_t images, int64_t timestep) {
  FixedBatch batch;
  for (int64_t i = 0; i < images; ++i) {
    const DiffusionExample example = examples.fixed(i, static_cast<uint64_t>(i), timestep);
    batch.append("sample", example.noisy);
    batch.append("timestep", {static_cast<float>(timestep)});
    batch.noise.insert(batch.noise.end(), example.noise.begin(), example.noise.end());
    if (example.low_res.empty()) continue;
    batch.append("image", example.low_res);
    batch.append("class_labels", {static_cast<float>(example.low_res_timestep)});
  }
  return batch;
}

// The error of the first half of the output's channels.
double squared_error(const std::vector<float>& output, const std::vector<float>& noise) {
  constexpr size_t kColors = 3;
  double sum = 0;
  for (size_t i = 0; i < noise.size(); ++i) {
    const float predicted = output[i / kColors * 2 * kColors + i % kColors];
    sum += (double{predicted} - double{noise[i]}) * (double{predicted} - double{noise[i]});
  }
  return sum / static_cast<double>(noise.size());
}

}  // namespace

std::optional<std::vector<LevelLoss>> level_losses(Context& context, const Network& unet,
                                                   const TensorMap& weights,
                                                   const PromptEmbeddings& embeddings,
                                                   const DiffusionExamples& examples,
                                                   int64_t images,
                                                   const std::function<bool()>& go_on) {
  Executor executor(context, inference_graph(unet, images, context), weights);
  const auto set = [&](const NetworkInput& input, const std::vector<float>& values) {
    executor.set_input(input.name, Tensor::from_host(context, with_batch(images, input.shape),
                                                     std::span<const float>(values)));
  };
  std::vector<float> states;
  for (const std::vector<float>& rows : embeddings.values) {
    states.insert(states.end(), rows.begin(), rows.end());
  }
  set(*text_input(unet), states);
  std::vector<LevelLoss> losses;
  for (int64_t level = 0; level < kLevels; ++level) {
    if (!go_on()) return std::nullopt;
    const int64_t timestep = (2 * level + 1) * examples.schedule().timesteps() / (2 * kLevels);
    const FixedBatch batch = batch_at(examples, images, timestep);
    for (const NetworkInput& input : unet.inputs) {
      const auto found = batch.inputs.find(input.name);
      if (found != batch.inputs.end()) set(input, found->second);
    }
    losses.push_back({timestep, squared_error(executor.run().to_host(), batch.noise)});
  }
  return losses;
}

}  // namespace ebb
