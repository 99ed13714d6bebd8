#include "apps/report/formulas.h"
#include "apps/report/html.h"
#include "apps/report/plan_parts.h"
#include "base/error.h"

namespace ebb {
namespace {

// The assignment's 3, 5 and 7 are left out: they give the image of 1 again.
constexpr const char* kLevels = "1,10,15,18,21,25";
constexpr int kLevelCount = 6;
constexpr int kSeeds = 2;

// Two rows of seeds, from much noise to little, and the original behind the first.
CellLayout edit_layout(const std::string& id, const std::string& original) {
  CellLayout layout{.columns = kLevelCount + 1};
  for (const char* level : {"1", "10", "15", "18", "21", "25"}) {
    layout.column_labels.push_back(cat("i = ", level));
  }
  layout.column_labels.emplace_back("original");
  for (int seed = 0; seed < kSeeds; ++seed) {
    for (int level = 0; level < kLevelCount; ++level) {
      layout.cells.push_back({id, level * kSeeds + seed});  // the command's order
    }
    layout.cells.push_back(seed == 0 ? Cell{original, 0} : Cell{});
  }
  return layout;
}

Figure edit_figure(const ReportSettings& settings, const StartImage& image,
                   const std::string& prompt, const std::string& caption, const std::string& alt) {
  const std::string id = cat("edit-", image.id, prompt.empty() ? "" : "-prompted");
  Words command = {"edit",  "--model", settings.model,        "-i", image.path, "--i-start",
                   kLevels, "-b",      std::to_string(kSeeds)};
  if (!prompt.empty()) command.insert(command.end(), {"--prompt", prompt});
  return {.id = id,
          .command = command,
          .images = kLevelCount * kSeeds,
          .layout = edit_layout(id, image.id),
          .caption = caption,
          .alt = alt,
          .model = settings.model,
          .inputs = {image.id},
          .needs_classes = !prompt.empty()};
}

// The edits of images that are the user's, or else of ebb's with what there is to see in them.
struct Known {
  const char* id;
  const char* caption;
  const char* alt;
};

std::vector<Figure> edits(const ReportSettings& settings, const std::vector<StartImage>& images,
                          const std::vector<Known>& known) {
  std::vector<Figure> figures;
  for (const StartImage& image : images) {
    std::string caption = escape_html(image.title) + ".";
    std::string alt = "Two rows: from made-up strokes on the left to " + image.title;
    for (const Known& one : known) {
      if (image.id != one.id) continue;
      caption = one.caption;
      alt = one.alt;
    }
    figures.push_back(edit_figure(settings, image, "", caption, alt));
  }
  return figures;
}

Section edit(const ReportSettings& settings) {
  return {
      .id = "edit",
      .number = "1.7",
      .title = "Photos become digits",
      .text =
          "<p>Add noise to a photo, then denoise it: what the noise has hidden is generated anew "
          "by the model. A small <code>i_start</code> means much noise and much "
          "freedom.</p><p>Up to 10 hardly anything of the photo is left here, and the same noise "
          "gives the same strokes whatever the photo: digits are stored as 0 to 1 and not, as "
          "the assignment\u2019s photos, as \u22121 to 1, which noise drowns sooner. So one of the "
          "assignment\u2019s levels 1, 3, 5 and 7 stands for all, and levels above 20 follow. "
          "Each row has a seed of its own; there is no prompt.</p>",
      .figures =
          edits(settings, photos_of(settings),
                {{"tower", "The tower: a 1, once the noise leaves enough of it.",
                  "Two rows: from made-up strokes on the left to a 1 in the shape of the tower"},
                 {"snowman", "The snowman.",
                  "Two rows: from made-up strokes on the left to the snowman\u2019s outline"},
                 {"swan", "Every child knows which digit a swan is.",
                  "Two rows: from made-up strokes on the left to a 2 in the shape of the swan"}})};
}

Section sketches(const ReportSettings& settings) {
  return {.id = "sketches",
          .number = "1.7.1",
          .title = "Sketches become digits",
          .text =
              "<p>The same with sketches. Dark strokes on light paper are inverted first, because "
              "the model was trained on light strokes on black.</p>",
          .figures = edits(settings, drawings_of(settings),
                           {{"snake", "A snake, which passes through a 5.",
                             "Two rows: from made-up strokes by way of a 5 to the snake"},
                            {"balloon", "A balloon on its string.",
                             "Two rows: from made-up strokes to a 9 in the shape of the balloon"},
                            {"cat", "A cat, which no digit looks like.",
                             "Two rows: from made-up strokes to a cat\u2019s outline"}})};
}

// The original, the mask where it is an image, and five results.
Figure inpaint_figure(const ReportSettings& settings, const std::string& id,
                      const std::string& image, const Words& rest, const std::string& caption,
                      const std::string& alt) {
  constexpr int kResults = 5;
  Figure figure{.id = id,
                .command = with_steps(Words{"inpaint", "--model", settings.model, "-i",
                                            made_image(settings, image, "").path} +
                                          rest + Words{"-b", std::to_string(kResults)},
                                      settings, kFigureSteps),
                .images = kResults,
                .caption = caption,
                .alt = alt,
                .model = settings.model,
                .inputs = {image},
                .shows_results = true};
  CellLayout& layout = figure.layout;
  layout.column_labels = {"original"};
  layout.cells = {{image, 0}};
  if (id == "inpaint-box") {
    const std::string mask = mask_of(settings).id;
    figure.inputs.push_back(mask);
    layout.column_labels.emplace_back("mask");
    layout.cells.push_back({mask, 0});
  }
  for (int k = 0; k < kResults; ++k) {
    layout.column_labels.push_back(cat("new ", k + 1));
    layout.cells.push_back({id, k});
  }
  layout.columns = static_cast<int>(layout.cells.size());
  return figure;
}

Section inpaint(const ReportSettings& settings) {
  return {
      .id = "inpaint",
      .number = "1.7.2",
      .title = "Inpainting",
      .text =
          cat("<p>A mask <i>m</i> is 1 where the image is to be made new. After every step the "
              "known pixels are put back, with the noise of the step\u2019s level, so the new ones "
              "grow to fit them:</p>",
              formula::inpainting(),
              "<p>The command compares the known pixels of the result with the input and reports "
              "it.</p>"),
      .figures = {inpaint_figure(settings, "inpaint-half", "digit-7", {"--mask", "right"},
                                 "The right half of the 7 is regenerated, five times.",
                                 "Five digits that share the left half of the 7"),
                  inpaint_figure(settings, "inpaint-box", "digit-8",
                                 {"--mask", mask_of(settings).path, "--class", "8"},
                                 "What is white in the mask is made new, guided to be an 8.",
                                 "Five 8s that keep what the mask keeps of the original"),
                  inpaint_figure(settings, "inpaint-class", "digit-3",
                                 {"--mask", "left", "--class", "8", "--resample", "5", "--jump",
                                  settings.fast ? "2" : "5"},
                                 "The left half of the 3, guided to be an 8, with RePaint\u2019s "
                                 "resampling: going back and forth lets both halves agree.",
                                 "Five digits, 3 on the right and guided to 8 on the left")}};
}

Section text_edit(const ReportSettings& settings) {
  Section section{
      .id = "text-edit",
      .number = "1.7.3",
      .title = "Edits guided by text",
      .text =
          "<p>With a prompt the made-up part has a goal. From left to right the prompt gives way "
          "to the photo.</p>"};
  Words prompts = {"a photo of a seven", "a photo of a three", "a photo of a six"};
  const auto own = settings.prompts.find("text-edit");
  if (own != settings.prompts.end()) prompts = own->second;
  size_t at = 0;
  for (const StartImage& image : photos_of(settings)) {
    const std::string& prompt = prompts[at++ % prompts.size()];
    section.figures.push_back(
        edit_figure(settings, image, prompt,
                    cat(escape_html(image.title), ", as \u201c", escape_html(prompt), "\u201d."),
                    cat(image.title, " turns into ", prompt)));
  }
  return section;
}

}  // namespace

std::vector<Section> editing_sections(const ReportSettings& settings) {
  return {edit(settings), sketches(settings), inpaint(settings), text_edit(settings)};
}

}  // namespace ebb
