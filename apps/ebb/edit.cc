#include <memory>

#include "apps/ebb/commands.h"
#include "apps/ebb/image_start.h"
#include "apps/ebb/sample_job.h"
#include "image/labeled_grid.h"

namespace ebb {
namespace {

struct Flags {
  SampleFlags job;
  InputFlags input;
  std::string i_start = "1,3,5,7,10,20";  // of the assignment
};

void run(const Flags& flags, const Invocation& invocation) {
  const std::vector<int64_t> starts = parse_integers(flags.i_start, "--i-start", 0, 32);
  EBB_CHECK(!flags.job.gif || starts.size() == 1, UsageError, "--gif: animates one start, but ",
            starts.size(), " are given by --i-start. Give one.");
  SampleJob job(flags.job, invocation);
  const StartImage start = read_start(job, flags.input);
  const int64_t each = std::max<int64_t>(flags.job.count, 1);
  const auto levels = static_cast<int64_t>(starts.size());
  const std::vector<int64_t> labels = job.classes(each, "");
  std::vector<GenerateRequest> requests;
  for (const int64_t i : starts) {
    requests.push_back(job.request(each, job.assignment_schedule(i)));
    requests.back().labels = labels;
    requests.back().start = start.tensor;
  }
  const OutputFiles files = job.files(each * levels, levels + 1);
  GridLabels grid{.title = "", .columns = {}, .rows = {}};
  if (!files.early()) {
    grid.title = shared_class(labels);
    for (int64_t k = 0; k < each; ++k) {
      grid.rows.push_back(image_label(labels, k, job.first_seed()));
    }
  }
  check_figure(files, job.image(), levels + 1, each, {"", {"original"}, grid.rows});

  std::vector<GeneratedImage> generated;
  for (size_t l = 0; l < starts.size(); ++l) {
    const std::vector<Image> images = images_of(job, job.generate(requests[l], files));
    const std::string t = scale_text(job.objective(), requests[l].schedule.front());
    grid.columns.push_back(cat("i=", starts[l]));
    for (int64_t k = 0; k < each; ++k) {
      generated.push_back({.image = images[k],
                           .seed = job.first_seed() + static_cast<uint64_t>(k),
                           .prompt = class_text(labels[k]),
                           .note = cat("i_start ", starts[l], ", t = ", t),
                           .steps = static_cast<int>(step_count(requests[l].schedule)),
                           .denoising_strength = job.denoising_strength(requests[l])});
    }
  }
  Provenance provenance = job.provenance(&requests.front(), class_text(labels.front()));
  provenance.inputs = {start.image.file};
  if (!files.grid) {
    write_images(job.results(), files, generated, provenance);
  } else {
    // A row for each seed: from much noise to little, and the original.
    if (levels > 1) provenance.denoising_strength = 0;
    std::vector<Image> cells;
    grid.columns.emplace_back("original");
    for (int64_t k = 0; k < each; ++k) {
      for (int64_t l = 0; l < levels; ++l) cells.push_back(generated[l * each + k].image);
      cells.push_back(start.image.image);
      provenance.seeds.push_back(job.first_seed() + static_cast<uint64_t>(k));
    }
    write_figure(job.results(), files, cells, levels + 1, grid, provenance);
  }
  job.print_summary(each * levels, requests.front());
}

}  // namespace

// `ebb edit`: adds chosen levels of noise to an image and denoises it (SDEdit, Meng et al. 2022):
// sketches become digits, digits become others.
void add_edit(Command command, const Invocation& invocation) {
  auto flags = std::make_shared<Flags>();
  add_input_flags(command, flags->input);
  command
      .add_option("--i-start", flags->i_start,
                  "Entries of the strided timesteps to start from, 0 (most noise) to 32 "
                  "(1,3,5,7,10,20)")
      .type_name("LIST")
      .list();
  add_sample_flags(command, flags->job,
                   {.count = "Images per start (1)",
                    .steps = "Sampling steps from the start to the clean image (as in the "
                             "strided list of timesteps)"},
                   [flags, &invocation] { run(*flags, invocation); });
}

}  // namespace ebb
