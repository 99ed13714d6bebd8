#include "apps/ebb/eval.h"

#include <charconv>
#include <chrono>
#include <cmath>
#include <iostream>
#include <memory>
#include <optional>
#include <sstream>

#include "apps/cli/cli.h"
#include "apps/cli/progress.h"
#include "base/output_file.h"
#include "base/text.h"
#include "diffusion/conditioner.h"
#include "diffusion/eval/evaluate.h"
#include "diffusion/find_model.h"
#include "image/png.h"

namespace ebb {
namespace {

constexpr double kAssignmentGuidance = 5;
constexpr int64_t kFewSteps = 50;
constexpr int64_t kMaxImages = 10'000;
const std::vector<double> kGuidanceSweep = {0, 1, 2, 3, 5, 7};
const std::vector<double> kSigmaSweep = {0, 0.2, 0.4, 0.5, 0.6, 0.8, 1};
// A few minutes on two cores.
constexpr int64_t kDenoisedImages = 2'000, kClassifiedImages = 200, kTrials = 20, kSamples = 200;

struct Flags {
  std::string model;
  std::string classifier = kDefaultClassifier;
  std::string data;
  int64_t images = 0;   // 0: by kind of model
  int64_t samples = 0;  // likewise
  int64_t trials = 0;
  std::string guidance, steps, sampler, sigmas;  // empty: the usual ones
  int64_t seed = 0;
  int64_t batch_size = 50;
  bool json = false;
  std::string plot;
  bool force = false;
  DeviceFlags device;
};

// "0,.5,1" as numbers in low..high; UsageError names the flag.
std::vector<double> parse_list(const std::string& text, const char* flag, double low, double high) {
  std::vector<double> values;
  std::istringstream list(text);
  for (std::string part; std::getline(list, part, ',');) {
    double value = 0;
    const char* end = part.data() + part.size();
    const auto [rest, error] = std::from_chars(part.data(), end, value);
    EBB_CHECK(error == std::errc() && rest == end && value >= low && value <= high, UsageError,
              flag, " ", terminal_safe(text), ": expected numbers ", low, "..", high,
              " with commas between them");
    values.push_back(value);
  }
  EBB_CHECK(!values.empty(), UsageError, flag, ": is empty, expected numbers ", low, "..", high,
            " with commas between them");
  return values;
}

std::vector<int64_t> parse_steps(const std::string& text, const LoadedModel& model) {
  const bool limited = model.objective.type == ObjectiveType::kDdpm;
  const double most = limited ? static_cast<double>(model.objective.timesteps) : 100'000;
  std::vector<int64_t> steps;
  for (const double value : parse_list(text, "--steps", 1, most)) {
    EBB_CHECK(value == std::floor(value), UsageError, "--steps ", terminal_safe(text),
              ": expected whole numbers");
    steps.push_back(static_cast<int64_t>(value));
  }
  return steps;
}

SamplerKind choose_sampler(const Flags& flags, const LoadedModel& model) {
  const bool flow = model.objective.type == ObjectiveType::kFlow;
  if (flags.sampler.empty()) return flow ? SamplerKind::kEuler : SamplerKind::kDdim;
  const SamplerKind kind = parse_sampler(flags.sampler, "--sampler");
  EBB_CHECK(fits(kind, model.objective), UsageError, "--sampler ", flags.sampler, ": ",
            path_label(model.path), " was trained as ", to_string(model.objective.type), ". Use ",
            flow ? "euler or heun." : "ddpm or ddim.");
  return kind;
}

// Guidance at few steps, then steps at the assignment's guidance; last the assignment's own way.
std::vector<SampleSetting> usual_settings(const LoadedModel& model) {
  const bool flow = model.objective.type == ObjectiveType::kFlow;
  const bool classes = class_count(model.network) > 0;
  const SamplerKind kind = flow ? SamplerKind::kEuler : SamplerKind::kDdim;
  const int64_t most = flow ? int64_t{300} : model.objective.timesteps;
  const int64_t few = std::min(kFewSteps, most);
  std::vector<SampleSetting> settings;
  if (classes) {
    for (const double guidance : kGuidanceSweep) settings.push_back({kind, few, guidance});
  }
  const double guidance = classes ? kAssignmentGuidance : 1;
  for (const int64_t steps : {int64_t{10}, int64_t{20}, few}) {
    if (steps < few || (steps == few && !classes)) settings.push_back({kind, steps, guidance});
  }
  if (!flow) settings.push_back({SamplerKind::kDdpm, most, guidance});
  if (flow && classes) settings.push_back({kind, most, guidance});
  return settings;
}

std::vector<SampleSetting> choose_settings(const Flags& flags, const LoadedModel& model) {
  const bool classes = class_count(model.network) > 0;
  EBB_CHECK(classes || flags.guidance.empty(), UsageError, "--cfg-scales ",
            terminal_safe(flags.guidance), ": ", path_label(model.path),
            " takes no class to guide to. Leave --cfg-scales out.");
  if (flags.guidance.empty() && flags.steps.empty() && flags.sampler.empty()) {
    return usual_settings(model);
  }
  const SamplerKind kind = choose_sampler(flags, model);
  const int64_t few = model.objective.type == ObjectiveType::kDdpm
                          ? std::min(kFewSteps, model.objective.timesteps)
                          : kFewSteps;
  const std::vector<int64_t> all_steps =
      flags.steps.empty() ? std::vector{few} : parse_steps(flags.steps, model);
  std::vector<double> scales{1};
  if (classes) {
    scales = flags.guidance.empty() ? kGuidanceSweep
                                    : parse_list(flags.guidance, "--cfg-scales", 0, 100);
  }
  std::vector<SampleSetting> settings;
  for (const int64_t steps : all_steps) {
    for (const double scale : scales) settings.push_back({kind, steps, scale});
  }
  return settings;
}

bool draws(const LoadedModel& model) { return takes_time(model.objective); }

// A flag that this kind of model has no use for is a mistake.
void refuse_useless(const Flags& flags, const LoadedModel& model) {
  const auto refuse = [&](const char* flag, bool given) {
    EBB_CHECK(!given, UsageError, flag, ": has no meaning for ", path_label(model.path),
              ", which was trained as ", to_string(model.objective.type), ". Leave it out.");
  };
  if (!draws(model)) {
    refuse("--samples", flags.samples > 0);
    refuse("--cfg-scales", !flags.guidance.empty());
    refuse("--steps", !flags.steps.empty());
    refuse("--sampler", !flags.sampler.empty());
  }
  const bool classifies = draws(model) && class_count(model.network) > 0;
  refuse("--trials", flags.trials > 0 && !classifies);
  refuse("--images", flags.images > 0 && draws(model) && !classifies);
  refuse("--sigmas", !flags.sigmas.empty() && model.objective.type != ObjectiveType::kDenoise);
}

int64_t usual_images(const LoadedModel& model) {
  if (draws(model)) return kClassifiedImages;
  return model.objective.type == ObjectiveType::kClassify ? kMaxImages : kDenoisedImages;
}

EvaluateRequest make_request(const Flags& flags, const LoadedModel& model) {
  refuse_useless(flags, model);
  EvaluateRequest request{.data = flags.data,
                          .images = flags.images > 0 ? flags.images : usual_images(model),
                          .samples = flags.samples > 0 ? flags.samples : kSamples,
                          .trials = flags.trials > 0 ? flags.trials : kTrials,
                          .sigmas = kSigmaSweep,
                          .settings = {},
                          .seed = static_cast<uint64_t>(flags.seed),
                          .batch_size = flags.batch_size};
  if (!flags.sigmas.empty()) request.sigmas = parse_list(flags.sigmas, "--sigmas", 0, 10);
  if (draws(model)) request.settings = choose_settings(flags, model);
  return request;
}

void evaluate(Context& context, const Flags& flags, const LoadedModel& model,
              const EvaluateRequest& request, Report& report) {
  ProgressBar bar(100);
  const auto progress = [&](double share) { bar.update(static_cast<int64_t>(100 * share)); };
  if (model.objective.type == ObjectiveType::kClassify) {
    DigitClassifier classifier = load_classifier(context, model.path);
    evaluate_classifier(classifier, request, progress, report);
  } else if (draws(model)) {
    DigitClassifier classifier = load_classifier(context, flags.classifier);
    report.facts.emplace_back("judge", classifier.path());
    report.facts.emplace_back("judge_sha256", classifier.sha256());
    evaluate_samples(context, model, classifier, request, progress, report);
  } else {
    evaluate_denoiser(context, model, request, progress, report);
  }
  bar.finish();
}

void run(const Flags& flags) {
  const Overwrite overwrite = flags.force ? Overwrite::kReplace : Overwrite::kRefuse;
  if (!flags.plot.empty()) check_output_file(flags.plot, overwrite);
  const auto context = make_context(flags.device);
  const LoadedModel model = load_model(*context, find_model(flags.model));
  for (const std::string& warning : model.warnings) std::cerr << "warning: " << warning << '\n';
  const EvaluateRequest request = make_request(flags, model);

  const auto start = std::chrono::steady_clock::now();
  Report report;
  report.facts = {{"model", model.path},
                  {"model_sha256", model.sha256},
                  {"trained_as", std::string(to_string(model.objective.type))},
                  {"seed", flags.seed},
                  {"device", to_string(context->device())}};
  evaluate(*context, flags, model, request, report);
  const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
  report.facts.emplace_back("seconds", std::round(10 * elapsed.count()) / 10);

  flags.json ? print_json(std::cout, report) : print_text(std::cout, report);
  if (flags.plot.empty()) return;
  write_png(flags.plot, draw_plots(report), {}, overwrite);
  if (!flags.json) std::cout << '\n' << path_label(flags.plot) << '\n';
}

}  // namespace

void add_eval_command(Command program) {
  auto flags = std::make_shared<Flags>();
  Command command = program.add_subcommand(
      "eval",
      "Measure how good a trained model is: denoising, drawn digits, or a classifier's accuracy");
  command.add_option("model", flags->model, "Model file, or the name of a pretrained model")
      .required()
      .type_name("MODEL");
  command.add_option("--data", flags->data,
                     "Directory of the four MNIST files ($EBB_DATA, else data/mnist)");
  command.add_option("--judge", flags->classifier, "The classifier that reads drawn digits")
      .show_default();
  add_integer(command, "--samples", flags->samples, 2, 100'000,
              "Digits drawn with each setting (200)");
  add_integer(command, "--images", flags->images, 1, kMaxImages,
              "Test images, spread over the test set (denoised: 2000; classified by a model that "
              "draws: 200; read by a classifier: 10000)");
  command.add_option("--cfg-scales", flags->guidance,
                     "Guidance scales of drawn digits, 0: without class (0,1,2,3,5,7)");
  command.add_option("--steps", flags->steps, "Sampling steps, each with each guidance scale (50)");
  add_choice(command, "--sampler", flags->sampler, {"ddpm", "ddim", "euler", "heun"},
             "How to walk from noise to digit (ddim or euler, by model)");
  add_integer(command, "--trials", flags->trials, 1, 10'000,
              "Noise levels per image when the model classifies (20)");
  command.add_option("--sigmas", flags->sigmas,
                     "Noise levels of a denoiser (0,0.2,0.4,0.5,0.6,0.8,1)");
  add_integer(command, "-s,--seed", flags->seed, 0, ImageNoise::kMaxSeed,
              "Seed of the noise of the first image, the next has seed + 1 (0)");
  add_integer(command, "--batch-size", flags->batch_size, 1, 4096, "Digits drawn at once (50)");
  command.add_flag("--json", flags->json, "Print one JSON object instead of text");
  command.add_option("--plot", flags->plot, "Also draw the figures, as PNG");
  command.add_flag("--force", flags->force, "Replace the plot's file");
  add_device_flags(command, flags->device);
  command.callback([flags] { run(*flags); });
}

}  // namespace ebb
