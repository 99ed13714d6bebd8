#include "apps/report/formulas.h"
#include "apps/report/plan_parts.h"
#include "base/error.h"

namespace ebb {
namespace {

using Words = std::vector<std::string>;

constexpr int kSteps = 100;  // of 300: a third of the time, no difference the eye would see

Words operator+(Words left, const Words& right) {
  left.insert(left.end(), right.begin(), right.end());
  return left;
}

Words digits() { return {"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"}; }

// The builders of the sections share the settings and the way to name the model.
class Applications {
 public:
  explicit Applications(const ReportSettings& settings) : settings_(settings) {}

  Section forward() const;
  Section blur() const;
  Section one_step() const;
  Section iterative() const;
  Section samples() const;
  Section guidance() const;
  Section edit() const;
  Section sketches() const;
  Section inpaint() const;
  Section text_edit() const;
  Section anagrams() const;
  Section hybrids() const;
  Section decompositions() const;

 private:
  Words command(const char* name) const { return {name, "--model", settings_.model}; }
  Words input(const std::string& id) const { return {"-i", figure_path(settings_, id)}; }
  Words steps(Words words) const { return with_steps(std::move(words), settings_, kSteps); }
  Figure edit_figure(const std::string& image, const Words& goal, const std::string& alt,
                     const std::string& caption) const;
  Figure anagram_figure(const std::string& upright, const std::string& turned,
                        const std::string& view) const;
  Figure hybrid_figure(const std::string& far, const std::string& near) const;

  const ReportSettings& settings_;
};

Section Applications::forward() const {
  return {
      .id = "forward",
      .number = "1.1",
      .title = "The forward process",
      .text = cat("<p>Noise is added in one stroke: the image shrinks a little, Gaussian noise "
                  "fills up what is lost, and the later the time <i>t</i> the less of the image "
                  "is left.</p>",
                  formula::forward(),
                  "<p>Times count to 1000 as in the assignment, whatever the model\u2019s own "
                  "number of steps (here 300): <i>t</i> = 500 is half-way.</p>"),
      .figures = {{.id = "forward",
                   .command =
                       command("forward") + input("digit-3") + Words{"-t", "250,500,750", "--grid"},
                   .show = Show::kLabeled,
                   .caption = "A digit and what is left of it under more and more noise.",
                   .alt = "The digit 3 under three levels of noise, the last all but drowned",
                   .model = settings_.model,
                   .inputs = {"digit-3"}}},
      .found = {}};
}

Section Applications::blur() const {
  return {
      .id = "blur",
      .number = "1.2",
      .title = "Denoising without a network",
      .text =
          "<p>The classical remedy is a Gaussian blur: it averages the noise away, and the "
          "strokes with it. ebb tries kernels and widths and keeps the one whose result is "
          "closest to the clean image, which is more than an honest denoiser could "
          "know.</p>",
      .figures =
          {{.id = "blur",
            .command = command("blur") + input("digit-3") + Words{"-t", "250,500,750", "--grid"},
            .show = Show::kLabeled,
            .caption = "The noisy digit, and the blur that is closest to the digit, with "
                       "its kernel (k) and width (\u03c3, in pixels). Printed: the mean "
                       "squared difference from the clean digit.",
            .alt =
                "The digit 3 with the noise of three timesteps, and blurred: the noise goes, so do "
                "the edges",
            .model = settings_.model,
            .inputs = {"digit-3"},
            .shows_output = true}},
      .found = {}};
}

Section Applications::one_step() const {
  return {
      .id = "one-step",
      .number = "1.3",
      .title = "Denoising in one step",
      .text = cat("<p>The network estimates the noise in the image; subtracting it gives a guess "
                  "of the clean image at once.</p>",
                  formula::one_step(),
                  "<p>From little noise the guess is right. From much it is an average of all "
                  "digits that could lie below, and looks like one.</p>"),
      .figures = {{.id = "one-step",
                   .command = command("denoise") + input("digit-3") +
                              Words{"--one-step", "-t", "250,500,750", "--grid"},
                   .show = Show::kLabeled,
                   .caption = "A column for each time <i>t</i>; from top to bottom the digit, the "
                              "noisy digit, and the network\u2019s estimate.",
                   .alt =
                       "The digit 3 with the noise of three timesteps, denoised in one step each",
                   .model = settings_.model,
                   .inputs = {"digit-3"}}},
      .found = {}};
}

Section Applications::iterative() const {
  return {
      .id = "iterative",
      .number = "1.4",
      .title = "Denoising step by step",
      .text = cat(
          "<p>It is better to take a small step towards the estimate and repeat. The times fall "
          "from 990 to 0 in strides of 30; each step from <i>t</i> to the next time "
          "<i>s</i> mixes the estimate into the image and adds a little fresh noise "
          "back:</p>",
          formula::iterative()),
      .figures = {{.id = "iterative",
                   .command =
                       command("denoise") + input("digit-3") +
                       Words{"--iterative", "--i-start", "10", "--show-every", "5", "--grid"},
                   .show = Show::kLabeled,
                   .caption = "From t = 690 (i_start = 10): every fifth state and the result. For "
                              "comparison the one-step estimate, the best blur of the noisy image, "
                              "and the digit.",
                   .alt = "A noisy 3 that becomes clear from left to right",
                   .model = settings_.model,
                   .inputs = {"digit-3"}}},
      .found = {}};
}

Section Applications::samples() const {
  return {.id = "samples",
          .number = "1.5",
          .title = "Samples from nothing",
          .text =
              "<p>Starting from pure noise, the same loop generates an image. Without a prompt, "
              "some samples are no clear digit.</p>",
          .figures = {{.id = "samples",
                       .command = steps(command("sample") + Words{"-b", "10", "--class", "all",
                                                                  "--cfg-scale", "0", "--grid",
                                                                  "--grid-cols", "10"}),
                       .labels = {},
                       .caption = "Ten samples without a class (guidance scale 0).",
                       .alt = "Ten digits sampled without a prompt, some unclear",
                       .model = settings_.model}},
          .found = {}};
}

Section Applications::guidance() const {
  Section section{
      .id = "guidance",
      .number = "1.6",
      .title = "Classifier-free guidance",
      .text = cat(
          "<p>Evaluate the network twice, with the class and without, and extrapolate along "
          "the difference:</p>",
          formula::guidance(),
          "<p>With <i>\u03b3</i> = 1 that is the conditional prediction alone. Larger scales give "
          "clearer digits with less variety, and in the end caricatures.</p>"),
      .figures = {},
      .found = {}};
  for (const char* scale : {"1", "2", "7"}) {
    section.figures.push_back(
        {.id = cat("guidance-", scale),
         .command = steps(command("sample") + Words{"--class", "all", "-b", "20", "--cfg-scale",
                                                    scale, "--grid", "--grid-cols", "10"}),
         .labels = digits(),
         .caption = cat("<i>\u03b3</i> = ", scale,
                        ": two of each digit, the same noise as in the other "
                        "figures of this section."),
         .alt = cat("Two of each digit at guidance scale ", scale),
         .model = settings_.model,
         .needs_classes = true});
  }
  return section;
}

Figure Applications::edit_figure(const std::string& image, const Words& goal,
                                 const std::string& alt, const std::string& caption) const {
  const std::string suffix =
      goal.empty() ? "" : "-" + goal.back().substr(goal.back().rfind(' ') + 1);
  return {.id = cat("edit-", image, suffix),
          .command = command("edit") + input(image) +
                     Words{"--i-start", "1,3,5,7,10,15,20,25", "-b", "2"} + goal + Words{"--grid"},
          .show = Show::kLabeled,
          .caption = caption,
          .alt = alt,
          .model = settings_.model,
          .inputs = {image}};
}

Section Applications::edit() const {
  return {
      .id = "edit",
      .number = "1.7",
      .title = "Photos become digits",
      .text =
          "<p>Add noise to a photo, then denoise it: what the noise has hidden is generated anew "
          "by "
          "the model. A small <code>i_start</code> means much noise and much "
          "freedom.</p><p>Up to 10 hardly anything of the photo is left here, and the same noise "
          "gives the same strokes whatever the photo: digits are stored as 0 to 1 and not, as "
          "the assignment\u2019s photos, as \u22121 to 1, which noise drowns sooner. So the "
          "levels 15 and 25 stand next to the assignment\u2019s. Each row has a seed of its "
          "own; there is no prompt.</p>",
      .figures = {edit_figure("tower", {},
                              "Two rows: from made-up strokes on the left to a 1 in the shape of "
                              "the tower on the right",
                              "The tower: a 1, once the noise leaves enough of it."),
                  edit_figure("snowman", {},
                              "Two rows: from made-up strokes on the left to the snowman\u2019s "
                              "outline on the right",
                              "The snowman."),
                  edit_figure("swan", {},
                              "Two rows: from made-up strokes on the left to a 2 in the shape of "
                              "the swan on the right",
                              "Every child knows which digit a swan is.")},
      .found = {}};
}

Section Applications::sketches() const {
  return {
      .id = "sketches",
      .number = "1.7.1",
      .title = "Sketches become digits",
      .text =
          "<p>The same with sketches. Dark strokes on light paper are inverted first, because "
          "the model was trained on light strokes on black.</p>",
      .figures =
          {edit_figure(
               "snake", {},
               "Two rows: from made-up strokes on the left by way of a 5 to the snake on the right",
               "A snake, which passes through a 5."),
           edit_figure("balloon", {},
                       "Two rows: from made-up strokes on the left to a 9 in the shape of the "
                       "balloon on the right",
                       "A balloon on its string."),
           edit_figure(
               "cat", {},
               "Two rows: from made-up strokes on the left to a cat\u2019s outline on the right",
               "A cat, which no digit looks like.")},
      .found = {}};
}

Section Applications::inpaint() const {
  const auto inpaint_figure = [&](const std::string& id, const std::string& image,
                                  const Words& rest, const std::string& caption,
                                  const std::string& alt) {
    return Figure{.id = id,
                  .command = steps(command("inpaint") + input(image) + rest + Words{"--grid"}),
                  .show = Show::kLabeled,
                  .caption = caption,
                  .alt = alt,
                  .model = settings_.model,
                  .inputs = {image},
                  .shows_output = true};
  };
  Figure box = inpaint_figure(
      "inpaint-box", "digit-8",
      {"--mask", figure_path(settings_, "mask"), "--class", "8", "-b", "5"},
      "The middle of the 8 is made new, guided to be an 8 (mask from the first section).",
      "Five 8s that keep the rim of the original and have new middles");
  box.inputs.push_back("mask");
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
      .figures = {inpaint_figure("inpaint-half", "digit-7", {"--mask", "right", "-b", "5"},
                                 "The right half of the 7 is regenerated, five times.",
                                 "Five digits that share the left half of the 7"),
                  box,
                  inpaint_figure("inpaint-class", "digit-3",
                                 {"--mask", "left", "--class", "8", "-b", "5", "--resample", "5",
                                  "--jump", settings_.fast ? "2" : "5"},
                                 "The left half of the 3, guided to be an 8, with RePaint\u2019s "
                                 "resampling: going back and forth lets both halves agree.",
                                 "Five digits, 3 on the right and guided to 8 on the left")},
      .found = {}};
}

Section Applications::text_edit() const {
  return {
      .id = "text-edit",
      .number = "1.7.3",
      .title = "Edits guided by text",
      .text =
          "<p>With a prompt the made-up part has a goal. From left to right the prompt gives way "
          "to the photo.</p>",
      .figures = {edit_figure("tower", {"--prompt", "a photo of a seven"},
                              "The bell tower turns into sevens",
                              "The tower, as \u201ca photo of a seven\u201d."),
                  edit_figure("snowman", {"--prompt", "a photo of a three"},
                              "The snowman turns into threes",
                              "The snowman, as \u201ca photo of a three\u201d."),
                  edit_figure("swan", {"--prompt", "a photo of a six"}, "The swan turns into sixes",
                              "The swan, as \u201ca photo of a six\u201d.")},
      .found = {}};
}

Figure Applications::anagram_figure(const std::string& upright, const std::string& turned,
                                    const std::string& view) const {
  return {.id = cat("anagram-", upright, "-", turned, "-", view == "flip" ? "flip" : "rotate"),
          .command = steps(command("anagram") +
                           Words{"--prompts", upright, turned, "--view", view, "-b", "10"}),
          .show = Show::kFlip,
          .images = 10,
          .labels = {cat("upright: ", upright), cat("turned: ", turned)},
          .caption = cat("Upright ", upright, ", ",
                         view == "flip" ? "upside down " : "turned by 180\u00b0 ", turned, "."),
          .alt = cat("A figure that reads ", upright, " upright and ", turned, " turned"),
          .model = settings_.model,
          .needs_classes = true,
          .shows_output = true,
          .turn = view == "flip" ? Turn::kFlipVertical : Turn::kRotate180};
}

Section Applications::anagrams() const {
  return {.id = "anagrams",
          .number = "1.8",
          .title = "Visual anagrams",
          .text = cat("<p>One image, two readings: at each step the network denoises the "
                      "image as it is and the transformed image <i>V\u2009x</i>, for another "
                      "digit, and the two predictions are averaged.</p>",
                      formula::anagram(),
                      "<p>Press the button under the figures. Each view has its own guidance.</p>"),
          .figures = {anagram_figure("6", "9", "rotate_180"), anagram_figure("2", "5", "flip"),
                      anagram_figure("8", "3", "flip"), anagram_figure("1", "1", "rotate_180")},
          .found = {}};
}

Figure Applications::hybrid_figure(const std::string& far, const std::string& near) const {
  return {.id = cat("hybrid-", far, "-", near),
          .command = steps(command("hybrid") + Words{"--far", far, "--near", near, "--sigma", "1.5",
                                                     "--kernel", "27", "-b", "8"}),
          .show = Show::kDistance,
          .images = 8,
          .caption = cat("Far ", far, ", near ", near, "."),
          .alt = cat("A figure that reads ", near, " from near and ", far, " from far"),
          .model = settings_.model,
          .needs_classes = true,
          .shows_output = true};
}

Section Applications::hybrids() const {
  return {
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
          "yourself.</p>"),
      .figures = {hybrid_figure("4", "2"), hybrid_figure("2", "7"), hybrid_figure("8", "3")},
      .found = {}};
}

Section Applications::decompositions() const {
  const auto parts = [&](const std::string& id, const Words& rest, const std::string& caption,
                         const std::string& alt) {
    return Figure{
        .id = id,
        .command = steps(command("hybrid") + rest + Words{"-b", "8", "--grid", "--grid-cols", "8"}),
        .caption = caption,
        .alt = alt,
        .model = settings_.model,
        .needs_classes = true,
        .shows_output = true};
  };
  Figure inverse = parts("inverse",
                         {"--inverse", figure_path(settings_, "digit-8"), "--near", "3", "--sigma",
                          "3", "--kernel", "27"},
                         "Inverse hybrid: the low frequencies are those of the 8 at the top of the "
                         "page, the rest is generated to make it a 3.",
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
          .figures = {parts("triple",
                            {"--decomposition", "triple", "--prompts", "8", "2", "7", "--sigma",
                             "3", "--kernel", "27"},
                            "Three bands: 8 from far, 2 in between, 7 from near.",
                            "Eight digits made of three bands of frequency"),
                      parts("motion",
                            {"--decomposition", "motion", "--prompts", "0", "4", "--kernel", "15"},
                            "The part that a blur along the rows keeps is prompted as a 0, the "
                            "rest as a 4: the 4 wins.",
                            "Eight digits, one part as seen in motion"),
                      inverse},
          .found = {}};
}

}  // namespace

Part applications_part(const ReportSettings& settings) {
  const Applications applications(settings);
  return {.title = "Part A: the power of a diffusion model",
          .text = cat(
              "<p>The assignment plays with a large model of photographs. Every technique of it "
              "works on any model, so here they are on the small one of ebb that knows digits: "
              "<code>",
              settings.model,
              "</code>. Where the assignment says \u201ca high quality "
              "photo\u201d, there is no prompt here; where it says \u201ca rocket ship\u201d, the "
              "prompt here is "
              "\u201ca photo of a seven\u201d.</p>"),
          .sections = {applications.forward(), applications.blur(), applications.one_step(),
                       applications.iterative(), applications.samples(), applications.guidance(),
                       applications.edit(), applications.sketches(), applications.inpaint(),
                       applications.text_edit(), applications.anagrams(), applications.hybrids(),
                       applications.decompositions()}};
}

}  // namespace ebb
