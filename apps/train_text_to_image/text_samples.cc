#include "apps/train_text_to_image/text_samples.h"

#include <algorithm>

#include "diffusion/pipeline.h"
#include "diffusion/upscale.h"
#include "image/convert.h"
#include "image/labeled_grid.h"
#include "image/png.h"
#include "image/resize.h"

namespace ebb {
namespace {

constexpr int kColumns = 4;
constexpr int64_t kSteps = 25, kNoiseLevel = 250;
constexpr double kGuidanceScale = 4;
constexpr uint8_t kWhite = 255;

Pipeline make_pipeline(Context& context, const Model& model, const PromptEmbeddings& embeddings) {
  auto conditioner =
      std::make_shared<EmbeddingConditioner>(context, model.network, embeddings, "--embeddings");
  return Pipeline(context, model,
                  {.sampler = to_string(SamplerKind::kDdpm),
                   .steps = kSteps,
                   .enlarges = model.low_res_noise.has_value(),
                   .conditioner = conditioner});
}

// The request of prompt `i`; its noise has the seed i.
GenerateRequest request_of(Context& context, const Model& model, const PromptEmbeddings& embeddings,
                           const SamplePrompt& prompt, uint64_t i) {
  EmbeddingConditioner conditioner(context, model.network, embeddings, "--embeddings");
  const std::vector<int64_t> conditions{conditioner.find(prompt.text, "--prompts")};
  GenerateRequest request{.images = 1, .seed = i};
  request.guidance = guidance_by(conditioner, conditions, kGuidanceScale);
  if (!prompt.small) return request;
  const TensorMap low_res = low_res_condition(
      context, model, {.image = *prompt.small, .noise_level = kNoiseLevel, .images = 1, .seed = i},
      "noise level");
  for (GuidanceTerm& term : request.guidance) {
    term.condition.insert(low_res.begin(), low_res.end());
  }
  return request;
}

}  // namespace

std::vector<SamplePrompt> spread_prompts(const CaptionedImages& data, int64_t count,
                                         std::optional<int> small_side) {
  count = std::min(count, data.count());
  std::vector<SamplePrompt> prompts;
  for (int64_t i = 0; i < count; ++i) {
    const auto row = static_cast<size_t>(i * data.count() / count);
    SamplePrompt prompt{data.texts.at(static_cast<size_t>(data.captions[row].front()))};
    if (small_side) {
      const Image color = to_channels(composite(data.images[row], kWhite), 3);
      prompt.small = resize_bicubic(color, *small_side, *small_side);
    }
    prompts.push_back(std::move(prompt));
  }
  return prompts;
}

bool write_text_samples(Context& context, const Model& model, const PromptEmbeddings& embeddings,
                        const std::vector<SamplePrompt>& prompts, const std::string& path,
                        const std::string& title, const std::function<bool()>& go_on) {
  const Pipeline pipeline = make_pipeline(context, model, embeddings);
  std::vector<Image> images;
  GridLabels labels{.title = title, .columns = {}, .rows = {}};
  for (const SamplePrompt& prompt : prompts) {
    const GenerateRequest request =
        request_of(context, model, embeddings, prompt, static_cast<uint64_t>(images.size()));
    const std::vector<float> values =
        pipeline.generate_values(request, [&](const GenerateStep&) { return go_on(); });
    if (values.empty() || !go_on()) return false;
    images.push_back(to_images(values, pipeline.image_shape(), DataRange::kMinusOneToOne).front());
    labels.cells.push_back(prompt.text);
  }
  const int columns = std::min(kColumns, static_cast<int>(images.size()));
  write_png(path,
            make_labeled_grid(images, columns, labels, figure_scale(pipeline.image_shape()[0])), {},
            Overwrite::kReplace);
  return true;
}

}  // namespace ebb
