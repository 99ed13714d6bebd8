#include "apps/ebb/sample_job.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <ostream>
#include <random>

#include "apps/cli/build_id.h"
#include "apps/cli/canonical_command.h"
#include "apps/cli/output_pattern.h"
#include "apps/cli/progress.h"
#include "apps/ebb/class_list.h"
#include "base/stream.h"
#include "base/text.h"
#include "diffusion/conditioner.h"
#include "diffusion/upscale.h"

namespace ebb {
namespace {

// Checks that need neither device nor model.
const SampleFlags& checked(const SampleFlags& flags) {
  if (!flags.label.empty() && flags.label != kAllClasses) parse_classes(flags.label);
  flags.progress.mode();
  return flags;
}

std::unique_ptr<Context> open_context(const SampleFlags& flags) {
  auto context = make_context(flags.device);
  if (flags.profile) context->enable_profiler();
  return context;
}

std::vector<uint64_t> seeds_of(const GenerateRequest& request) {
  std::vector<uint64_t> seeds;
  for (int64_t i = 0; i < request.images; ++i) {
    seeds.push_back(request.seed + static_cast<uint64_t>(i));
  }
  return seeds;
}

}  // namespace

int64_t square_columns(int64_t images) {
  return static_cast<int64_t>(std::ceil(std::sqrt(static_cast<double>(images))));
}

SampleJob::SampleJob(const SampleFlags& flags, const Invocation& invocation, bool enlarges)
    : flags_(checked(flags)),
      invocation_(invocation),
      results_(invocation.out, flags.json),
      arguments_(canonical_command(invocation.arguments)),
      progress_(invocation.progress.value_or(flags.progress.mode())),
      context_(open_context(flags)),
      model_(Model::load(*context_, flags.model, flags.variant)),
      first_seed_(flags.seed < 0 ? std::random_device()() : static_cast<uint64_t>(flags.seed)),
      enlarges_(enlarges) {
  const bool does_enlarge = model_.network.input(InputRole::kLowRes) != nullptr;
  const std::string label = cat("--model ", path_label(model_.path), ": ");
  EBB_CHECK(enlarges || !does_enlarge, UsageError, label, kEnlarges);
  EBB_CHECK(!enlarges || does_enlarge, UsageError, label,
            "makes images of its own, it enlarges none. Use a model of a second stage, such as "
            "DeepFloyd/IF-II-L-v1.0.");
  results_.set_seconds("load", results_.seconds());
  for (const std::string& warning : model_.warnings) err() << "warning: " << warning << '\n';
  if (flags.seed < 0) {  // the last --seed counts
    arguments_.insert(arguments_.end(), {"--seed", std::to_string(first_seed_)});
  }
}

Pipeline& SampleJob::pipeline() {
  if (pipeline_) return *pipeline_;
  PipelineOptions options{.sampler = flags_.sampler,
                          .steps = flags_.steps,
                          .variance = flags_.variance,
                          .preset = flags_.preset,
                          .batch_size = flags_.batch_size,
                          .enlarges = enlarges_,
                          .field_prefix = "--"};
  conditioner();
  options.conditioner = conditioner_;
  if (flags_.eta_given) options.eta = flags_.eta;
  if (!flags_.timestep_list.empty()) {
    options.timesteps =
        parse_integers(flags_.timestep_list, "--timestep-list", 0, kMaxTimesteps - 1);
  }
  return pipeline_.emplace(*context_, model_, options);
}

std::vector<int64_t> SampleJob::classes(int64_t images, const std::string& otherwise) {
  const std::vector<int64_t> turns = class_turns(otherwise);
  std::vector<int64_t> labels;
  for (size_t i = 0; i < static_cast<size_t>(images); ++i)
    labels.push_back(turns[i % turns.size()]);
  return labels;
}

Conditioner* SampleJob::conditioner() {
  if (!has_conditioner_) make_conditioner();
  has_conditioner_ = true;
  return conditioner_.get();
}

void SampleJob::make_conditioner() {
  const std::string label = path_label(model_.path);
  if (!reads_text()) {
    refuse_flag("--embeddings", !flags_.embeddings.empty(),
                cat("for ", label, ", which reads no text"));
    refuse_flag("--negative-prompt", !flags_.negative_prompt.empty(),
                cat("for ", label, ", which reads no text"));
    const NetworkInput* condition = model_.network.input(InputRole::kCondition);
    if (condition != nullptr && is_noise_level(*condition)) return;
    conditioner_ = ebb::make_conditioner(*context_, model_.network, cat("--model ", label));
    return;
  }
  for (const NetworkInput& input : model_.network.inputs) {
    const bool is_other = input.role == InputRole::kCondition && input.shape.rank() != 2;
    EBB_CHECK(!is_other || (enlarges_ && is_noise_level(input)), UsageError, "--model ", label,
              ": takes ", input.name, " besides a text, which ebb cannot give. Use another model.");
  }
  EBB_CHECK(
      !flags_.embeddings.empty(), UsageError, "--model ", label,
      ": reads text. Give its prompts with --embeddings FILE, as its text encoder left them.");
  PromptEmbeddings embeddings = read_prompt_embeddings(flags_.embeddings);
  if (text_input(model_.network)->shape[0] != embeddings.tokens) {
    model_.network = with_text_tokens(model_.network, embeddings.tokens);
  }
  embeddings_file_ = InputFile{flags_.embeddings, embeddings.sha256};
  conditioner_ = std::make_shared<EmbeddingConditioner>(*context_, model_.network,
                                                        std::move(embeddings), "--embeddings");
}

int64_t SampleJob::find_prompt(const std::string& prompt, const std::string& flag) {
  EBB_CHECK(conditioner() != nullptr, UsageError, flag, " ", terminal_safe(prompt), ": ",
            path_label(model_.path), " takes no class. Use another model.");
  const int64_t found = conditioner_->find(prompt, flag);
  check_class_flags();
  return found;
}

// For a model without a condition.
void SampleJob::refuse_condition_flags() const {
  const std::string label = path_label(model_.path);
  EBB_CHECK(flags_.label.empty(), UsageError, "--class ", terminal_safe(flags_.label), ": ", label,
            " takes no class. Leave --class out or use another --model.");
  EBB_CHECK(flags_.prompt.empty(), UsageError, "--prompt ", terminal_safe(flags_.prompt), ": ",
            label, " takes no class. Leave --prompt out or use another --model.");
  EBB_CHECK(!flags_.cfg_given, UsageError, "--cfg-scale ", flags_.cfg_scale, ": ", label,
            " takes no class to guide to. Leave --cfg-scale out or use another --model.");
}

// For a model whose condition is a class or a text.
void SampleJob::check_class_flags() const {
  const std::string label = path_label(model_.path);
  EBB_CHECK(!reads_text() || flags_.label.empty(), UsageError, "--class ",
            terminal_safe(flags_.label), ": ", label, " reads text. Use --prompt.");
  EBB_CHECK(conditioner_->has_none() || !flags_.cfg_given || flags_.cfg_scale == 1, UsageError,
            "--cfg-scale ", flags_.cfg_scale, ": ", label,
            " always needs a class, so there is nothing to guide away from. Leave it out.");
}

std::vector<int64_t> SampleJob::class_turns(const std::string& otherwise) {
  if (conditioner() == nullptr) {
    refuse_condition_flags();
    return {kNoClass};
  }
  check_class_flags();
  const std::string label = path_label(model_.path);
  if (!flags_.prompt.empty()) return {pipeline().label_of(flags_.prompt, "prompt")};
  const int64_t known = class_count(model_.network);
  std::string wanted = flags_.label.empty() ? otherwise : flags_.label;
  if (flags_.prompt_given || reads_text()) wanted.clear();
  constexpr int64_t kFew = 10;
  const bool is_many = flags_.label.empty() && wanted == kAllClasses && known > kFew;
  EBB_CHECK(conditioner_->has_none() || (!wanted.empty() && wanted != kNoneOfClasses && !is_many),
            UsageError, "--model ", label, ": makes images of one of its classes 0..", known - 1,
            ", never without. Choose with --class.");
  if (wanted.empty()) return {kNoClass};
  std::vector<int64_t> turns;
  if (wanted == kAllClasses) {
    for (int64_t i = 0; i < known; ++i) turns.push_back(i);
    return turns;
  }
  turns = parse_classes(wanted);
  for (const int64_t turn : turns) {
    EBB_CHECK(turn < known, UsageError, "--class ", turn, ": must be 0..", known - 1,
              " or all, the classes of ", label);
  }
  return turns;
}

double SampleJob::cfg_scale() const {
  constexpr double kClassScale = 5;  // of the assignment
  if (flags_.cfg_given) return flags_.cfg_scale;
  if (reads_text()) return text_scale_;
  const NetworkInput* condition = model_.network.input(InputRole::kCondition);
  const bool has_none = class_count(model_.network) > 0 && condition->dtype == DType::kF32;
  return has_none ? kClassScale : 1;
}

int64_t SampleJob::negative() {
  return flags_.negative_prompt.empty() ? kNoClass
                                        : find_prompt(flags_.negative_prompt, "--negative-prompt");
}

Guidance SampleJob::guided_to(std::span<const int64_t> labels) {
  if (conditioner() == nullptr) return {GuidanceTerm{}};
  return guidance_by(*conditioner_, labels, cfg_scale(), negative());
}

std::string SampleJob::text_of(int64_t label) {
  return label == kNoClass || conditioner() == nullptr ? "" : conditioner_->text(label);
}

std::string SampleJob::shared_text(std::span<const int64_t> labels) {
  const bool differ =
      std::adjacent_find(labels.begin(), labels.end(), std::not_equal_to<>()) != labels.end();
  return differ ? "" : figure_text(text_of(labels.front()));
}

std::string SampleJob::image_label(std::span<const int64_t> labels, int64_t k,
                                   uint64_t first_seed) {
  const std::string seed = cat("seed ", first_seed + static_cast<uint64_t>(k));
  const bool differ = shared_text(labels).empty() && labels[k] != kNoClass;
  return differ ? cat(figure_text(text_of(labels[k])), ", ", seed) : seed;
}

SamplingSchedule SampleJob::assignment_schedule(int64_t start) {
  pipeline();  // reports a one-step model, which has no schedule
  refuse_flag("--timestep-list", !flags_.timestep_list.empty(),
              "with --i-start, an entry of the assignment's list");
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

SamplingSchedule SampleJob::strength_schedule(double strength) {
  const SamplingSchedule schedule = pipeline().schedule();
  const int64_t steps = step_count(schedule);
  const auto kept = static_cast<int64_t>(static_cast<double>(steps) * strength);
  EBB_CHECK(kept >= 1, UsageError, "--strength ", strength, ": leaves none of the ", steps,
            " steps. Raise it or --steps.");
  return {schedule.end() - 1 - std::min(kept, steps), schedule.end()};
}

bool SampleJob::is_as_pipeline() const {
  if (!flags_.preset.empty()) return flags_.preset != kCoursePreset;
  return !flags_.timestep_list.empty() && model_.objective.type == ObjectiveType::kDdpm;
}

void SampleJob::set_pipeline_defaults(int64_t steps, double text_scale) {
  if (!is_as_pipeline()) return;
  text_scale_ = text_scale;
  if (flags_.preset == kPipelinePreset && flags_.steps == 0 && flags_.timestep_list.empty()) {
    flags_.steps = std::min(steps, model_.objective.timesteps);
  }
}

GenerateRequest SampleJob::request(int64_t images, const SamplingSchedule& schedule) {
  return {.images = images,
          .guidance_scale = cfg_scale(),
          .negative = negative(),
          .seed = first_seed_,
          .schedule = schedule.empty() ? pipeline().schedule() : schedule};
}

OutputFiles SampleJob::files(int64_t images, int64_t columns, const std::string& motion) const {
  const int64_t wanted = flags_.columns > 0 ? flags_.columns : columns;
  const RerunTarget& rerun = invocation_.rerun;
  OutputFiles files{.output = flags_.output,
                    .grid = flags_.grid,
                    .columns = static_cast<int>(std::clamp<int64_t>(wanted, 1, images)),
                    .gif = std::nullopt,
                    .motion = std::nullopt,
                    .motion_kind = motion,
                    .overwrite = flags_.force ? Overwrite::kReplace : Overwrite::kRefuse,
                    .rerun = rerun,
                    .metadata = !flags_.no_metadata};
  set_scales(files, image(), flags_.scale);
  if (keeps_size_ && flags_.scale == 0) files.image_scale = 1;
  if (rerun.active()) {
    files.overwrite = Overwrite::kReplace;
    if (rerun.animation) (rerun.moves.empty() ? files.gif : files.motion) = rerun.output;
    check_files(files, images, image());
    out() << input_note_;
    return files;
  }
  if (files.output.empty()) files.output = flags_.grid ? "out.png" : "out_%03d.png";
  if (flags_.gif) files.gif = gif_path(files.output, images);
  if (!flags_.motion_file.empty()) {
    files.motion = flags_.motion_file;
    results_.check_output(files.motion_flag(), *files.motion);
  }
  results_.check_output("-o", files.output);
  check_files(files, images, image());
  out() << input_note_;
  return files;
}

std::string SampleJob::gif_path(const std::string& output, int64_t images) const {
  const std::string first = OutputPattern(output, flags_.grid ? 1 : images).path(0);
  EBB_CHECK(!flags_.gif_file.empty() || !is_output_stream(first), UsageError,
            "--gif: no name to derive from -o ", path_label(first), ". Give it a file name.");
  const std::string path = flags_.gif_file.empty()
                               ? std::filesystem::path(first).replace_extension(".gif").string()
                               : flags_.gif_file;
  results_.check_output("--gif", path);
  return path;
}

TensorMap SampleJob::params() {
  if (!releases_weights_) return model_.params;
  pipeline_.reset();  // it has them too
  return std::move(model_.params);
}

std::vector<float> SampleJob::generate(const GenerateRequest& request, const OutputFiles& files,
                                       const std::function<void(const GenerateStep&)>& on_step) {
  const auto start = std::chrono::steady_clock::now();
  const int64_t steps = pipeline().step_count(request);
  const int64_t batches = (request.images + flags_.batch_size - 1) / flags_.batch_size;
  progress_.begin(batches * steps, {.name = "step"});
  std::optional<FrameRecorder> recorder;
  if (files.gif) recorder.emplace(seeds_of(request), steps, image(), range());
  const auto after_step = [&](const GenerateStep& step) {
    if (recorder) recorder->record(step.first_image, step.step, step.x);
    if (on_step) on_step(step);
    progress_.update(step.first_image / flags_.batch_size * steps + step.step);
    return true;
  };
  if (releases_weights_) model_.params.clear();  // the pipeline has them too
  std::vector<float> values = releases_weights_
                                  ? std::move(pipeline()).generate_values(request, after_step)
                                  : pipeline().generate_values(request, after_step);
  progress_.finish();
  seconds_ += std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  if (recorder) recorder->write(results_, files, animation_provenance(request));
  return values;
}

std::vector<float> SampleJob::generate_block(const GenerateRequest& request, int64_t done,
                                             int64_t all) {
  const auto start = std::chrono::steady_clock::now();
  const int64_t steps = pipeline().step_count(request);
  if (done == 0) progress_.begin(all, {.name = "image"});
  std::vector<float> values = pipeline().generate_values(request, [&](const GenerateStep& step) {
    const int64_t finished = step.x.shape()[0] * step.step / steps;
    progress_.update(done + step.first_image + finished);
    return true;
  });
  if (done + request.images == all) progress_.finish();
  seconds_ += std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return values;
}

Provenance SampleJob::animation_provenance(const GenerateRequest& request) const {
  const bool by_class = !flags_.label.empty() && flags_.label != kNoneOfClasses;
  const std::string prompt = by_class ? "class " + flags_.label : flags_.prompt;
  Provenance result = provenance(&request, prompt);
  result.seeds = seeds_of(request);
  return result;
}

std::optional<int64_t> SampleJob::only_image() const {
  const RerunTarget& rerun = invocation_.rerun;
  if (!rerun.active() || rerun.animation || flags_.grid) return std::nullopt;
  return rerun.image;
}

Provenance SampleJob::provenance(const GenerateRequest* request, const std::string& prompt) const {
  Provenance provenance;
  provenance.version = program_version();
  provenance.build = build_commit();
  provenance.argv = arguments_;
  provenance.legacy_key = invocation_.rerun.legacy_key;
  provenance.model = flags_.model;
  provenance.model_sha256 = model_.sha256;
  provenance.prompt = prompt;
  if (request != nullptr) provenance.negative_prompt = flags_.negative_prompt;
  if (embeddings_file_) provenance.inputs = {*embeddings_file_};
  if (request != nullptr) {
    provenance.sampler = to_string(pipeline_->sampler());
    provenance.steps = static_cast<int>(step_count(request->schedule));
  }
  provenance.cfg_scale = cfg_scale();
  provenance.width = static_cast<int>(image()[1]);
  provenance.height = static_cast<int>(image()[0]);
  provenance.device = to_string(context_->device());
  provenance.dtype = to_string(context_->precision());
  provenance.rng = "philox";
  if (request != nullptr) provenance.denoising_strength = denoising_strength(*request);
  results_.set_command(provenance);
  return provenance;
}

void SampleJob::print_summary(int64_t images, const GenerateRequest& request) {
  out() << images << (images == 1 ? " image" : " images") << " in " << format_duration(seconds_)
        << ": " << to_string(pipeline().sampler()) << ", " << step_count(request.schedule)
        << " steps, ";
  const bool is_guided = pipeline().guidance(request).size() > 1;
  if (is_guided) out() << "guidance " << cfg_scale() << ", ";
  out() << to_string(context_->device()) << '\n';
  if (flags_.profile) {
    (results_.as_json() ? err() : out()) << '\n' << context_->profiler()->table();
  }
  results_.set("images", images);
  results_.set_seconds("sample", seconds_);
  print_results();
}

void SampleJob::print_results() { results_.print(); }

double SampleJob::denoising_strength(const GenerateRequest& request) const {
  if (!request.start.defined()) return 0;
  return static_cast<double>(scale_time(objective(), request.schedule.front())) / kScale;
}

}  // namespace ebb
