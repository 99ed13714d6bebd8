#include "apps/train_text_to_image/text_to_image_batches.h"

#include <cmath>

#include "apps/train_text_to_image/text_to_image_files.h"
#include "apps/train_text_to_image/text_to_image_network.h"
#include "kernels/loss/learned_range_loss.h"
#include "testing/catch.h"
#include "testing/contexts.h"

namespace ebb {
namespace {

// States that are the number of the text.
class NumberedTexts final : public TextSource {
 public:
  int64_t tokens() const override { return 3; }
  int64_t width() const override { return 8; }
  std::vector<NetworkInput> inputs() const override {
    return {{"encoder_hidden_states", {3, 8}, InputRole::kCondition}};
  }
  Value states(Ops&, const std::vector<Value>& inputs) const override { return inputs.at(0); }
  void write(std::span<const int32_t> texts, const TensorMap& inputs) const override {
    std::vector<float> values;
    for (const int32_t text : texts) values.insert(values.end(), 24, static_cast<float>(text));
    inputs.at("encoder_hidden_states").copy_from_host(values);
  }
  PromptEmbeddings embeddings(std::span<const std::string>, const TensorMap&) const override {
    return {};
  }
  std::string fingerprint() const override { return "numbered"; }
};

CaptionedImages numbered_images(int64_t count, int side) {
  CaptionedImages data;
  data.texts.emplace_back();
  for (int64_t i = 0; i < count; ++i) {
    data.images.push_back(make_image(side, side, 3, static_cast<uint8_t>(i)));
    data.texts.push_back("image " + std::to_string(i));
    data.captions.push_back({static_cast<int32_t>(i + 1)});
  }
  return data;
}

struct Batches {
  Batches(Context& context, int64_t stage, int64_t images = 5)
      : data(numbered_images(images, 16)),
        config{.stage = stage, .size = "toy", .batch_size = 4},
        unet(text_to_image_unet(unet_config(unet_size("toy"), stage, text), stage, 3)),
        network(training_network(unet, text, 1)),
        batches(context, data, config, network, text) {}

  NumberedTexts text;
  CaptionedImages data;
  TextToImageConfig config;
  Network unet, network;
  TextToImageBatches batches;
};

TEST_CASE("a noisy image is made of its image and the noise that the network is to find",
          "[train]") {
  const auto context = test::cpu_context();
  for (int64_t stage = 1; stage <= 2; ++stage) {
    Batches b(*context, stage);
    CHECK(b.batches.steps_per_epoch() == 2);
    const TensorMap& inputs = b.batches.stage(0);
    const std::vector<float> clean = inputs.at(kImagesInput).to_host();
    const std::vector<float> noise = inputs.at(kNoiseInput).to_host();
    const std::vector<float> noisy = inputs.at("sample").to_host();
    const std::vector<float> timesteps = inputs.at("timestep").to_host();
    const size_t size = clean.size() / timesteps.size();
    for (size_t i = 0; i < clean.size(); ++i) {
      const double signal =
          b.batches.examples().schedule().signal(std::lround(timesteps[i / size]));
      CHECK(noisy[i] ==
            Approx(std::sqrt(signal) * clean[i] + std::sqrt(1 - signal) * noise[i]).margin(1e-5));
    }
    CHECK(inputs.contains("image") == (stage == 2));
  }
}

TEST_CASE("a caption is that of its image, or empty once in a while", "[train]") {
  const auto context = test::cpu_context();
  Batches b(*context, 1);
  int64_t dropped = 0, all = 0;
  for (int64_t step = 0; step < 200; ++step) {
    const TensorMap& inputs = b.batches.stage(step);
    const std::vector<float> clean = inputs.at(kImagesInput).to_host();
    const std::vector<float> states = inputs.at("encoder_hidden_states").to_host();
    const size_t images = states.size() / 24;
    for (size_t i = 0; i < images; ++i, ++all) {
      const float text = states[i * 24];
      const auto image = std::lround((clean[i * clean.size() / images] + 1) * 127.5f);
      if (text == 0) ++dropped;
      if (text != 0) CHECK(text == static_cast<float>(image + 1));
    }
  }
  const double share = static_cast<double>(dropped) / static_cast<double>(all);
  CHECK(share > 0.05);
  CHECK(share < 0.16);
}

TEST_CASE("a batch is a function of its step", "[train]") {
  const auto context = test::cpu_context();
  Batches a(*context, 2), b(*context, 2);
  a.batches.stage(0);
  a.batches.stage(7);
  const TensorMap& later = a.batches.stage(9);
  const TensorMap& fresh = b.batches.stage(9);
  for (const auto& [name, value] : fresh) CHECK(later.at(name).to_host() == value.to_host());
  const std::vector<float> other = b.batches.stage(7).at(kNoiseInput).to_host();
  CHECK(other != a.batches.stage(9).at(kNoiseInput).to_host());
}

// The last step's signal is next to nothing and beta is at its limit; the first has the variance of
// the second.
TEST_CASE("the loss knows the bounds of a timestep's variance", "[train]") {
  const auto context = test::cpu_context();
  Batches b(*context, 1);
  const NoiseSchedule& schedule = b.batches.examples().schedule();
  for (const int64_t k : {0, 1, 500, 999}) {
    const std::vector<float> step = b.batches.stage_fixed(1, k).at(kStepsInput).to_host();
    const double beta = schedule.beta[static_cast<size_t>(k)];
    const int64_t of = std::max<int64_t>(k, 1);
    const double least = schedule.beta[static_cast<size_t>(of)] * (1 - schedule.signal(of - 1)) /
                         (1 - schedule.signal(of));
    CHECK(step[0] == Approx(std::log(least)).epsilon(1e-6));
    CHECK(step[1] == Approx(std::log(beta)).epsilon(1e-6));
    CHECK(step[2] == Approx(beta / std::sqrt((1 - beta) * (1 - schedule.signal(k)))).epsilon(1e-5));
    CHECK(step[3] == (k == 0 ? 1.0f : 0.0f));
  }
}

TEST_CASE("the learning rate warms up and follows half a cosine", "[train]") {
  const TextToImageConfig config{.steps = 110, .lr = 2, .lr_warmup_steps = 10, .lr_final = 0.25};
  CHECK(learning_rate(config, 0) == Approx(0.2));
  CHECK(learning_rate(config, 9) == Approx(2));
  CHECK(learning_rate(config, 59) == Approx(1.25));
  CHECK(learning_rate(config, 109) == Approx(0.5));
  CHECK(learning_rate(config, 200) == Approx(0.5));
}

TEST_CASE("a config comes back from its text, and a difference is named", "[train]") {
  TextToImageConfig config{.stage = 2, .size = "base", .lr = 1e-3, .seed = 7};
  config.augmentation.max_rotation = 3;
  const std::string text = to_json(config);
  CHECK(to_json(parse_text_to_image_config(text, "file")) == text);
  CHECK(describe_config_difference(text, text).empty());
  TextToImageConfig other = config;
  other.steps = 5;
  CHECK(describe_config_difference(to_json(other), text) == "steps is 5, the run has 20000");
}

}  // namespace
}  // namespace ebb
