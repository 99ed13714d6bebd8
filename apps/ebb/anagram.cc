#include <array>
#include <memory>

#include "apps/ebb/class_predictions.h"
#include "apps/ebb/commands.h"
#include "apps/ebb/sample_job.h"
#include "base/closest_name.h"
#include "base/text.h"
#include "diffusion/conditioner.h"
#include "image/labeled_grid.h"

namespace ebb {
namespace {

constexpr const char* kUpsideDown = "upside_down";  // another word for flip

struct Flags {
  SampleFlags job;
  std::vector<std::string> prompts;
  std::vector<std::string> views;  // empty: identity and `view`
  std::string view;
  std::string unconditional = "own";
};

// The name of a view that may be written in another way; an unknown one as it is.
std::string canonical_view(const std::string& name) {
  if (name == kUpsideDown) return "flip";
  const std::string* known = same_name(name, view_names());
  return known == nullptr ? name : *known;
}

std::vector<std::string> names_of_views(Flags& flags) {
  split_lone_list(flags.views, 2);
  std::vector<std::string> names;
  for (const std::string& name : flags.views) names.push_back(canonical_view(name));
  if (names.empty()) names = {"identity", flags.view.empty() ? "rotate_180" : flags.view};
  split_lone_list(flags.prompts, names.size());
  EBB_CHECK(names.size() == flags.prompts.size(), UsageError, "--prompts: ", flags.prompts.size(),
            flags.prompts.size() == 1 ? " prompt" : " prompts", " for ", names.size(),
            " views. Give each view one prompt.");
  return names;
}

std::vector<View> make_views(const SampleJob& job, const std::vector<std::string>& names,
                             const std::string& flag) {
  std::vector<View> views;
  for (const std::string& name : names) {
    views.push_back(make_view(name, job.image()[0], job.image()[1], flag));
    EBB_CHECK(views.back().sign > 0 || job.range() == DataRange::kMinusOneToOne, UsageError, flag,
              " ", name, ": needs a model whose images have black at -1, but ",
              path_label(job.model().path), " has it at 0. Use another view.");
  }
  return views;
}

void run(Flags flags, const Invocation& invocation) {
  const std::vector<std::string> names = names_of_views(flags);
  SampleJob job(flags.job, invocation);
  const std::vector<View> views =
      make_views(job, names, flags.views.empty() ? "--view" : "--views");
  const int64_t images = std::max<int64_t>(flags.job.count, 1);
  std::vector<int64_t> labels;  // by view
  std::vector<ViewedGuidance> parts;
  for (size_t v = 0; v < views.size(); ++v) {
    labels.push_back(job.pipeline().label_of(flags.prompts[v]));
    parts.push_back({views[v], job.guided_to(std::array{labels[v]})});
  }
  GenerateRequest request = job.request(images);
  request.guidance = mean_of_views(
      parts, flags.unconditional == "shared" ? Unconditional::kShared : Unconditional::kPerView);
  const OutputFiles files = job.files(images, std::min<int64_t>(images, 10));
  check_figure(files, job.image(), files.columns,
               (images + files.columns - 1) / files.columns * static_cast<int64_t>(views.size()),
               {"", {}, names});
  job.release_weights();

  const std::vector<float> values = job.generate(request, files);
  const int64_t channels = job.image()[2];
  std::string prompt;
  for (size_t v = 0; v < views.size(); ++v) {
    prompt += cat(v > 0 ? ", " : "", class_text(labels[v]), " by ", names[v]);
  }
  Provenance provenance = job.provenance(&request, prompt);
  std::vector<std::vector<Image>> viewed;  // by view
  for (const View& view : views) {
    viewed.push_back(to_images(apply_view(view, values, channels), job.image(), job.range()));
  }
  if (files.grid) {
    // Each row of images becomes one row per view.
    GridLabels grid{.title = "", .columns = {}, .rows = {}};
    std::vector<Image> cells;
    const Image blank = make_image(static_cast<int>(job.image()[1]),
                                   static_cast<int>(job.image()[0]), viewed[0][0].channels, 255);
    for (int64_t first = 0; first < images; first += files.columns) {
      for (size_t v = 0; v < views.size(); ++v) {
        grid.rows.push_back(cat(names[v], " ", labels[v]));
        for (int64_t k = first; k < first + files.columns; ++k) {
          cells.push_back(k < images ? viewed[v][k] : blank);
        }
      }
    }
    for (int64_t k = 0; k < images; ++k) {
      provenance.seeds.push_back(request.seed + static_cast<uint64_t>(k));
    }
    write_figure(job.results(), files, make_labeled_grid(cells, files.columns, grid, kFigureScale),
                 provenance);
  } else {
    const std::vector<Image> images_generated = to_images(values, job.image(), job.range());
    std::vector<GeneratedImage> generated;
    for (int64_t k = 0; k < images; ++k) {
      generated.push_back({.image = images_generated[k],
                           .seed = request.seed + static_cast<uint64_t>(k),
                           .prompt = prompt,
                           .note = ""});
    }
    write_images(job.results(), files, generated, provenance);
  }
  PredictionPrinter classifier(job);
  for (size_t v = 0; v < views.size(); ++v) {
    classifier.print(names[v], apply_view(views[v], values, channels), labels[v]);
  }
  job.print_summary(images, request);
}

}  // namespace

// `ebb anagram`: images that show something else through each of several views (Geng, Park,
// Owens, "Visual Anagrams", 2024).
void add_anagram(Command command, const Invocation& invocation) {
  auto flags = std::make_shared<Flags>();
  command.bare_word("--prompts");
  command.add_option("--prompts", flags->prompts, "Prompt of each view, such as 6 9")
      .required()
      .type_name("PROMPT");
  Flag view =
      add_choice(command, "--view", flags->view, view_names(),
                 "View that shows the second prompt (rotate_180); the first is shown upright")
          .also(kUpsideDown, "flip");
  command.add_option("--views", flags->views, "One view per prompt, instead of --view")
      .type_name("VIEW")
      .excludes(view);
  add_choice(
      command, "--unconditional", flags->unconditional, {"own", "shared"},
      "Unconditional estimate: each view's own (own), or that of the image as it is for all, "
      "a common mistake, for comparison");
  add_sample_flags(command, flags->job, {.takes_prompt = false},
                   [flags, &invocation] { run(*flags, invocation); });
}

}  // namespace ebb
