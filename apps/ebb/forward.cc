#include <memory>

#include "apps/ebb/commands.h"
#include "apps/ebb/noisy_images.h"
#include "image/labeled_grid.h"

namespace ebb {
namespace {

void run(const NoisyImageFlags& flags, const Invocation& invocation) {
  refuse_network_flags(flags.job, "ebb forward");
  SampleJob job(flags.job, invocation);
  const StartImage start = read_start(job, flags.input);
  const int64_t images = std::max<int64_t>(flags.job.count, 1);
  const int64_t levels = count_levels(flags.timesteps);
  const OutputFiles files = job.files(images * levels, 1);
  check_figure(files, job.image(), levels + 1, images,
               {"", {"original", "t = 999"}, {cat("seed ", job.first_seed())}});
  const auto noisy = noise_image(job, start, flags.timesteps, images);
  Provenance provenance = provenance_of(job, start);

  std::vector<GeneratedImage> generated;
  GridLabels labels{.title = "", .columns = {"original"}, .rows = {}};
  std::vector<std::vector<Image>> columns = {
      std::vector<Image>(static_cast<size_t>(images), start.image.image)};
  for (const NoisyImages& level : noisy) {
    columns.push_back(images_of(job, level.x.to_host()));
    labels.columns.push_back(level.title);
    for (int64_t k = 0; k < images; ++k) {
      generated.push_back({.image = columns.back()[k],
                           .seed = job.first_seed() + static_cast<uint64_t>(k),
                           .prompt = "",
                           .note = level.title});
    }
  }
  if (!files.grid) {
    write_images(job.results(), files, generated, provenance);
    return job.print_results();
  }
  std::vector<Image> cells;
  for (int64_t k = 0; k < images; ++k) {
    for (const std::vector<Image>& column : columns) cells.push_back(column[k]);
    provenance.seeds.push_back(job.first_seed() + static_cast<uint64_t>(k));
    if (!files.early()) labels.rows.push_back(cat("seed ", provenance.seeds.back()));
  }
  write_figure(job.results(), files, cells, static_cast<int64_t>(columns.size()), labels,
               provenance);
  job.print_results();
}

}  // namespace

// `ebb forward -i IMG -t 250,500,750`: an image with the noise of each timestep.
void add_forward(Command command, const Invocation& invocation) {
  auto flags = std::make_shared<NoisyImageFlags>();
  add_noisy_image_flags(command, *flags);
  add_sample_flags(command, flags->job,
                   {.takes_prompt = false, .takes_steps = false, .count = "Noise seeds (1)"},
                   [flags, &invocation] { run(*flags, invocation); });
}

}  // namespace ebb
