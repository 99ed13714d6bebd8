#include "apps/report/figure_maker.h"
#include "apps/report/formulas.h"
#include "apps/report/network_diagram.h"
#include "apps/report/plan_parts.h"
#include "base/error.h"
#include "diffusion/find_model.h"
#include "diffusion/model_history.h"

namespace ebb {
namespace {

std::string diagram(const std::string& model, const std::string& label) {
  if (!has_model(model)) return "";
  const Network network = make_network(read_model_history(find_model(model)).config, model);
  return cat(network_diagram(network, label), "<p>", label, ", drawn from its graph in ebb.</p>");
}

// Forty samples, with classes four of each digit.
Figure forty(const ReportSettings& settings, const std::string& id, const std::string& model,
             bool classes, int steps) {
  Words command = {"sample", "--model", model};
  if (classes) command.insert(command.end(), {"--class", "all"});
  command.insert(command.end(), {"-b", "40"});
  return {.id = id,
          .command = with_steps(command, settings, steps),
          .images = 40,
          .layout = classes ? digit_rows() : CellLayout{.columns = 10},
          .caption = classes ? "Four of each digit." : "Forty samples, without a class.",
          .alt = classes ? "Four of each digit from 0 to 9" : "Forty digits without a prompt",
          .model = model};
}

Section time_conditioned(const ReportSettings& settings) {
  const std::string& model = settings.models.time;
  Section section{
      .id = "time",
      .number = "2.3",
      .title = "Conditioned on time",
      .text = cat(
          "<p>With the noise level as an input, one network serves all noise levels, and the loop "
          "of part A generates digits from pure noise. It learns the noise:</p>",
          formula::noise_loss(), "<p>here without the class <i>c</i>.</p>"),
      .diagram = diagram(model, "The network with a time"),
      .figures = {loss_curve(model), forty(settings, "time-samples", model, false, 0)}};
  add_epochs(model, {1, 5, 10, 20}, section);
  return section;
}

Section class_conditioned(const ReportSettings& settings) {
  const std::string& model = settings.models.classes;
  Section section{
      .id = "class",
      .number = "2.6",
      .title = "Conditioned on the class as well",
      .text =
          "<p>Ten more inputs name the digit. In a tenth of the training they are all zero, so "
          "the network also learns to generate without a class, which guidance needs "
          "(<i>\u03b3</i> = 5 here).</p>",
      .diagram = diagram(model, "The network with a time and a class"),
      .figures = {loss_curve(model), forty(settings, "class-samples", model, true, 0)}};
  add_epochs(model, {1, 5, 10, 20}, section);
  return section;
}

Section flow_matching(const ReportSettings& settings) {
  constexpr int kSteps = 100;
  const std::string& model = settings.models.class_flow;
  Section section{
      .id = "flow",
      .number = "",
      .title = "The other objective: flow matching",
      .text = cat("<p>Later editions of the course learn a velocity instead of the noise: along "
                  "the straight line from noise to digit it is the same everywhere.</p>",
                  formula::flow(), "<p>A sample follows the velocity in small steps, here ",
                  figure_steps(settings, kSteps), ".</p>"),
      .figures = {loss_curve(model), forty(settings, "flow-samples", model, true, kSteps)}};
  add_epochs(model, {1, 5, 10}, section);
  return section;
}

Section time_flow(const ReportSettings& settings) {
  const std::string& model = settings.models.time_flow;
  Section section{
      .id = "time-flow",
      .number = "2.3",
      .title = "Flow matching, conditioned on time alone",
      .text =
          "<p>The first flow network of the later editions knows no class. Its time vectors "
          "multiply the image where the earlier edition adds them.</p>",
      .diagram = diagram(model, "The network of flow matching with a time"),
      .figures = {loss_curve(model), forty(settings, "time-flow-samples", model, false, 100)}};
  add_epochs(model, {1, 5, 10}, section);
  return section;
}

Section constant_rate(const ReportSettings& settings) {
  const std::string &model = settings.models.constant_rate, &with = settings.models.class_flow;
  Words curves = {"plot", model, "--width", "840", "--height", "520"};
  if (has_model(with)) curves.insert(curves.begin() + 1, with);
  Section section{
      .id = "constant-rate",
      .number = "2.6",
      .title = "Without the schedule of the learning rate",
      .text =
          "<p>The assignment asks to drop the schedule and to keep the quality by other means, "
          "such as a lower constant rate or averaged weights. Networks differ in width and in "
          "epochs here, as the table of the models says, so the curves do not compare the "
          "rates alone.</p>",
      .figures = {{.id = "loss-both-rates",
                   .command = curves,
                   .show = Show::kChart,
                   .caption = "Training losses with the schedule and without.",
                   .alt = "Two training losses, with and without a falling learning rate",
                   .model = model,
                   .samples = false},
                  forty(settings, "constant-rate-samples", model, true, 100)}};
  add_epochs(model, {1, 5, 10}, section);
  return section;
}

// Sampling as a film, and on paper its last image.
Section film(const ReportSettings& settings) {
  const std::string& model = settings.models.classes;
  return {.id = "film",
          .number = "",
          .title = "Sampling, watched",
          .text =
              "<p>The states between noise and digits. Most of the way hardly anything can be "
              "seen; the strokes are settled in a few steps.</p>",
          .figures = {{.id = "film",
                       .command = with_steps({"sample", "--model", model, "--class", "3,1,4,1,5",
                                              "--grid", "--grid-cols", "5", "--gif",
                                              cat(settings.directory, "/figures/film.webp")},
                                             settings, kFigureSteps),
                       .show = Show::kAnimation,
                       .caption = "Five digits on their way from noise.",
                       .alt = "Noise that turns into the digits 3, 1, 4, 1, 5",
                       .model = model,
                       .needs_classes = true}}};
}

struct SamplingSchedule {
  const char* sampler;
  int steps;
  const char* note;
};

Section samplers(const ReportSettings& settings) {
  constexpr SamplingSchedule kSchedules[] = {
      {"ddpm", 300, "with fresh noise in every step, as in the assignment"},
      {"ddpm", 20, "the same with long strides"},
      {"ddim", 20, "no fresh noise"},
      {"ddim", 10, "no fresh noise, longer strides"},
      {"dpm++", 20, "DPM-Solver++ 2M, a method of second order"},
      {"dpm++", 10, "the same with half the steps"}};
  Section section{.id = "samplers",
                  .number = "",
                  .title = "Samplers and steps",
                  .text =
                      "<p>The model does not prescribe the sampler. Here are the same noise, "
                      "classes and guidance under several: better methods need a fraction of "
                      "the steps.</p>"};
  std::string last;
  for (const SamplingSchedule& schedule : kSchedules) {
    // With --fast all have the same few steps, and one of each sampler is enough.
    if (settings.fast && last == schedule.sampler) continue;
    last = schedule.sampler;
    const std::string name = last == "dpm++" ? "dpmpp" : last;
    section.figures.push_back(
        {.id = cat("schedule-", name, "-", schedule.steps),
         .command = with_steps({"sample", "--model", settings.models.classes, "--class", "all",
                                "-b", "10", "--sampler", last},
                               settings, schedule.steps),
         .images = 10,
         .layout = digit_rows(),
         .caption = cat("<b>", last, ", ", figure_steps(settings, schedule.steps),
                        " steps</b>: ", schedule.note, "."),
         .alt = cat("Digits 0 to 9 sampled with ", last),
         .model = settings.models.classes,
         .needs_classes = true});
  }
  return section;
}

Figure evaluation(const std::string& id, const std::string& model) {
  return {.id = id,
          .command = {"eval", model, "--cfg-scales", "1,5", "--steps", "20", "--samples", "100",
                      "--images", "20", "--trials", "5"},
          .show = Show::kPrinted,
          .images = 0,
          .caption = "",
          .alt = cat("Metrics of ", model),
          .model = model,
          .needs_classes = true,
          .needs_data = true};
}

Section metrics(const ReportSettings& settings) {
  return {.id = "metrics",
          .number = "",
          .title = "How good are the digits?",
          .text =
              "<p>A small classifier reads the generated digits. Its accuracy says whether "
              "they match the prompts; the Fr\u00e9chet distance of its features from those "
              "of the training digits says whether they are as varied as real ones. The samples "
              "are few here, to keep the page quick: <code>ebb eval</code> without flags takes "
              "more.</p>",
          .figures = {evaluation("eval-class", settings.models.classes),
                      evaluation("eval-class-flow", settings.models.class_flow)}};
}

}  // namespace

std::vector<Section> generative_training_sections(const ReportSettings& settings) {
  return {time_conditioned(settings), class_conditioned(settings), flow_matching(settings),
          time_flow(settings), constant_rate(settings)};
}

std::vector<Section> sampler_sections(const ReportSettings& settings) {
  return {film(settings), samplers(settings), metrics(settings)};
}

}  // namespace ebb
