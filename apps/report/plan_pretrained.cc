// The report on a pretrained model in diffusers' form: part A of the assignment as far as it goes.

#include <algorithm>

#include "apps/report/figure_maker.h"
#include "apps/report/formulas.h"
#include "apps/report/html.h"
#include "apps/report/plan_parts.h"
#include "base/error.h"
#include "base/text.h"
#include "diffusion/conditioner.h"
#include "diffusion/diffusers_model.h"
#include "diffusion/find_model.h"
#include "diffusion/prompt_embeddings.h"

namespace ebb {
namespace {

constexpr const char* kTimes = "250,500,750";
constexpr const char* kOf = "a high quality photo";  // of the assignment, where there is no other

// Model, prompts and photo of the sections.
struct Pretrained {
  const ReportSettings& settings;
  Words files;             // --model and its variant
  Words model;             // the same and what it needs
  Words condition;         // what one image shows: -p PROMPT, --class 0, or nothing
  Words pair;              // what two views or parts show; empty: the model takes nothing
  bool is_guided = false;  // there is something to guide away from
  StartImage photo;

  // Commands that add noise and run no network.
  Words noise_photo(const char* command) const {
    return Words{command} + files + Words{"-i", photo.path, "-t", kTimes, "--grid"};
  }
  Words on_photo(const char* command, const Words& rest) const {
    return Words{command} + model + Words{"-i", photo.path} + rest;
  }
};

Pretrained read_pretrained(const ReportSettings& settings) {
  const Network network = diffusers_network(find_model(settings.model));
  const std::string label = cat("--model ", path_label(settings.model));
  EBB_CHECK(network.input(InputRole::kLowRes) == nullptr, UsageError, label,
            ": enlarges images, and no section is about that. Use a model of a first stage.");
  Pretrained result{.settings = settings,
                    .files = {"--model", settings.model},
                    .model = {},
                    .condition = {},
                    .pair = {},
                    .photo = photos_of(settings).front()};
  if (!settings.variant.empty()) result.files = result.files + Words{"--variant", settings.variant};
  result.model = result.files;
  if (class_count(network) > 0) {
    result.condition = {"--class", "0"};
    result.pair = {"0", class_count(network) > 1 ? "1" : "0"};
  }
  if (text_input(network) == nullptr) return result;
  EBB_CHECK(!settings.embeddings.empty(), UsageError, label,
            ": reads text. Give its prompts with --embeddings FILE.");
  result.model = result.model + Words{"--embeddings", settings.embeddings};
  std::vector<std::string> prompts = read_prompt_embeddings(settings.embeddings).prompts;
  const bool has_usual = std::find(prompts.begin(), prompts.end(), kOf) != prompts.end();
  std::erase_if(prompts, [](const std::string& prompt) { return prompt.empty() || prompt == kOf; });
  result.condition = {"-p", has_usual || prompts.empty() ? kOf : prompts.front()};
  if (prompts.size() >= 2) result.pair = {prompts[0], prompts[1]};
  result.is_guided = true;
  return result;
}

// A section of one figure.
struct Plan {
  const char *id, *number, *title;
  std::string text;  // HTML
  Words command;
  const char *caption, *alt;
  int images = 1;  // more: side by side
};

Section section_of(const Pretrained& model, const Plan& plan) {
  Figure figure{.id = plan.id,
                .command = plan.command,
                .show = plan.images == 1 ? Show::kLabeled : Show::kCells,
                .images = plan.images,
                .layout = {.columns = std::min(plan.images, 5)},
                .caption = plan.caption,
                .alt = plan.alt,
                .model = model.settings.model};
  const bool starts_from_photo =
      std::find(plan.command.begin(), plan.command.end(), "-i") != plan.command.end() &&
      model.settings.photos.empty();
  if (starts_from_photo) figure.inputs = {model.photo.id};
  return {.id = plan.id,
          .number = plan.number,
          .title = plan.title,
          .text = plan.text,
          .figures = {std::move(figure)}};
}

Words fast(const Pretrained& model, Words command) {
  return with_steps(std::move(command), model.settings, 0);
}

std::vector<Section> denoising(const Pretrained& model) {
  const Words sample = Words{"sample"} + model.model + model.condition;
  std::vector<Plan> plans = {
      {"forward", "1.1", "The forward process", formula::forward(), model.noise_photo("forward"),
       "The photo as the model sees it, and what is left of it under more and more noise.",
       "A photo under three levels of noise"},
      {"blur", "1.2", "Denoising without a network",
       "<p>The Gaussian blur whose result is closest to the clean photo.</p>",
       model.noise_photo("blur"), "Original, noisy and blurred.", "A photo, noisy and blurred"},
      {"one-step", "1.3", "Denoising in one step", formula::one_step(),
       model.on_photo("denoise", model.condition + Words{"--one-step", "-t", kTimes, "--grid"}),
       "The network\u2019s estimates from three levels of noise.", "Estimates of a noisy photo"},
      {"iterative", "1.4", "Denoising step by step", formula::iterative(),
       fast(model, model.on_photo("denoise",
                                  model.condition + Words{"--i-start", "10", "--show-every", "5"})),
       "From t = 690: every fifth state and the result, beside one step, a blur and the photo.",
       "A noisy photo that becomes clear"},
      {"samples", "1.5", "Samples from nothing", "<p>The same loop from pure noise.</p>",
       fast(model,
            sample + (model.is_guided ? Words{"-b", "5", "--cfg-scale", "1"} : Words{"-b", "5"})),
       "Five samples.", "Five images that the model made", 5}};
  if (model.is_guided) {
    plans.push_back({"guidance", "1.6", "Classifier-free guidance", formula::guidance(),
                     fast(model, sample + Words{"-b", "5"}), "The same noise with guidance.",
                     "Five images that the model made with guidance", 5});
  }
  std::vector<Section> sections;
  for (const Plan& plan : plans) sections.push_back(section_of(model, plan));
  return sections;
}

std::vector<Section> applications(const Pretrained& model) {
  std::vector<Plan> plans = {
      {"edit", "1.7", "Editing", "<p>Noise is added to the photo and taken away again.</p>",
       fast(model, model.on_photo("edit", model.condition + Words{"--grid"})),
       "From much noise to little, and the photo.", "A photo edited at six levels"},
      {"inpaint", "1.7.2", "Inpainting", "<p>The right half is made anew.</p>",
       fast(model, model.on_photo("inpaint", model.condition + Words{"--mask", "right", "--grid"})),
       "Photo, mask, hole and result.", "A photo whose right half is made anew"}};
  if (!model.pair.empty()) {
    plans.push_back({"anagrams", "1.8", "Visual anagrams",
                     "<p>One image that shows something else upside down.</p>",
                     fast(model, Words{"anagram"} + model.model + Words{"--prompts"} + model.pair +
                                     Words{"--view", "flip", "--grid"}),
                     "Upright and upside down.", "An image that changes when it is turned over"});
    plans.push_back(
        {"hybrids", "1.9", "Hybrid images", "<p>One image that shows something else from afar.</p>",
         fast(model, Words{"hybrid"} + model.model +
                         Words{"--far", model.pair[0], "--near", model.pair[1], "--grid"}),
         "Up close and from afar.", "An image that changes with the distance"});
  }
  std::vector<Section> sections;
  for (const Plan& plan : plans) sections.push_back(section_of(model, plan));
  return sections;
}

// HTML: which sections are missing, and why.
std::string left_out(const Pretrained& model) {
  std::string text = "<p>Left out:</p><ul>";
  if (!model.is_guided) {
    text += "<li>Classifier-free guidance: the model knows nothing to guide away from.</li>";
  }
  if (model.pair.empty()) {
    text +=
        "<li>Visual anagrams and hybrid images: the model takes no two prompts or classes.</li>";
  }
  text +=
      "<li>Sketches, edits by text and training: <code>ebb report</code> without "
      "<code>--model</code> shows them on models of digits.</li></ul>";
  return text;
}

}  // namespace

bool is_pretrained(const ReportSettings& settings) {
  return has_model(settings.model) && is_diffusers_model(find_model(settings.model));
}

std::vector<Part> pretrained_parts(const ReportSettings& settings) {
  const Pretrained model = read_pretrained(settings);
  Part images{.title = "The image to start from", .text = "", .sections = {}};
  images.sections.push_back({.id = "photos",
                             .number = "",
                             .title = "Photo",
                             .text = "",
                             .gallery = true,
                             .figures = {photo_figures(settings).front()}});
  Part part{.title = "Part A: the power of a diffusion model",
            .text = cat("<p>Made with <code>", escape_html(settings.model), "</code>.</p>",
                        left_out(model)),
            .sections = denoising(model)};
  for (Section& section : applications(model)) part.sections.push_back(std::move(section));
  return {std::move(images), std::move(part)};
}

}  // namespace ebb
