#include <algorithm>

#include "apps/report/formulas.h"
#include "apps/report/html.h"
#include "apps/report/plan_parts.h"
#include "base/error.h"

namespace ebb {
namespace {

constexpr int kAnagrams = 10, kHybrids = 8;

// "6/9" or "2/5:flip".
struct Pair {
  std::string first, second, view;
};

Pair parse_pair(const std::string& text) {
  const size_t slash = text.find('/'), colon = text.find(':');
  const std::string rest = text.substr(slash + 1, colon - slash - 1);
  return {.first = text.substr(0, slash),
          .second = rest,
          .view = colon == std::string::npos ? "rotate_180" : text.substr(colon + 1)};
}

std::vector<Pair> pairs_of(const ReportSettings& settings, const char* section,
                           const Words& usual) {
  const auto own = settings.prompts.find(section);
  std::vector<Pair> pairs;
  for (const std::string& text : own == settings.prompts.end() ? usual : own->second) {
    pairs.push_back(parse_pair(text));
  }
  return pairs;
}

// The text with only what may be in a file's name and a link.
std::string in_id(std::string text) {
  std::replace_if(
      text.begin(), text.end(), [](unsigned char c) { return std::isalnum(c) == 0; }, '-');
  return text;
}

Words anagram_command(const ReportSettings& settings, const Pair& pair) {
  return with_steps({"anagram", "--model", settings.model, "--prompts", pair.first, pair.second,
                     "--view", pair.view, "-b", std::to_string(kAnagrams)},
                    settings, kFigureSteps);
}

Figure anagram(const ReportSettings& settings, const Pair& pair) {
  const bool flips = pair.view == "flip";
  return {.id = in_id(cat("anagram-", pair.first, "-", pair.second, "-", pair.view)),
          .command = anagram_command(settings, pair),
          .show = flips || pair.view == "rotate_180" ? Show::kFlip : Show::kCells,
          .images = kAnagrams,
          .layout = {.columns = 5},
          .labels = {cat("upright: ", pair.first), cat("turned: ", pair.second)},
          .caption =
              cat("Upright ", escape_html(pair.first), ", ",
                  flips ? "upside down " : "turned by 180\u00b0 ", escape_html(pair.second), "."),
          .alt = cat("A figure that reads ", pair.first, " upright and ", pair.second, " turned"),
          .model = settings.model,
          .needs_classes = true,
          .shows_results = true,
          .turn = flips ? Turn::kFlipVertical : Turn::kRotate180};
}

// Rows of another figure's images above the figure's own.
CellLayout two_rows(const std::string& right, const std::string& wrong, int columns,
                    const std::string& label) {
  CellLayout layout{.columns = columns, .row_labels = {"right", label}};
  for (const std::string& id : {right, wrong}) {
    for (int k = 0; k < columns; ++k) layout.cells.push_back({id, k});
  }
  return layout;
}

Figure shared_unconditional(const ReportSettings& settings, const Figure& right, const Pair& pair) {
  Figure figure = anagram(settings, pair);
  figure.id = "anagram-mistake";
  figure.command.insert(figure.command.end(), {"--unconditional", "shared"});
  figure.layout = two_rows(right.id, figure.id, 8, "mistake");
  figure.caption =
      "A common mistake: one unconditional estimate, of the image as it is, serves both views. In "
      "the turned one its pixels lie in the wrong places, and guidance pushes away from what is "
      "not "
      "there. Above, the right way with the same noise; the table is about the mistake.";
  figure.alt = cat("The same anagrams made rightly and with one unconditional estimate");
  figure.inputs = {right.id};
  return figure;
}

Section anagrams(const ReportSettings& settings) {
  const std::vector<Pair> pairs =
      pairs_of(settings, "anagrams", {"6/9", "2/5:flip", "3/8", "2/4:flip"});
  Section section{
      .id = "anagrams",
      .number = "1.8",
      .title = "Visual anagrams",
      .text = cat("<p>One image, two readings: at each step the network denoises the "
                  "image as it is and the transformed image <i>V\u2009x</i>, for another "
                  "digit, and the two predictions are averaged.</p>",
                  formula::anagram(),
                  "<p>Press the button under the figures. Each view has its own guidance, with an "
                  "unconditional estimate of its own.</p>")};
  for (const Pair& pair : pairs) section.figures.push_back(anagram(settings, pair));
  section.figures.push_back(shared_unconditional(settings, section.figures.front(), pairs.front()));
  return section;
}

// DPM-Solver++ reads better both ways than the same model's longer ddpm.
Words hybrid_command(const ReportSettings& settings, const Pair& pair, const char* sigma) {
  constexpr int kSteps = 20;
  return with_steps(
      {"hybrid", "--model", settings.model, "--far", pair.first, "--near", pair.second, "--sigma",
       sigma, "--kernel", "27", "-b", std::to_string(kHybrids), "--sampler", "dpm++"},
      settings, kSteps);
}

Figure hybrid(const ReportSettings& settings, const Pair& pair) {
  // Found by a sweep over pairs and widths; a wider blur gives the far digit less.
  const char* sigma = pair.first == "8" ? "1.3" : "1.1";
  return {
      .id = in_id(cat("hybrid-", pair.first, "-", pair.second)),
      .command = hybrid_command(settings, pair, sigma),
      .show = Show::kDistance,
      .images = kHybrids,
      .layout = {.columns = 4},
      .caption = cat("Far ", escape_html(pair.first), ", near ", escape_html(pair.second), "."),
      .alt = cat("A figure that reads ", pair.second, " from near and ", pair.first, " from far"),
      .model = settings.model,
      .needs_classes = true,
      .shows_results = true};
}

Figure averaged(const ReportSettings& settings, const Figure& right, const Pair& pair) {
  Figure figure = hybrid(settings, pair);
  figure.id = "hybrid-mistake";
  figure.command.insert(figure.command.end(), {"--combine", "mean"});
  figure.layout = two_rows(right.id, figure.id, kHybrids, "mistake");
  figure.show = Show::kCells;
  figure.caption =
      "A common mistake: the two bands are averaged and not added, as the views of an anagram "
      "are. Half of every prediction is missing, and the noise stays. Above, the right way with "
      "the same noise; the table is about the mistake.";
  figure.alt = "The same hybrids made rightly and with the mean of the two bands";
  figure.inputs = {right.id};
  return figure;
}

Section hybrids(const ReportSettings& settings) {
  const std::vector<Pair> pairs = pairs_of(settings, "hybrids", {"8/3", "9/4", "8/2"});
  Section section{
      .id = "hybrids",
      .number = "1.9",
      .title = "Hybrid images",
      .text = cat(
          "<p>The low frequencies follow one prompt and the high ones another. From afar the eye "
          "loses the fine lines and reads the first.</p>",
          formula::hybrid(),
          "<p>28 \u00d7 28 pixels leave little room for two scales, and most pairs of digits fail. "
          "The classifier sees the figures sharp and blurred; its predictions of 8 mean "
          "the least, because any blurred digit looks like one. Move the slider and judge for "
          "yourself.</p>")};
  for (const Pair& pair : pairs) section.figures.push_back(hybrid(settings, pair));
  section.figures.push_back(averaged(settings, section.figures.front(), pairs.front()));
  return section;
}

Figure part_figure(const ReportSettings& settings, const std::string& id, const Words& rest,
                   const std::string& caption, const std::string& alt) {
  return {.id = id,
          .command = with_steps(Words{"hybrid", "--model", settings.model} + rest +
                                    Words{"-b", std::to_string(kHybrids)},
                                settings, kFigureSteps),
          .images = kHybrids,
          .layout = {.columns = kHybrids},
          .caption = caption,
          .alt = alt,
          .model = settings.model,
          .needs_classes = true,
          .shows_results = true};
}

Section decompositions(const ReportSettings& settings) {
  Figure inverse = part_figure(settings, "inverse",
                               {"--inverse", made_image(settings, "digit-8", "").path, "--near",
                                "3", "--sigma", "3", "--kernel", "27"},
                               "Inverse hybrid: the low frequencies are those of the 8 at the top "
                               "of the page, the rest is generated to make it a 3.",
                               "Eight digits with the coarse shape of an 8 and the lines of a 3");
  inverse.inputs = {"digit-8"};
  return {.id = "decompositions",
          .number = "2",
          .title = "Other ways to split an image",
          .text =
              "<p>Any way to write an image as a sum of parts gives each part its own prompt. "
              "Three bands of frequency hold three digits; a blur along one direction holds what "
              "the image shows in motion. A part may also come from a given image. Color "
              "and gray are one more pair, for models of colored images.</p>",
          .figures = {
              part_figure(settings, "triple",
                          {"--decomposition", "triple", "--prompts", "8", "2", "7", "--sigma", "3",
                           "--kernel", "27"},
                          "Three bands: 8 from far, 2 in between, 7 from near.",
                          "Eight digits made of three bands of frequency"),
              part_figure(settings, "motion",
                          {"--decomposition", "motion", "--prompts", "0", "4", "--kernel", "15"},
                          "The part that a blur along the rows keeps is prompted as a 0, "
                          "the rest as a 4.",
                          "Eight digits, one part as seen in motion"),
              inverse}};
}

}  // namespace

std::vector<Section> combining_sections(const ReportSettings& settings) {
  return {anagrams(settings), hybrids(settings), decompositions(settings)};
}

}  // namespace ebb
