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
  std::string strength = "0.7";           // of diffusers' IFImg2ImgPipeline
  bool i_start_given = false, strength_given = false;
};

// A start: its name in figures and on lines, and the way from there.
struct Start {
  std::string title, note;
  SamplingSchedule schedule;
};

bool is_by_strength(const Flags& flags, const SampleJob& job) {
  const bool has_list = job.is_as_pipeline() || !flags.job.timestep_list.empty();
  return flags.strength_given || (!flags.i_start_given && has_list);
}

std::vector<double> strengths_of(const Flags& flags) {
  return parse_numbers(flags.strength, "--strength", 0, 1);
}

std::vector<int64_t> i_starts_of(const Flags& flags) {
  return parse_integers(flags.i_start, "--i-start", 0, 32);
}

std::vector<Start> starts_of(const Flags& flags, SampleJob& job) {
  std::vector<Start> starts;
  if (is_by_strength(flags, job)) {
    for (const double strength : strengths_of(flags)) {
      const std::string name = cat("strength ", strength);
      starts.push_back({name, name, job.strength_schedule(strength)});
    }
    return starts;
  }
  for (const int64_t i : i_starts_of(flags)) {
    starts.push_back({cat("i=", i), cat("i_start ", i), job.assignment_schedule(i)});
  }
  return starts;
}

void run(const Flags& flags, const Invocation& invocation) {
  // Values that are wrong whatever the model is are refused before it is read.
  strengths_of(flags);
  i_starts_of(flags);
  SampleJob job(flags.job, invocation);
  job.set_pipeline_defaults(80, 10);  // of IFImg2ImgPipeline
  const std::vector<Start> starts = starts_of(flags, job);
  EBB_CHECK(!flags.job.gif || starts.size() == 1, UsageError, "--gif: animates one start, but ",
            starts.size(), " are given by ",
            is_by_strength(flags, job) ? "--strength" : "--i-start", ". Give one.");
  const StartImage start = read_start(job, flags.input);
  const int64_t each = std::max<int64_t>(flags.job.count, 1);
  const auto levels = static_cast<int64_t>(starts.size());
  const std::vector<int64_t> labels = job.classes(each, "");
  std::vector<GenerateRequest> requests;
  for (const Start& from : starts) {
    requests.push_back(job.request(each, from.schedule));
    requests.back().labels = labels;
    requests.back().start = start.tensor;
  }
  const OutputFiles files = job.files(each * levels, levels + 1);
  GridLabels grid{.title = "", .columns = {}, .rows = {}};
  if (!files.early()) {
    grid.title = job.shared_text(labels);
    for (int64_t k = 0; k < each; ++k) {
      grid.rows.push_back(job.image_label(labels, k, job.first_seed()));
    }
  }
  check_figure(files, job.image(), levels + 1, each, {"", {"original"}, grid.rows});

  std::vector<GeneratedImage> generated;
  for (size_t l = 0; l < starts.size(); ++l) {
    const std::vector<Image> images = images_of(job, job.generate(requests[l], files));
    const std::string t = scale_text(job.objective(), requests[l].schedule.front());
    grid.columns.push_back(starts[l].title);
    for (int64_t k = 0; k < each; ++k) {
      generated.push_back({.image = images[k],
                           .seed = job.first_seed() + static_cast<uint64_t>(k),
                           .prompt = job.text_of(labels[k]),
                           .note = cat(starts[l].note, ", t = ", t),
                           .steps = static_cast<int>(step_count(requests[l].schedule)),
                           .denoising_strength = job.denoising_strength(requests[l])});
    }
  }
  Provenance provenance = job.provenance(&requests.front(), job.text_of(labels.front()));
  provenance.inputs.insert(provenance.inputs.begin(), start.image.file);
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
  Flag i_start =
      command
          .add_option("--i-start", flags->i_start,
                      "Entries of the strided timesteps to start from, 0 (most noise) to 32 "
                      "(1,3,5,7,10,20)")
          .type_name("LIST")
          .list();
  Flag strength =
      command
          .add_option(
              "--strength", flags->strength,
              "Instead of --i-start: the last part of the steps to take, 0 to 1, as diffusers "
              "counts it (with --preset pipeline: 0.7)")
          .type_name("LIST")
          .list()
          .excludes(i_start);
  add_sample_flags(command, flags->job,
                   {.count = "Images per start (1)",
                    .steps = "Sampling steps from the start to the clean image (as in the "
                             "strided list of timesteps)"},
                   [flags, i_start, strength, &invocation] {
                     flags->i_start_given = i_start.given();
                     flags->strength_given = strength.given();
                     run(*flags, invocation);
                   });
}

}  // namespace ebb
