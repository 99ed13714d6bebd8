#include "apps/ebb/sample.h"

#include <memory>

#include "apps/ebb/sample_job.h"
#include "diffusion/conditioner.h"

namespace ebb {
namespace {

void run(const SampleFlags& flags, const std::vector<std::string>& arguments) {
  SampleJob job(flags, arguments);
  const SamplingSchedule schedule = job.full_schedule();
  const int64_t known = class_count(job.model().network);
  const bool all =
      known > 0 && flags.prompt.empty() && (flags.label.empty() || flags.label == "all");
  const int64_t images = flags.count > 0 ? flags.count : all ? known : 1;
  std::vector<int64_t> labels = job.classes(images, "all");
  const std::string all_text = all ? "all classes" : class_text(labels[0]);
  const OutputFiles files = job.files(images, all ? known : square_columns(images));
  check_grid(files, images, job.image());
  GenerateRequest request = job.request(images, schedule);
  if (const std::optional<int64_t> only = job.only_image()) {
    labels = {labels[static_cast<size_t>(*only)]};
    request.images = 1;
    request.first_seed += static_cast<uint64_t>(*only);
  }
  request.guidance = job.guided_to(labels);

  const std::vector<Image> results =
      to_images(job.generate(request, files), job.image(), job.range());
  std::vector<GeneratedImage> generated;
  for (int64_t i = 0; i < request.images; ++i) {
    generated.push_back({.image = results[i],
                         .seed = request.first_seed + static_cast<uint64_t>(i),
                         .prompt = class_text(labels[i]),
                         .note = ""});
  }
  write_images(files, generated, job.provenance(&request, all_text));
  job.print_summary(request.images, request);
}

}  // namespace

void add_sample_command(Command program, const std::vector<std::string>& arguments) {
  auto flags = std::make_shared<SampleFlags>();
  Command command = program.add_subcommand("sample", "Draw images with a trained model");
  add_sample_flags(command, *flags, {.count = "Images to draw (one of each class, or one)"},
                   [flags, &arguments] { run(*flags, arguments); });
}

}  // namespace ebb
