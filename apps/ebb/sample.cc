#include <memory>

#include "apps/ebb/commands.h"
#include "apps/ebb/sample_job.h"

namespace ebb {
namespace {

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

void run(const SampleFlags& flags, const Invocation& invocation) {
  SampleJob job(flags, invocation);
  const std::vector<int64_t> turns = job.class_turns("all");
  const auto several = static_cast<int64_t>(turns.size());
  const int64_t images = flags.count > 0 ? flags.count : several;
  std::vector<int64_t> labels = job.classes(images, "all");
  const std::string all_text = text_of_all(job, flags, turns);
  const int64_t columns =
      job.early() ? (several > 1 ? several : square_columns(images)) : columns_of(images, several);
  const OutputFiles files = job.files(images, columns);
  check_grid(files, images, job.image(), job.first_seed() + static_cast<uint64_t>(images) - 1);
  GenerateRequest request = job.request(images);
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
  write_images(job.results(), files, generated, job.provenance(&request, all_text));
  job.print_summary(request.images, request);
}

}  // namespace

// `ebb sample`: generates images with a trained model.
void add_sample(Command command, const Invocation& invocation) {
  auto flags = std::make_shared<SampleFlags>();
  command.bare_word("--class");
  add_sample_flags(command, *flags, {.count = "Images to generate (one per class, or one)"},
                   [flags, &invocation] { run(*flags, invocation); });
}

}  // namespace ebb
