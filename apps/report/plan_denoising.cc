#include "apps/report/formulas.h"
#include "apps/report/plan_parts.h"
#include "base/error.h"

namespace ebb {
namespace {

constexpr const char* kTimes = "250,500,750";

CellLayout times_layout(std::vector<std::string> first) {
  first.insert(first.end(), {"t = 250", "t = 500", "t = 750"});
  return {.columns = static_cast<int>(first.size()), .column_labels = first};
}

Words on_digit(const ReportSettings& settings, const char* command, const Words& rest) {
  return Words{command, "--model", settings.model, "-i", made_image(settings, "digit-3", "").path} +
         rest;
}

Section forward(const ReportSettings& settings) {
  CellLayout layout = times_layout({"original"});
  layout.cells = {{"digit-3", 0}, {"forward", 0}, {"forward", 1}, {"forward", 2}};
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
                   .command = on_digit(settings, "forward", {"-t", kTimes}),
                   .images = 3,
                   .layout = layout,
                   .caption = "A digit and what is left of it under more and more noise.",
                   .alt = "The digit 3 under three levels of noise, the last all but drowned",
                   .model = settings.model,
                   .inputs = {"digit-3"}}}};
}

Section blur(const ReportSettings& settings) {
  return {
      .id = "blur",
      .number = "1.2",
      .title = "Denoising without a network",
      .text =
          "<p>The classical remedy is a Gaussian blur: it averages the noise away, and the "
          "strokes with it. ebb tries kernels and widths and keeps the one whose result is "
          "closest to the clean image, which is more than an honest denoiser could "
          "know.</p>",
      .figures = {
          {.id = "blur",
           .command = on_digit(settings, "blur", {"-t", kTimes}),
           .images = 3,
           .layout = {.columns = 3, .wide = 2, .column_labels = {"t = 250", "t = 500", "t = 750"}},
           .caption = "The noisy digit, and beside it the blur that is closest to the clean one.",
           .alt = "The digit 3 with the noise of three timesteps, and blurred: the noise "
                  "goes, so do the edges",
           .model = settings.model,
           .inputs = {"digit-3"},
           .shows_results = true}}};
}

Section one_step(const ReportSettings& settings) {
  CellLayout layout = times_layout({"original"});
  layout.row_labels = {"noisy", "estimate"};
  layout.cells = {{"digit-3", 0},  {"forward", 0},  {"forward", 1}, {"forward", 2}, {},
                  {"one-step", 0}, {"one-step", 1}, {"one-step", 2}};
  return {
      .id = "one-step",
      .number = "1.3",
      .title = "Denoising in one step",
      .text = cat("<p>The network estimates the noise in the image; subtracting it gives a guess "
                  "of the clean image at once.</p>",
                  formula::one_step(),
                  "<p>From little noise the guess is right. From much it is an average of all "
                  "digits that could lie below, and looks like one.</p>"),
      .figures = {
          {.id = "one-step",
           .command = on_digit(settings, "denoise", {"--one-step", "-t", kTimes}),
           .images = 3,
           .layout = layout,
           .caption = "The noisy digits of section 1.1, and the network\u2019s estimates.",
           .alt = "The digit 3 with the noise of three timesteps, denoised in one step each",
           .model = settings.model,
           .inputs = {"digit-3", "forward"}}}};
}

Section iterative(const ReportSettings& settings) {
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
      .figures = {
          {.id = "iterative",
           .command = on_digit(settings, "denoise",
                               {"--iterative", "--i-start", "10", "--show-every", "5", "--grid"}),
           .show = Show::kLabeled,
           .caption = "From t = 690 (i_start = 10): every fifth state and the result. For "
                      "comparison the one-step estimate, the best blur of the noisy image, "
                      "and the digit.",
           .alt = "A noisy 3 that becomes clear from left to right",
           .model = settings.model,
           .inputs = {"digit-3"}}}};
}

Section samples(const ReportSettings& settings) {
  return {.id = "samples",
          .number = "1.5",
          .title = "Samples from nothing",
          .text =
              "<p>Starting from pure noise, the same loop generates an image. Without a prompt, "
              "some samples are no clear digit.</p>",
          .figures = {{.id = "samples",
                       .command = with_steps({"sample", "--model", settings.model, "-b", "10",
                                              "--class", "all", "--cfg-scale", "0"},
                                             settings, kFigureSteps),
                       .images = 10,
                       .layout = {.columns = 5},
                       .caption = "Ten samples without a class (guidance scale 0).",
                       .alt = "Ten digits sampled without a prompt, some unclear",
                       .model = settings.model}}};
}

Section guidance(const ReportSettings& settings) {
  Section section{
      .id = "guidance",
      .number = "1.6",
      .title = "Classifier-free guidance",
      .text = cat(
          "<p>Evaluate the network twice, with the class and without, and extrapolate along "
          "the difference:</p>",
          formula::guidance(),
          "<p>With <i>\u03b3</i> = 1 that is the conditional prediction alone. Larger scales give "
          "clearer digits with less variety, and in the end caricatures.</p>")};
  for (const char* scale : {"1", "2", "7"}) {
    section.figures.push_back(
        {.id = cat("guidance-", scale),
         .command = with_steps({"sample", "--model", settings.model, "--class", "all", "-b", "20",
                                "--cfg-scale", scale},
                               settings, kFigureSteps),
         .images = 20,
         .layout = digit_rows(),
         .caption = cat("<i>\u03b3</i> = ", scale,
                        ": two of each digit, the same noise as in the other "
                        "figures of this section."),
         .alt = cat("Two of each digit at guidance scale ", scale),
         .model = settings.model,
         .needs_classes = true});
  }
  return section;
}

}  // namespace

std::vector<Section> denoising_sections(const ReportSettings& settings) {
  return {forward(settings),   blur(settings),    one_step(settings),
          iterative(settings), samples(settings), guidance(settings)};
}

}  // namespace ebb
