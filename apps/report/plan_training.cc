#include <filesystem>
#include <set>
#include <sstream>

#include "apps/report/figure_maker.h"
#include "apps/report/formulas.h"
#include "apps/report/html.h"
#include "apps/report/plan_parts.h"
#include "base/error.h"
#include "diffusion/find_model.h"
#include "diffusion/model_history.h"

namespace ebb {
namespace {

namespace fs = std::filesystem;

constexpr const char* kDenoiser = "mnist-denoiser";
constexpr const char* kTime = "mnist-time";
constexpr const char* kClass = "mnist-class";
constexpr const char* kFlow = "mnist-class-flow";

std::string in_digits(double value) {
  std::ostringstream out;
  out.precision(3);
  out << value;
  return out.str();
}

std::string model_row(const std::string& name) {
  if (!has_model(name)) {
    return cat("<tr><td>", name, "</td><td colspan=\"5\">not trained yet: <code>",
               escape_html(training_commands(name)), "</code></td></tr>\n");
  }
  const ModelHistory record = read_model_history(find_model(name));
  std::string epochs = std::to_string(record.epoch_losses.size());
  if (!record.note.empty()) epochs += " (" + record.note + ")";
  const std::string loss = record.epoch_losses.empty() ? "" : in_digits(record.epoch_losses.back());
  return cat("<tr><td>", name, "</td><td>", escape_html(record.objective), "</td><td class=\"n\">",
             record.hidden, "</td><td>", escape_html(epochs), "</td><td class=\"n\">", loss,
             "</td><td><code>", escape_html(record.command), "</code></td></tr>\n");
}

Section models() {
  std::string rows;
  for (const char* name : {kDenoiser, kTime, kClass, kFlow}) rows += model_row(name);
  return {
      .id = "models",
      .number = "",
      .title = "The models",
      .text = cat("<p>Small UNets that ebb trained from nothing on the 60,000 digits of MNIST. The "
                  "table is read from the model files.</p><div class=\"wide\"><table><thead><tr>"
                  "<th>model</th><th>learns</th><th class=\"n\">width D</th><th>epochs</th>"
                  "<th class=\"n\">loss of the last</th><th>trained by</th></tr></thead><tbody>\n",
                  rows, "</tbody></table></div>")};
}

Figure curve(const std::string& model) {
  return {.id = "loss-" + model,
          .command = {"plot", model, "--width", "840", "--height", "520"},
          .show = Show::kChart,
          .caption =
              "Training loss on a logarithmic axis: means over a few steps each, as the "
              "model\u2019s file carries them (light), and their running mean (dark).",
          .alt = cat("Training loss of ", model, " over steps, logarithmic axis"),
          .model = model,
          .samples = false};
}

// What the training left beside the model after an early epoch and the last: <model>-epoch-<n>.png.
std::vector<FoundImage> after_epochs(const std::string& model, size_t early) {
  std::vector<FoundImage> found;
  if (!has_model(model)) return found;
  const fs::path file = find_model(model);
  const ModelHistory history = read_model_history(file.string());
  for (const size_t epoch : std::set{early, history.epoch_losses.size()}) {
    const fs::path image = file.parent_path() / cat(model, "-epoch-", epoch, ".png");
    if (!fs::exists(image)) continue;
    const std::string when = cat("after epoch ", epoch);
    found.push_back({.file = image.string(),
                     .command = history.command,
                     .caption = cat("What the training drew ", when, "."),
                     .alt = cat("Images of ", model, " ", when)});
  }
  return found;
}

Section denoiser() {
  return {.id = "denoiser",
          .number = "1.2.1",
          .title = "Training a one-step denoiser",
          .text = cat("<p>The first network sees a digit <i>x</i> under noise of one strength, "
                      "<i>\u03c3</i> = 0.5, and learns to give back the clean digit.</p>",
                      formula::denoiser_loss()),
          .figures = {curve(kDenoiser)},
          .found = after_epochs(kDenoiser, 1)};
}

Section sigma_sweep(const ReportSettings& settings) {
  Section section{
      .id = "sigmas",
      .number = "1.2.2",
      .title = "Noise it was not trained on",
      .text =
          "<p>The same network at other noise levels. Below 0.5 it has an easy task; above, parts "
          "of the digit are lost and it fills in what digits mostly have there. The digits are "
          "drawn by the class model, so the denoiser has never seen them.</p>",
      .figures = {}};
  for (const char* digit : {"digit-3", "digit-7", "digit-8"}) {
    section.figures.push_back(
        {.id = cat("sigmas-", digit),
         .command = {"denoise", "-i", figure_path(settings, digit), "--model", kDenoiser, "--sigma",
                     "0,0.2,0.4,0.5,0.6,0.8,1", "--grid"},
         .show = Show::kLabeled,
         .caption = "A column for each <i>\u03c3</i>; from top to bottom the digit, the digit "
                    "under noise, and what the denoiser makes of it.",
         .alt = "A digit under growing noise, and what the denoiser makes of it",
         .model = kDenoiser,
         .inputs = {digit}});
  }
  return section;
}

Section time_conditioned(const ReportSettings& settings) {
  return {.id = "time",
          .number = "2.3",
          .title = "Conditioned on time",
          .text = cat(
              "<p>Told how noisy its input is, one network serves all noise levels, and the loop "
              "of part A draws digits from pure noise. It learns the noise:</p>",
              formula::noise_loss(), "<p>here without the class <i>c</i>.</p>"),
          .figures = {curve(kTime),
                      {.id = "time-samples",
                       .command = with_steps(
                           {"sample", "--model", kTime, "-b", "40", "--grid", "--grid-cols", "10"},
                           settings, 0),
                       .caption = "Forty samples. Nothing tells the network which digit to draw.",
                       .alt = "Forty digits drawn by the time-conditioned model",
                       .model = kTime}},
          .found = after_epochs(kTime, 5)};
}

Section class_conditioned(const ReportSettings& settings) {
  return {.id = "class",
          .number = "2.6",
          .title = "Conditioned on the class as well",
          .text =
              "<p>Ten more inputs name the digit. In a tenth of the training they are all zero, so "
              "the network also learns to draw without being told, which guidance needs "
              "(<i>\u03b3</i> = 5 here).</p>",
          .figures = {curve(kClass),
                      {.id = "class-samples",
                       .command = with_steps({"sample", "--model", kClass, "--class", "all", "-b",
                                              "40", "--grid", "--grid-cols", "10"},
                                             settings, 0),
                       .labels = {"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"},
                       .caption = "Four of each digit.",
                       .alt = "Four of each digit from 0 to 9",
                       .model = kClass}},
          .found = after_epochs(kClass, 5)};
}

Section flow_matching(const ReportSettings& settings) {
  return {.id = "flow",
          .number = "",
          .title = "The other objective: flow matching",
          .text = cat(
              "<p>Later editions of the course learn a velocity instead of the noise: along the "
              "straight line from noise to digit it is the same everywhere.</p>",
              formula::flow(), "<p>A sample follows the velocity in small steps, here ",
              figure_steps(settings, 100), ".</p>"),
          .figures = {curve(kFlow),
                      {.id = "flow-samples",
                       .command = with_steps({"sample", "--model", kFlow, "--class", "all", "-b",
                                              "40", "--grid", "--grid-cols", "10"},
                                             settings, 100),
                       .labels = {"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"},
                       .caption = "Four of each digit.",
                       .alt = "Four of each digit from 0 to 9, by the flow model",
                       .model = kFlow}},
          .found = {}};
}

struct SamplingSchedule {
  const char* sampler;
  int steps;
  const char* note;
};

Section samplers(const ReportSettings& settings) {
  constexpr SamplingSchedule kSchedules[] = {
      {"ddpm", 300, "the assignment\u2019s way, every step with fresh noise"},
      {"ddpm", 20, "the same with long strides"},
      {"ddim", 20, "no fresh noise"},
      {"ddim", 10, "no fresh noise, longer strides"},
      {"dpm++", 20, "DPM-Solver++ 2M, a method of second order"},
      {"dpm++", 10, "the same with half the steps"}};
  Section section{.id = "samplers",
                  .number = "",
                  .title = "Samplers and steps",
                  .text =
                      "<p>The model does not prescribe how to walk from noise to digit. The same "
                      "noise, the same classes and guidance, and six walks: better methods need "
                      "a fraction of the time.</p>",
                  .figures = {}};
  for (const SamplingSchedule& schedule : kSchedules) {
    const std::string name = std::string(schedule.sampler) == "dpm++" ? "dpmpp" : schedule.sampler;
    const int steps = figure_steps(settings, schedule.steps);
    section.figures.push_back(
        {.id = cat("walk-", name, "-", schedule.steps),
         .command = with_steps({"sample", "--model", kClass, "--class", "all", "-b", "10",
                                "--sampler", schedule.sampler, "--grid", "--grid-cols", "10"},
                               settings, schedule.steps),
         .labels = {"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"},
         .caption = cat("<b>", schedule.sampler, ", ", steps, " steps</b>: ", schedule.note, "."),
         .alt = cat("Digits 0 to 9 drawn by ", schedule.sampler, " in ", steps, " steps"),
         .model = kClass});
  }
  return section;
}

// A table for each model that draws; nothing without a classifier and the data to measure against.
Section metrics() {
  const auto table = [](const std::string& model) {
    return Figure{.id = "eval-" + model,
                  .command = {"eval", model, "--cfg-scales", "1,5", "--steps", "20", "--samples",
                              "100", "--images", "20", "--trials", "5"},
                  .show = Show::kPrinted,
                  .images = 0,
                  .caption = "",
                  .alt = cat("How good ", model, " is, in figures"),
                  .model = model,
                  .needs_data = true};
  };
  return {.id = "metrics",
          .number = "",
          .title = "How good are the digits?",
          .text =
              "<p>A small classifier, the classifier, reads the drawn digits. Its accuracy says "
              "whether "
              "they are what was asked for; the Fr\u00e9chet distance of its features from those "
              "of the training digits says whether they are as varied as real ones. The samples "
              "are few here, to keep the page quick: <code>ebb eval</code> without flags takes "
              "more.</p>",
          .figures = {table(kClass), table(kFlow)}};
}

}  // namespace

Part training_part(const ReportSettings& settings) {
  return {.title = "Part B: training diffusion models",
          .text =
              "<p>The second half of the assignment builds the networks and trains them on the "
              "digits of MNIST.</p>",
          .sections = {models(), denoiser(), sigma_sweep(settings), time_conditioned(settings),
                       class_conditioned(settings), flow_matching(settings), samplers(settings),
                       metrics()}};
}

}  // namespace ebb
