#include <array>
#include <memory>

#include "apps/ebb/best_images.h"
#include "apps/ebb/commands.h"
#include "apps/ebb/motion.h"
#include "apps/ebb/sample_job.h"
#include "apps/ebb/side_by_side.h"
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

// Views, and the class that each is to show.
struct Anagram {
  std::vector<View> views;
  std::vector<int64_t> labels;
  std::vector<std::string> texts;  // what each is to show
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

std::string prompt_of(const Anagram& anagram) {
  std::string prompt;
  for (size_t v = 0; v < anagram.views.size(); ++v) {
    prompt += cat(v > 0 ? ", " : "", anagram.texts[v], " by ", anagram.views[v].name);
  }
  return prompt;
}

// "upright: 6", "rotate_180: 9"
std::vector<std::string> titles_of(const Anagram& anagram) {
  std::vector<std::string> titles;
  for (size_t v = 0; v < anagram.views.size(); ++v) {
    const std::string& name = anagram.views[v].name;
    constexpr std::string_view kClass = "class ";
    const std::string& text = anagram.texts[v];
    titles.push_back(cat(name == "identity" ? "upright" : name, ": ",
                         figure_text(text.substr(text.starts_with(kClass) ? kClass.size() : 0))));
  }
  return titles;
}

// The figure of early versions: each row of images becomes one row per view.
void write_early_figure(const SampleJob& job, const OutputFiles& files, const Anagram& anagram,
                        const std::vector<Aspect>& aspects, const Provenance& provenance) {
  const auto images = static_cast<int64_t>(provenance.seeds.size());
  GridLabels grid{.title = "", .columns = {}, .rows = {}};
  std::vector<Image> cells;
  const Image& first_image = aspects[0].images[0];
  const Image blank = make_image(first_image.width, first_image.height, first_image.channels, 255);
  for (int64_t first = 0; first < images; first += files.columns) {
    for (size_t v = 0; v < aspects.size(); ++v) {
      grid.rows.push_back(cat(anagram.views[v].name, " ", anagram.labels[v]));
      for (int64_t k = first; k < first + files.columns; ++k) {
        cells.push_back(k < images ? aspects[v].images[k] : blank);
      }
    }
  }
  write_figure(job.results(), files, cells, files.columns, grid, provenance);
}

void write(const SampleJob& job, const OutputFiles& files, const Anagram& anagram,
           const std::vector<float>& values, const std::vector<uint64_t>& seeds,
           Provenance provenance) {
  const std::vector<std::string> titles = titles_of(anagram);
  std::vector<Aspect> aspects;
  for (size_t v = 0; v < anagram.views.size(); ++v) {
    aspects.push_back({titles[v], to_images(apply_view(anagram.views[v], values, job.image()[2]),
                                            job.image(), job.range())});
  }
  const std::vector<Image> images = to_images(values, job.image(), job.range());
  if (files.motion) {
    const int scale = files.animation_scale(static_cast<int64_t>(seeds.size()));
    write_motion(job.results(), files, turn_images(images, anagram.views, scale), seeds,
                 provenance);
  }
  if (files.grid && files.early()) {
    provenance.seeds = seeds;
    return write_early_figure(job, files, anagram, aspects, provenance);
  }
  if (files.grid) return write_side_by_side(job.results(), files, aspects, seeds, provenance);
  std::vector<GeneratedImage> generated;
  for (size_t k = 0; k < seeds.size(); ++k) {
    generated.push_back(
        {.image = images[k], .seed = seeds[k], .prompt = provenance.prompt, .note = ""});
  }
  write_images(job.results(), files, generated, provenance);
}

void run(Flags flags, const Invocation& invocation) {
  const std::vector<std::string> names = names_of_views(flags);
  const ImageCount count = count_images(flags.job);
  SampleJob job(flags.job, invocation);
  Anagram anagram{make_views(job, names, flags.views.empty() ? "--view" : "--views"), {}, {}};
  std::vector<ViewedGuidance> parts;
  for (size_t v = 0; v < names.size(); ++v) {
    anagram.labels.push_back(job.find_prompt(flags.prompts[v], "--prompts"));
    anagram.texts.push_back(job.text_of(anagram.labels.back()));
    parts.push_back({anagram.views[v], job.guided_to(std::array{anagram.labels[v]})});
  }
  GenerateRequest request = job.request(count.drawn);
  request.guidance = mean_of_views(
      parts, flags.unconditional == "shared" ? Unconditional::kShared : Unconditional::kPerView);
  constexpr int64_t kEarlyColumns = 10;
  const OutputFiles files = job.files(count.kept,
                                      job.early() ? std::min(count.kept, kEarlyColumns)
                                                  : side_by_side_columns(count.kept, names.size()),
                                      kTurn);
  check_side_by_side(files, job.image(), count.kept, titles_of(anagram));
  PredictionPrinter classifier(job);
  if (flags.job.best > 0) classifier.check_usable("--best");
  job.release_weights();

  std::vector<float> values = job.generate(request, files);
  const auto readings = [&] {
    std::vector<Reading> result;
    for (size_t v = 0; v < names.size(); ++v) {
      result.push_back(
          {names[v], apply_view(anagram.views[v], values, job.image()[2]), anagram.labels[v]});
    }
    return result;
  };
  const std::vector<uint64_t> seeds =
      keep_best(count, request.seed, classifier, readings(), "in every view", values);
  write(job, files, anagram, values, seeds, job.provenance(&request, prompt_of(anagram)));
  for (const Reading& reading : readings()) classifier.print(reading);
  job.print_summary(count.drawn, request);
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
  add_sample_flags(command, flags->job,
                   {.takes_prompt = false,
                    .best = best_help("in every view"),
                    .motion_flag = "--turn",
                    .motion = "Also write an animation that turns the images from view to view, "
                              "GIF or lossless WebP by its ending"},
                   [flags, &invocation] { run(*flags, invocation); });
}

}  // namespace ebb
