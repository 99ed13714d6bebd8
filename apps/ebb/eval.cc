#include <chrono>
#include <cmath>
#include <memory>

#include "apps/cli/cli.h"
#include "apps/cli/progress.h"
#include "apps/ebb/commands.h"
#include "apps/ebb/sample_flags.h"
#include "apps/ebb/stored_samples.h"
#include "base/output_file.h"
#include "base/text.h"
#include "diffusion/conditioner.h"
#include "diffusion/eval/evaluate.h"
#include "image/png.h"
#include "weights/digest.h"

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
  std::string model, variant;
  std::string classifier = kDefaultClassifier;
  std::string data;
  int64_t images = 0;   // 0: by kind of model
  int64_t samples = 0;  // likewise
  int64_t trials = 0;
  std::string guidance, steps, sampler, sigmas;  // empty: the defaults
  int64_t seed = 0;
  int64_t batch_size = 50;
  bool json = false;
  std::string plot;
  bool force = false;
  ProgressFlag progress;
  DeviceFlags device;
};

std::vector<int64_t> parse_steps(const std::string& text, const Model& model) {
  constexpr int64_t kMaxSteps = 100'000;
  const bool is_limited = model.objective.type == ObjectiveType::kDdpm;
  return parse_integers(text, "--steps", 1, is_limited ? model.objective.timesteps : kMaxSteps);
}

// The first sampler of the model's kind that needs only part of the timesteps.
SamplerKind fast_sampler(const Objective& objective) {
  for (const SamplerInfo& info : samplers()) {
    if (info.objective == objective.type && info.steps > 0) return info.kind;
  }
  throw Error("eval: no sampler with few steps");
}

SamplerKind choose_sampler(const Flags& flags, const Model& model) {
  if (flags.sampler.empty()) return fast_sampler(model.objective);
  const SamplerKind kind = parse_sampler(flags.sampler, "--sampler");
  EBB_CHECK(fits(kind, model.objective), UsageError, "--sampler ", flags.sampler, ": ",
            path_label(model.path), " was trained as ", to_string(model.objective.type), ". Use ",
            fitting_samplers(model.objective), ".");
  return kind;
}

// A guidance sweep at few steps, then steps at the assignment's guidance; last the settings of the
// assignment.
std::vector<SampleSetting> default_settings(const Model& model) {
  const bool classes = class_count(model.network) > 0;
  const SamplerKind kind = fast_sampler(model.objective);
  const SamplerKind full_kind = default_sampler(model.objective, path_label(model.path));
  const int64_t all_steps = default_steps(full_kind, model.objective, classes);
  const int64_t few_steps = std::min(kFewSteps, all_steps);
  std::vector<SampleSetting> settings;
  if (classes) {
    for (const double guidance : kGuidanceSweep) settings.push_back({kind, few_steps, guidance});
  }
  const double guidance = classes ? kAssignmentGuidance : 1;
  for (const int64_t steps : {int64_t{10}, int64_t{20}, few_steps}) {
    if (steps < few_steps || (steps == few_steps && !classes)) {
      settings.push_back({kind, steps, guidance});
    }
  }
  if (full_kind != kind || all_steps > few_steps) {
    settings.push_back({full_kind, all_steps, guidance});
  }
  return settings;
}

std::vector<SampleSetting> choose_settings(const Flags& flags, const Model& model) {
  const bool classes = class_count(model.network) > 0;
  EBB_CHECK(classes || flags.guidance.empty(), UsageError, "--cfg-scales ",
            terminal_safe(flags.guidance), ": ", path_label(model.path),
            " takes no class to guide to. Leave --cfg-scales out.");
  if (flags.guidance.empty() && flags.steps.empty() && flags.sampler.empty()) {
    return default_settings(model);
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
                                    : parse_numbers(flags.guidance, "--cfg-scales", 0, 100);
  }
  std::vector<SampleSetting> settings;
  for (const int64_t steps : all_steps) {
    for (const double scale : scales) settings.push_back({kind, steps, scale});
  }
  return settings;
}

bool samples(const Model& model) { return takes_time(model.objective); }

// Rejects flags that do not apply to this kind of model.
void reject_unused(const Flags& flags, const Model& model) {
  const auto reject = [&](const char* flag, bool given) {
    EBB_CHECK(!given, UsageError, flag, ": does not apply to ", path_label(model.path),
              ", which was trained as ", to_string(model.objective.type), ". Leave it out.");
  };
  if (!samples(model)) {
    reject("--samples", flags.samples > 0);
    reject("--cfg-scales", !flags.guidance.empty());
    reject("--steps", !flags.steps.empty());
    reject("--sampler", !flags.sampler.empty());
  }
  const bool classifies = samples(model) && class_count(model.network) > 0;
  reject("--trials", flags.trials > 0 && !classifies);
  reject("--images", flags.images > 0 && samples(model) && !classifies);
  reject("--sigmas", !flags.sigmas.empty() && model.objective.type != ObjectiveType::kDenoise);
}

int64_t default_images(const Model& model) {
  if (samples(model)) return kClassifiedImages;
  return model.objective.type == ObjectiveType::kClassify ? kMaxImages : kDenoisedImages;
}

EvaluateRequest make_request(const Flags& flags, const Model& model) {
  reject_unused(flags, model);
  EvaluateRequest request{.data = flags.data,
                          .images = flags.images > 0 ? flags.images : default_images(model),
                          .samples = flags.samples > 0 ? flags.samples : kSamples,
                          .trials = flags.trials > 0 ? flags.trials : kTrials,
                          .sigmas = kSigmaSweep,
                          .settings = {},
                          .seed = static_cast<uint64_t>(flags.seed),
                          .batch_size = flags.batch_size};
  if (!flags.sigmas.empty()) request.sigmas = parse_numbers(flags.sigmas, "--sigmas", 0, 10);
  if (samples(model)) request.settings = choose_settings(flags, model);
  return request;
}

void evaluate(Context& context, const Flags& flags, const Model& model,
              const EvaluateRequest& request, Progress& shown, Report& report) {
  shown.begin(100, {.name = "percent"});
  const auto progress = [&](double share) { shown.update(static_cast<int64_t>(100 * share)); };
  if (model.objective.type == ObjectiveType::kClassify) {
    DigitClassifier classifier = load_classifier(context, model.path);
    evaluate_classifier(classifier, request, progress, report);
  } else if (samples(model)) {
    DigitClassifier classifier = load_classifier(context, flags.classifier);
    report.facts.emplace_back("classifier_model", classifier.path());
    report.facts.emplace_back("classifier_sha256", classifier.sha256());
    evaluate_samples(context, model, classifier, request, progress, report);
  } else {
    evaluate_denoiser(context, model, request, progress, report);
  }
  shown.finish();
}

// Flags that say how images are to be made or disturbed.
void reject_for_stored(const Flags& flags) {
  const std::string why = cat("for ", path_label(flags.model), ", whose images are there already");
  refuse_flag("--samples", flags.samples > 0, why);
  refuse_flag("--images", flags.images > 0, why);
  refuse_flag("--trials", flags.trials > 0, why);
  refuse_flag("--cfg-scales", !flags.guidance.empty(), why);
  refuse_flag("--steps", !flags.steps.empty(), why);
  refuse_flag("--sampler", !flags.sampler.empty(), why);
  refuse_flag("--sigmas", !flags.sigmas.empty(), why);
  refuse_flag("--plot", !flags.plot.empty(), why);
}

// One channel of gray images of 28 x 28 pixels; FormatError for others.
std::vector<uint8_t> digits_of(const StoredSamples& samples, const std::string& label) {
  constexpr int64_t kSide = 28;
  EBB_CHECK(samples.height == kSide && samples.width == kSide, FormatError, label, ": images of ",
            samples.width, " x ", samples.height,
            " pixels, expected 28 x 28: ebb eval reads digits alone.");
  std::vector<uint8_t> digits;
  const auto channels = static_cast<size_t>(samples.channels);
  for (size_t at = 0; at < samples.pixels.size(); at += channels) {
    const uint8_t* pixel = samples.pixels.data() + at;
    EBB_CHECK(channels == 1 || (pixel[0] == pixel[1] && pixel[0] == pixel[2]), FormatError, label,
              ": image ", at / channels / (kSide * kSide),
              " has colors, expected gray: ebb eval reads digits alone.");
    digits.push_back(pixel[0]);
  }
  return digits;
}

void run_stored(const Flags& flags, const Invocation& invocation) {
  reject_for_stored(flags);
  const StoredSamples samples = read_samples(flags.model);
  const std::vector<uint8_t> digits = digits_of(samples, path_label(flags.model));
  const auto context = make_context(flags.device);
  DigitClassifier classifier = load_classifier(*context, flags.classifier);
  Report report;
  report.facts = {{"file", flags.model},
                  {"images_sha256", sha256_hex(digits.data(), digits.size())},
                  {"classifier_model", classifier.path()},
                  {"classifier_sha256", classifier.sha256()},
                  {"seed", flags.seed},
                  {"device", to_string(context->device())}};
  const EvaluateRequest request{
      .data = flags.data, .sigmas = {}, .settings = {}, .seed = static_cast<uint64_t>(flags.seed)};
  evaluate_stored(*context, digits, samples.labels, classifier, request, report);
  flags.json ? print_json(invocation.out, report) : print_text(invocation.out, report);
}

void run(const Flags& flags, const Invocation& invocation) {
  if (holds_samples(flags.model)) return run_stored(flags, invocation);
  const Overwrite overwrite = flags.force ? Overwrite::kReplace : Overwrite::kRefuse;
  Progress progress(invocation.progress.value_or(flags.progress.mode()));
  if (!flags.plot.empty()) {
    check_image_name("--plot", flags.plot, ".png");
    check_output_file(flags.plot, overwrite);
  }
  const auto context = make_context(flags.device);
  const Model model = Model::load(*context, flags.model, flags.variant);
  for (const std::string& warning : model.warnings)
    invocation.err << "warning: " << warning << '\n';
  const EvaluateRequest request = make_request(flags, model);

  const auto start = std::chrono::steady_clock::now();
  Report report;
  report.facts = {{"model", model.path},
                  {"model_sha256", model.sha256},
                  {"trained_as", std::string(to_string(model.objective.type))},
                  {"seed", flags.seed},
                  {"device", to_string(context->device())}};
  evaluate(*context, flags, model, request, progress, report);
  const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
  report.facts.emplace_back("seconds", std::round(10 * elapsed.count()) / 10);

  flags.json ? print_json(invocation.out, report) : print_text(invocation.out, report);
  if (flags.plot.empty()) return;
  write_png(flags.plot, draw_plots(report), {}, overwrite);
  if (!flags.json) invocation.out << '\n' << path_label(flags.plot) << '\n';
}

}  // namespace

// ebb eval MODEL: how good a trained model is. docs/evaluation.md explains the figures.
void add_eval(Command command, const Invocation& invocation) {
  auto flags = std::make_shared<Flags>();
  command
      .add_option("model", flags->model,
                  "Model file, the name of a pretrained model, or the output of ebb sample: "
                  "samples.npz, samples.safetensors, a directory of PNG files")
      .required()
      .takes(FlagValue::kModel);
  add_variant_flag(command, flags->variant);
  command
      .add_option("--data", flags->data,
                  "Directory of the four MNIST files ($EBB_DATA, else data/mnist)")
      .takes(FlagValue::kDirectory);
  command
      .add_option("--classifier,--judge", flags->classifier, "Classifier that scores the samples")
      .show_default()
      .takes(FlagValue::kModel);
  add_integer(command, "--samples", flags->samples, 2, 100'000, "Samples per setting (200)");
  add_integer(command, "--images", flags->images, 1, kMaxImages,
              "Test images, spread over the test set (denoiser: 2000; generative model used as a "
              "classifier: 200; classifier: 10000)");
  command
      .add_option("--cfg-scales", flags->guidance,
                  "Guidance scales of the samples, 0: without class (0,1,2,3,5,7)")
      .type_name("LIST")
      .list();
  command
      .add_option("--steps", flags->steps,
                  "Numbers of sampling steps, combined with every guidance scale (50)")
      .type_name("LIST")
      .list();
  add_choice(command, "--sampler", flags->sampler, sampler_names(),
             "Sampler (ddim or euler, by model)");
  add_integer(command, "--trials", flags->trials, 1, 10'000,
              "Noise levels per image when a generative model classifies (20)");
  command
      .add_option("--sigmas", flags->sigmas, "Noise levels of a denoiser (0,0.2,0.4,0.5,0.6,0.8,1)")
      .type_name("LIST")
      .list();
  add_integer(command, "-s,--seed", flags->seed, 0, ImageNoise::kMaxSeed,
              "Seed of the first image's noise; the next image uses seed + 1 (0)");
  add_integer(command, "--batch-size", flags->batch_size, 1, 4096, "Samples computed at once (50)");
  command.add_flag("--json", flags->json, "Print one JSON object instead of text")
      .group(kOutputGroup);
  command.add_option("--plot", flags->plot, "Also write plots of the results to this PNG file")
      .takes(FlagValue::kFile)
      .group(kOutputGroup);
  command.add_flag("--force", flags->force, "Overwrite an existing plot file").group(kOutputGroup);
  add_device_flags(command, flags->device);
  add_progress_flag(command, flags->progress);
  command.callback([flags, &invocation] { run(*flags, invocation); });
}

}  // namespace ebb
