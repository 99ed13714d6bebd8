#include "apps/ebb/sample_job.h"

#include <charconv>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <iostream>
#include <random>

#include "apps/cli/output_pattern.h"
#include "apps/cli/progress.h"
#include "base/stream.h"
#include "base/text.h"
#include "diffusion/conditioner.h"
#include "diffusion/find_model.h"

namespace ebb {
namespace {

constexpr const char* kAll = "all";

int64_t parse_class(const std::string& text) {
  int64_t label = -1;
  const char* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, label);
  EBB_CHECK(error == std::errc() && rest == end && label >= 0, UsageError, "--class ",
            terminal_safe(text), ": must be all or the number of a class, from 0");
  return label;
}

// What can be said of the flags before anything is loaded.
const SampleFlags& checked(const SampleFlags& flags) {
  if (!flags.label.empty() && flags.label != kAll) parse_class(flags.label);
  return flags;
}

std::unique_ptr<Context> open_context(const SampleFlags& flags) {
  auto context = make_context(flags.device);
  if (flags.profile) context->enable_profiler();
  return context;
}

}  // namespace

std::string class_text(int64_t label) { return label == kNoClass ? "" : cat("class ", label); }

int64_t square_columns(int64_t images) {
  return static_cast<int64_t>(std::ceil(std::sqrt(static_cast<double>(images))));
}

SampleJob::SampleJob(const SampleFlags& flags, const std::vector<std::string>& arguments)
    : flags_(checked(flags)),
      arguments_(arguments),
      context_(open_context(flags)),
      model_(load_model(*context_, find_model(flags.model))),
      first_seed_(flags.seed < 0 ? std::random_device()() : static_cast<uint64_t>(flags.seed)) {
  for (const std::string& warning : model_.warnings) std::cerr << "warning: " << warning << '\n';
  if (flags.seed < 0) {  // the last --seed counts
    arguments_.insert(arguments_.end(), {"--seed", std::to_string(first_seed_)});
  }
}

std::vector<int64_t> SampleJob::classes(int64_t images, const std::string& otherwise) const {
  const int64_t known = class_count(model_.network);
  const std::string label = path_label(model_.path);
  if (known == 0) {
    const NetworkInput* condition = condition_input(model_.network);
    EBB_CHECK(condition == nullptr, UsageError, "--model ", label, ": is conditioned on ",
              condition->shape, ", expected a class. This version draws with classes only.");
    EBB_CHECK(flags_.label.empty(), UsageError, "--class ", terminal_safe(flags_.label), ": ",
              label, " takes no class. Leave --class out or use another --model.");
    EBB_CHECK(flags_.prompt.empty(), UsageError, "--prompt ", terminal_safe(flags_.prompt), ": ",
              label, " takes no class. Leave --prompt out or use another --model.");
    EBB_CHECK(!flags_.cfg_given, UsageError, "--cfg-scale ", flags_.cfg_scale, ": ", label,
              " takes no class to guide to. Leave --cfg-scale out or use another --model.");
    return std::vector<int64_t>(static_cast<size_t>(images), kNoClass);
  }
  const std::string& wanted = flags_.label.empty() ? otherwise : flags_.label;
  const bool all = flags_.prompt.empty() && wanted == kAll;
  int64_t only = kNoClass;
  if (!flags_.prompt.empty()) {
    only = class_of(flags_.prompt, "--prompt");
  } else if (!all && !wanted.empty()) {
    only = parse_class(wanted);
    EBB_CHECK(only < known, UsageError, "--class ", only, ": must be 0..", known - 1,
              " or all, the classes of ", label);
  }
  std::vector<int64_t> labels;
  for (int64_t i = 0; i < images; ++i) labels.push_back(all ? i % known : only);
  return labels;
}

int64_t SampleJob::class_of(const std::string& prompt, const std::string& flag) const {
  const int64_t known = class_count(model_.network);
  const std::string label = path_label(model_.path);
  EBB_CHECK(known > 0, UsageError, flag, " ", terminal_safe(prompt), ": ", label,
            " takes no class. Use another --model.");
  const std::optional<int64_t> found = class_of_prompt(prompt);
  EBB_CHECK(found && *found < known, UsageError, flag, " ", terminal_safe(prompt),
            ": must name one of the classes 0..", known - 1, " of ", label,
            ", such as 7, seven or 'a photo of a seven'");
  return *found;
}

double SampleJob::cfg_scale() const {
  return class_count(model_.network) > 0 ? flags_.cfg_scale : 1;
}

Guidance SampleJob::guided_to(std::span<const int64_t> labels) const {
  return class_guidance(*context_, model_.network, labels, cfg_scale());
}

SamplerKind SampleJob::sampler() const {
  const SamplerKind natural =
      default_sampler(model_.objective, cat("--model ", path_label(model_.path)));
  if (flags_.sampler.empty()) return natural;
  const SamplerKind kind = parse_sampler(flags_.sampler, "--sampler");
  EBB_CHECK(fits(kind, model_.objective), UsageError, "--sampler ", flags_.sampler, ": ",
            path_label(model_.path), " was trained as ", to_string(model_.objective.type), ". Use ",
            natural == SamplerKind::kDdpm ? "ddpm, ddim or dpm++." : "euler or heun.");
  return kind;
}

// Steps that give good digits: the assignment's numbers for its own samplers.
int64_t SampleJob::default_steps(SamplerKind kind) const {
  constexpr int64_t kFewest = 20, kFew = 50, kFlowClass = 300;
  switch (kind) {
    case SamplerKind::kDdpm:
      return model_.objective.timesteps;
    case SamplerKind::kDdim:
      return std::min(kFew, model_.objective.timesteps);
    case SamplerKind::kDpmpp:
      return std::min(kFewest, model_.objective.timesteps);
    case SamplerKind::kEuler:
      return class_count(model_.network) > 0 ? kFlowClass : kFew;
    case SamplerKind::kHeun:
      return kFew;
  }
  throw Error("drawing: unknown sampler");
}

SamplingSchedule SampleJob::full_schedule() const {
  const SamplerKind kind = sampler();
  const int64_t most = model_.objective.timesteps;
  EBB_CHECK(model_.objective.type != ObjectiveType::kDdpm || flags_.steps <= most, UsageError,
            "--steps ", flags_.steps, ": must be 1..", most, ", the timesteps of ",
            path_label(model_.path));
  // Models of the assignment's first half walk its strided list, the others their own samplers'.
  if (flags_.steps == 0 && kind == SamplerKind::kDdpm && predicts_variance(model_.network)) {
    return ebb::assignment_schedule(model_.objective);
  }
  const int64_t steps = flags_.steps > 0 ? flags_.steps : default_steps(kind);
  return kind == SamplerKind::kDpmpp ? clipped_schedule(model_.objective, steps)
                                     : ebb::full_schedule(model_.objective, steps);
}

SamplingSchedule SampleJob::assignment_schedule(int64_t start) const {
  sampler();  // says that a one-step model cannot walk
  SamplingSchedule schedule = ebb::assignment_schedule(model_.objective);
  EBB_CHECK(start + 1 < static_cast<int64_t>(schedule.size()), UsageError, "--i-start ", start,
            ": must be 0..", schedule.size() - 2, ", entries of the strided list of ",
            path_label(model_.path));
  if (flags_.steps == 0) return {schedule.begin() + start, schedule.end()};
  const int64_t most = schedule[start].timestep + 1;
  EBB_CHECK(model_.objective.type != ObjectiveType::kDdpm || flags_.steps <= most, UsageError,
            "--steps ", flags_.steps, ": must be 1..", most, ", the timesteps of ",
            path_label(model_.path), " below --i-start ", start);
  return schedule_from(model_.objective, schedule[start], flags_.steps);
}

DdpmVariance SampleJob::variance(const SamplingSchedule& schedule) const {
  const bool learned = predicts_variance(model_.network);
  if (!flags_.variance.empty()) {
    EBB_CHECK(sampler() == SamplerKind::kDdpm, UsageError, "--variance ", flags_.variance,
              ": is of the sampler ddpm, this is ", to_string(sampler()), ". Leave it out.");
    const DdpmVariance variance = parse_variance(flags_.variance, "--variance");
    EBB_CHECK(learned || variance != DdpmVariance::kLearnedRange, UsageError, "--variance ",
              flags_.variance, ": ", path_label(model_.path),
              " predicts no variance. Use fixed_large or fixed_small.");
    return variance;
  }
  if (learned) return DdpmVariance::kLearnedRange;
  // A walk that ends in a noisy state keeps the noise of its last step: with wide strides and the
  // large variance that is visible.
  return schedule.back().one_minus_alpha_bar == 0 ? DdpmVariance::kFixedLarge
                                                  : DdpmVariance::kFixedSmall;
}

GenerateRequest SampleJob::request(int64_t images, const SamplingSchedule& schedule) const {
  GenerateRequest request;
  request.images = images;
  request.sampler = {.kind = sampler(), .variance = variance(schedule), .eta = flags_.eta};
  EBB_CHECK(!flags_.eta_given || request.sampler.kind == SamplerKind::kDdim, UsageError, "--eta ",
            flags_.eta, ": is of the sampler ddim, this is ", to_string(request.sampler.kind),
            ". Leave it out or add --sampler ddim.");
  request.schedule = schedule;
  request.first_seed = first_seed_;
  request.batch_size = flags_.batch_size;
  return request;
}

OutputFiles SampleJob::files(int64_t images, int64_t columns) const {
  const int64_t wanted = flags_.columns > 0 ? flags_.columns : columns;
  OutputFiles files{.output = flags_.output,
                    .grid = flags_.grid,
                    .columns = static_cast<int>(std::clamp<int64_t>(wanted, 1, images)),
                    .gif = std::nullopt,
                    .overwrite = flags_.force ? Overwrite::kReplace : Overwrite::kRefuse,
                    .rerun = {}};
  if (flags_.rerun.active()) {
    files.rerun = flags_.rerun;
    files.overwrite = Overwrite::kReplace;
    if (flags_.rerun.animation) files.gif = flags_.rerun.output;
    check_files(files, images, image());
    return files;
  }
  if (files.output.empty()) files.output = flags_.grid ? "out.png" : "out_%03d.png";
  if (flags_.gif) {
    const std::string first = OutputPattern(files.output, flags_.grid ? 1 : images).path(0);
    EBB_CHECK(!flags_.gif_file.empty() || !is_output_stream(first), UsageError,
              "--gif: no name to derive from -o ", path_label(first), ". Give it a file name.");
    files.gif = flags_.gif_file.empty()
                    ? std::filesystem::path(first).replace_extension(".gif").string()
                    : flags_.gif_file;
  }
  check_files(files, images, image());
  return files;
}

std::vector<float> SampleJob::generate(const GenerateRequest& request, const OutputFiles& files,
                                       const GenerateCallback& also) {
  const auto start = std::chrono::steady_clock::now();
  const int64_t moves = move_count(request);
  const int64_t batches = (request.images + request.batch_size - 1) / request.batch_size;
  ProgressBar progress(batches * moves);
  std::optional<FrameRecorder> recorder;
  if (files.gif) recorder.emplace(request.images, moves, image(), range());
  std::vector<float> values =
      ebb::generate(*context_, model_.network, model_.params, request,
                    [&](int64_t first, int64_t moves_done, const Tensor& x) {
                      if (recorder) recorder->record(first, moves_done, x);
                      if (also) also(first, moves_done, x);
                      progress.update(first / request.batch_size * moves + moves_done);
                    });
  progress.finish();
  seconds_ += std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  if (recorder) recorder->write(files, animation_provenance(request));
  return values;
}

Provenance SampleJob::animation_provenance(const GenerateRequest& request) const {
  const std::string prompt = flags_.label.empty() ? flags_.prompt : "class " + flags_.label;
  Provenance result = provenance(&request, prompt);
  for (int64_t i = 0; i < request.images; ++i) {
    result.seeds.push_back(request.first_seed + static_cast<uint64_t>(i));
  }
  return result;
}

std::optional<int64_t> SampleJob::only_image() const {
  const RerunFlags& rerun = flags_.rerun;
  if (!rerun.active() || rerun.animation || flags_.grid) return std::nullopt;
  return rerun.image;
}

Provenance SampleJob::provenance(const GenerateRequest* request, const std::string& prompt) const {
  Provenance provenance;
  provenance.version = program_version();
  provenance.argv = arguments_;
  provenance.model = flags_.model;
  provenance.model_sha256 = model_.sha256;
  provenance.prompt = prompt;
  if (request != nullptr) {
    provenance.sampler = to_string(request->sampler.kind);
    provenance.steps = static_cast<int>(step_count(request->schedule));
  }
  provenance.cfg_scale = cfg_scale();
  provenance.width = static_cast<int>(image()[1]);
  provenance.height = static_cast<int>(image()[0]);
  provenance.device = to_string(context_->device());
  provenance.dtype = to_string(context_->precision());
  provenance.rng = "philox";
  return provenance;
}

void SampleJob::print_summary(int64_t images, const GenerateRequest& request) const {
  std::cout << images << (images == 1 ? " image" : " images") << " in " << format_duration(seconds_)
            << ": " << to_string(request.sampler.kind) << ", " << step_count(request.schedule)
            << " steps, ";
  const bool is_guided = request.guidance.size() > 1;
  if (is_guided) std::cout << "guidance " << cfg_scale() << ", ";
  std::cout << to_string(context_->device()) << '\n';
  if (flags_.profile) std::cout << '\n' << context_->profiler()->table();
}

}  // namespace ebb
