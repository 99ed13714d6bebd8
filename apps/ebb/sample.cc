#include <memory>

#include "apps/ebb/commands.h"
#include "apps/ebb/sample_job.h"
#include "apps/ebb/sample_parts.h"

namespace ebb {
namespace {

struct Flags {
  SampleFlags sample;
  ShareFlags share;
};

std::string text_of_all(SampleJob& job, const SampleFlags& flags,
                        const std::vector<int64_t>& turns) {
  if (turns.size() == 1) return job.text_of(turns.front());
  return flags.label.empty() || flags.label == "all" ? "all classes" : "classes " + flags.label;
}

// Rows of ten where they are full, whether the model knows ten classes or none.
int64_t columns_of(int64_t images, int64_t classes) {
  constexpr int64_t kRow = 10;
  if (classes > 1) return classes;
  return images % kRow == 0 ? kRow : square_columns(images);
}

SamplePlan make_plan(SampleJob& job, const SampleFlags& flags) {
  const std::vector<int64_t> turns = job.class_turns("all");
  const auto several = static_cast<int64_t>(turns.size());
  SamplePlan plan{.images = flags.count > 0 ? flags.count : several, .labels = {}, .text = {}};
  plan.labels = job.classes(plan.images, "all");
  plan.text = text_of_all(job, flags, turns);
  plan.columns = job.early() ? (several > 1 ? several : square_columns(plan.images))
                             : columns_of(plan.images, several);
  return plan;
}

// All images at once.
void draw_all(SampleJob& job, const SamplePlan& plan) {
  std::vector<int64_t> labels = plan.labels;
  const OutputFiles files = job.files(plan.images, plan.columns);
  check_grid(files, plan.images, job.image(),
             job.first_seed() + static_cast<uint64_t>(plan.images) - 1);
  GenerateRequest request = job.request(plan.images);
  if (const std::optional<int64_t> only = job.only_image()) {
    labels = {labels[static_cast<size_t>(*only)]};
    request.images = 1;
    request.seed += static_cast<uint64_t>(*only);
  }
  request.labels = labels;
  job.release_weights();

  const std::vector<Image> results =
      to_images(job.generate(request, files), job.image(), job.range());
  std::vector<GeneratedImage> generated;
  for (int64_t i = 0; i < request.images; ++i) {
    generated.push_back({.image = results[i],
                         .seed = request.seed + static_cast<uint64_t>(i),
                         .prompt = job.text_of(labels[i]),
                         .note = ""});
  }
  write_images(job.results(), files, generated, job.provenance(&request, plan.text));
  job.print_summary(request.images, request);
}

void run(const Flags& flags, Invocation invocation) {
  const bool is_rerun = invocation.rerun.active();
  const SampleShare share = is_rerun ? SampleShare{} : read_share(flags.share);
  const bool in_parts = !is_rerun && draws_parts(flags.sample, flags.share, share);
  // One of several processes on a terminal shows how far they are.
  if (share.launched && share.part > 0) invocation.progress = ProgressMode::kNone;
  SampleFlags sample = flags.sample;
  // Other processes may have written their files already; a process checks its own.
  sample.force |= in_parts;
  share_machine(share, sample.device);
  SampleJob job(sample, invocation);
  const SamplePlan plan = make_plan(job, flags.sample);
  in_parts ? draw_parts(job, flags.sample, flags.share, share, plan) : draw_all(job, plan);
}

}  // namespace

// `ebb sample`: generates images with a trained model.
void add_sample(Command command, const Invocation& invocation) {
  auto flags = std::make_shared<Flags>();
  command.bare_word("--class");
  add_sample_flags(command, flags->sample,
                   {.count = "Images to generate (one per class, or one)",
                    .output = "PNG file, with %03d for the image number (out_%03d.png), or one "
                              "file of all images, .npz or .safetensors"},
                   [flags, &invocation] { run(*flags, invocation); });
  add_share_flags(command, flags->share);
}

}  // namespace ebb
