#include "diffusion/commands/sample.h"

#include <charconv>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <iostream>
#include <memory>
#include <random>

#include "diffusion/cli.h"
#include "diffusion/commands/sample_output.h"
#include "diffusion/find_model.h"
#include "diffusion/model_file.h"
#include "diffusion/output_pattern.h"
#include "diffusion/progress.h"
#include "engine/backend.h"
#include "engine/base/text.h"

namespace ebb {
namespace {

constexpr int64_t kMaxSeed = ImageNoise::kMaxSeed;
constexpr double kCfgScale = 5;  // of the assignment

struct Flags {
  std::string model = "mnist-class";
  std::string label;  // --class; empty: all
  int64_t count = 0;  // 0: one of each class, or one
  int64_t steps = 0;  // 0: by sampler and model
  std::string sampler;
  double cfg_scale = kCfgScale;
  bool cfg_given = false;
  int64_t seed = 42;
  std::string output;
  bool grid = false;
  int64_t columns = 0;  // 0: one per class, or square
  bool gif = false;
  std::string gif_file;
  DeviceFlags device;
  int64_t batch_size = 64;
  bool profile = false;
  bool force = false;
};

int64_t class_count(const Network& network) {
  return network.has_input("c") ? network.inputs.back().shape[0] : 0;
}

bool wants_all(const Flags& flags) { return flags.label.empty() || flags.label == "all"; }

int64_t parse_class(const std::string& text) {
  int64_t label = -1;
  const char* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, label);
  EBB_CHECK(error == std::errc() && rest == end && label >= 0, UsageError, "--class ",
            terminal_safe(text), ": must be all or the number of a class, from 0");
  return label;
}

// One class per picture.
std::vector<int64_t> choose_classes(const Flags& flags, const LoadedModel& model) {
  const int64_t classes = class_count(model.network);
  if (classes == 0) {
    EBB_CHECK(flags.label.empty(), UsageError, "--class ", terminal_safe(flags.label), ": ",
              path_label(model.path), " takes no class. Leave --class out or use another --model.");
    EBB_CHECK(!flags.cfg_given, UsageError, "--cfg-scale ", flags.cfg_scale, ": ",
              path_label(model.path),
              " takes no class to guide to. Leave --cfg-scale out or use another --model.");
    return std::vector<int64_t>(std::max<int64_t>(flags.count, 1), kNoClass);
  }
  const bool all = wants_all(flags);
  const int64_t count = flags.count > 0 ? flags.count : (all ? classes : 1);
  std::vector<int64_t> labels;
  const int64_t only = all ? kNoClass : parse_class(flags.label);
  EBB_CHECK(only < classes, UsageError, "--class ", only, ": must be 0..", classes - 1,
            " or all, the classes of ", path_label(model.path));
  for (int64_t i = 0; i < count; ++i) labels.push_back(all ? i % classes : only);
  return labels;
}

// Steps that give good digits: the assignment's numbers for its own samplers.
int64_t default_steps(SamplerKind kind, const LoadedModel& model) {
  constexpr int64_t kFew = 50, kFlowClass = 300;
  switch (kind) {
    case SamplerKind::kDdpm:
      return model.objective.timesteps;
    case SamplerKind::kDdim:
      return std::min(kFew, model.objective.timesteps);
    case SamplerKind::kEuler:
      return model.network.has_input("c") ? kFlowClass : kFew;
    case SamplerKind::kHeun:
      return kFew;
  }
  throw Error("sample: unknown sampler");
}

SamplerKind choose_sampler(const Flags& flags, const LoadedModel& model) {
  const std::string where = cat("--model ", path_label(model.path));
  const SamplerKind natural = default_sampler(model.objective, where);
  if (flags.sampler.empty()) return natural;
  const SamplerKind kind = parse_sampler(flags.sampler, "--sampler");
  EBB_CHECK(fits(kind, model.objective), UsageError, "--sampler ", flags.sampler, ": ",
            path_label(model.path), " was trained as ", to_string(model.objective.type), ". Use ",
            natural == SamplerKind::kDdpm ? "ddpm or ddim." : "euler or heun.");
  return kind;
}

int64_t choose_steps(const Flags& flags, SamplerKind kind, const LoadedModel& model) {
  if (flags.steps == 0) return default_steps(kind, model);
  const int64_t most = model.objective.timesteps;
  EBB_CHECK(model.objective.type != ObjectiveType::kDdpm || flags.steps <= most, UsageError,
            "--steps ", flags.steps, ": must be 1..", most, ", the timesteps of ",
            path_label(model.path));
  return flags.steps;
}

GenerateRequest make_request(const Flags& flags, const LoadedModel& model) {
  GenerateRequest request;
  request.sampler = choose_sampler(flags, model);
  request.steps = choose_steps(flags, request.sampler, model);
  request.classes = choose_classes(flags, model);
  request.cfg_scale = model.network.has_input("c") ? flags.cfg_scale : 1;
  request.first_seed = flags.seed < 0 ? std::random_device()() : static_cast<uint64_t>(flags.seed);
  request.batch_size = flags.batch_size;
  return request;
}

// One column per class when every class is drawn, else as square as it gets.
int choose_columns(const Flags& flags, const LoadedModel& model, int64_t pictures) {
  const int64_t classes = class_count(model.network);
  const bool all = classes > 0 && wants_all(flags);
  const auto side = static_cast<int64_t>(std::ceil(std::sqrt(static_cast<double>(pictures))));
  const int64_t natural = all ? classes : side;
  return static_cast<int>(std::min(flags.columns > 0 ? flags.columns : natural, pictures));
}

SampleFiles choose_files(const Flags& flags, const LoadedModel& model, int64_t pictures) {
  SampleFiles files{.output = flags.output,
                    .grid = flags.grid,
                    .columns = choose_columns(flags, model, pictures),
                    .gif = std::nullopt,
                    .overwrite = flags.force ? Overwrite::kReplace : Overwrite::kRefuse};
  if (files.output.empty()) files.output = flags.grid ? "out.png" : "out_%03d.png";
  if (flags.gif) {
    const std::string first = OutputPattern(files.output, flags.grid ? 1 : pictures).path(0);
    files.gif = flags.gif_file.empty()
                    ? std::filesystem::path(first).replace_extension(".gif").string()
                    : flags.gif_file;
  }
  return files;
}

Provenance describe(const Flags& flags, const std::vector<std::string>& arguments,
                    const LoadedModel& model, const GenerateRequest& request,
                    const Context& context) {
  Provenance provenance;
  provenance.version = program_version();
  provenance.argv = arguments;
  if (flags.seed < 0) {  // the last --seed counts
    provenance.argv.insert(provenance.argv.end(), {"--seed", std::to_string(request.first_seed)});
  }
  provenance.model = model.path;
  provenance.model_sha256 = model.sha256;
  if (model.network.has_input("c")) {
    provenance.prompt =
        flags.label.empty() || flags.label == "all" ? "all classes" : cat("class ", flags.label);
  }
  provenance.sampler = to_string(request.sampler);
  provenance.steps = static_cast<int>(request.steps);
  provenance.cfg_scale = request.cfg_scale;
  provenance.width = static_cast<int>(model.network.inputs[0].shape[1]);
  provenance.height = static_cast<int>(model.network.inputs[0].shape[0]);
  provenance.device = to_string(context.device());
  provenance.dtype = to_string(DType::kF32);
  provenance.rng = "philox";
  return provenance;
}

void run(const Flags& flags, const std::vector<std::string>& arguments) {
  if (!wants_all(flags)) parse_class(flags.label);  // before anything is loaded
  const auto context = make_context(flags.device.device, static_cast<int>(flags.device.threads));
  if (flags.profile) context->enable_profiler();
  const LoadedModel model = load_model(*context, find_model(flags.model));
  for (const std::string& warning : model.warnings) std::cerr << "warning: " << warning << '\n';
  const GenerateRequest request = make_request(flags, model);
  const auto pictures = static_cast<int64_t>(request.classes.size());
  const SampleFiles files = choose_files(flags, model, pictures);
  check_files(files, pictures);

  const auto start = std::chrono::steady_clock::now();
  const Shape image = model.network.inputs[0].shape;
  const int64_t batches = (pictures + request.batch_size - 1) / request.batch_size;
  ProgressBar progress(batches * request.steps);
  std::optional<FrameRecorder> recorder;
  if (files.gif) recorder.emplace(pictures, request.steps, image);
  const std::vector<float> values =
      generate(*context, model.network, model.objective, model.params, request,
               [&](int64_t first, int64_t steps_done, const Tensor& x) {
                 if (recorder) recorder->record(first, steps_done, x);
                 progress.update(first / request.batch_size * request.steps + steps_done);
               });
  progress.finish();
  const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;

  write_pictures(files, to_images(values, image), request,
                 describe(flags, arguments, model, request, *context));
  if (recorder) recorder->write(files);
  std::cout << pictures << (pictures == 1 ? " picture" : " pictures") << " in "
            << format_duration(elapsed.count()) << ": " << to_string(request.sampler) << ", "
            << request.steps << " steps, guidance " << request.cfg_scale << ", "
            << to_string(context->device()) << '\n';
  if (flags.profile) std::cout << '\n' << context->profiler()->table();
}

}  // namespace

void add_sample_command(CLI::App& app, const std::vector<std::string>& arguments) {
  auto flags = std::make_shared<Flags>();
  CLI::App* command = app.add_subcommand("sample", "Draw pictures with a trained model");
  command->add_option("--model", flags->model, "Model file, or the name of a pretrained model")
      ->capture_default_str();
  command->add_option("--class", flags->label, "Digit 0..9, or all: one after the other")
      ->type_name("CLASS");
  add_integer(*command, "-b,--batch-count", flags->count, 1, 100'000,
              "Pictures to draw (one of each class, or one)");
  add_integer(*command, "--steps,--num-inference-steps", flags->steps, 1, 100'000,
              "Sampling steps (ddpm: all timesteps; ddim, heun: 50; euler: 50, with classes 300)");
  add_choice(*command, "--sampler", flags->sampler, {"ddpm", "ddim", "euler", "heun"},
             "How to walk from noise to picture (ddpm or euler, by model)");
  CLI::Option* cfg = add_number(*command, "--cfg-scale,--guidance-scale", flags->cfg_scale, 0, 100,
                                "Guidance towards the class, 1: none (5)");
  add_integer(*command, "-s,--seed", flags->seed, -kMaxSeed, kMaxSeed,
              "Seed of the first picture, the next has seed + 1; negative: random (42)")
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  command->add_option("-o,--output", flags->output,
                      "PNG file, with %03d for the picture's number (out_%03d.png)");
  CLI::Option* grid =
      command->add_flag("--grid", flags->grid, "All pictures in one file (out.png)");
  add_integer(*command, "--grid-cols", flags->columns, 1, 1000,
              "Columns of the grid (one per class, or square)")
      ->needs(grid);
  CLI::Option* gif = command
                         ->add_option("--gif", flags->gif_file,
                                      "Also animate the denoising (the picture's name with .gif)")
                         ->expected(0, 1);
  add_device_flags(*command, flags->device);
  add_integer(*command, "--batch-size", flags->batch_size, 1, 4096,
              "Pictures computed at once (64)");
  command->add_flag("--profile", flags->profile, "Print time by kernel and by layer");
  command->add_flag("--force", flags->force, "Replace existing files");
  command->callback([flags, cfg, gif, &arguments] {
    flags->cfg_given = cfg->count() > 0;
    flags->gif = gif->count() > 0;
    run(*flags, arguments);
  });
}

}  // namespace ebb
