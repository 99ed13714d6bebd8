#include <iomanip>
#include <memory>
#include <ostream>

#include "apps/ebb/commands.h"
#include "apps/ebb/noisy_images.h"
#include "base/text.h"
#include "diffusion/filter.h"
#include "diffusion/gaussian_search.h"
#include "image/labeled_grid.h"

namespace ebb {
namespace {

struct Flags : NoisyImageFlags {
  int64_t kernel = 0;  // 0: searched
  double sigma = 0;    // 0: searched
};

// The candidates that the flags leave.
std::vector<BlurResult> candidates_for(const Flags& flags, const SampleJob& job) {
  const int64_t height = job.image()[0], width = job.image()[1];
  EBB_CHECK(flags.kernel == 0 || flags.kernel % 2 == 1, UsageError, "--kernel ", flags.kernel,
            ": must be odd");
  EBB_CHECK(flags.kernel <= max_taps(height, width), UsageError, "--kernel ", flags.kernel,
            ": must be at most ", max_taps(height, width), " for images of ", width, " x ", height,
            ", whose border is reflected");
  if (flags.kernel > 0 && flags.sigma > 0) return {{flags.kernel, flags.sigma, 0}};
  std::vector<BlurResult> wanted;
  for (BlurResult candidate : blur_candidates(height, width)) {
    if (flags.kernel > 0) candidate.taps = flags.kernel;
    if (flags.sigma > 0) candidate.sigma = flags.sigma;
    const auto same = [&](const BlurResult& other) {
      return other.taps == candidate.taps && other.sigma == candidate.sigma;
    };
    if (std::none_of(wanted.begin(), wanted.end(), same)) wanted.push_back(candidate);
  }
  return wanted;
}

std::string blur_text(const BlurResult& blur) {
  return cat("k ", blur.taps, ", \u03c3 ", blur.sigma);
}

void print_row(Results& results, const std::string& title, const BlurResult& blur, double noisy,
               size_t tried) {
  results.append("blurs", Json{{"level", title},
                               {"kernel", blur.taps},
                               {"sigma", blur.sigma},
                               {"mse", blur.mse},
                               {"noisy_mse", noisy}});
  results.text() << std::left << std::setw(9) << title << std::right << "  kernel " << std::setw(2)
                 << blur.taps << "  sigma " << std::setw(4) << blur.sigma << "  MSE " << std::fixed
                 << std::setprecision(5) << blur.mse << "  (noisy " << noisy << ", "
                 << std::defaultfloat << std::setprecision(6) << tried
                 << (tried == 1 ? " kernel" : " kernels tried") << ")\n";
}

void run(const Flags& flags, const Invocation& invocation) {
  refuse_network_flags(flags.job, "ebb blur");
  SampleJob job(flags.job, invocation);
  const std::vector<BlurResult> candidates = candidates_for(flags, job);
  const StartImage start = read_start(job, flags.input);
  const int64_t images = std::max<int64_t>(flags.job.count, 1);
  const int64_t rows = images * count_levels(flags.timesteps);
  const OutputFiles files = job.files(rows, 1);
  check_figure(files, job.image(), 3, rows,
               {"", {"original"}, {"seed 999999, t = 999, " + blur_text({255, 0.25, 0})}});
  const auto levels = noise_image(job, start, flags.timesteps, images);
  Provenance provenance = provenance_of(job, start);

  const bool is_raw = files.early() || flags.job.scale == 1;
  std::vector<GeneratedImage> generated;  // each noisy and blurred side by side
  std::vector<Image> cells;               // rows: seeds and levels
  GridLabels labels{.title = "", .columns = {"original", "noisy", "blurred"}, .rows = {}};
  for (const NoisyImages& level : levels) {
    const auto results = try_blurs(job.context(), level.x, start.values, candidates);
    const BlurResult& best = best_blur(results);
    const std::vector<float> noisy_values = level.x.to_host();
    print_row(job.results(), level.title, best, mse_from_image(noisy_values, start.values),
              results.size());
    const FilterRunner blur(job.context(), low_pass(best.taps, best.sigma));
    const std::vector<Image> noisy = images_of(job, noisy_values);
    const std::vector<Image> blurred = images_of(job, blur.run(level.x).to_host());
    for (int64_t k = 0; k < images; ++k) {
      const uint64_t seed = job.first_seed() + static_cast<uint64_t>(k);
      const std::array pair = {noisy[k], blurred[k]};
      generated.push_back(
          {.image = is_raw ? make_grid(pair, 2)
                           : draw_figure(files, pair, 2, {"", {"noisy", "blurred"}, {}}),
           .seed = seed,
           .prompt = "",
           .note = cat(level.title, "  ", blur_text(best)),
           .is_figure = !is_raw});
      cells.insert(cells.end(), {start.image.image, noisy[k], blurred[k]});
      const std::string of_seed = images > 1 && !files.early() ? cat("seed ", seed, ", ") : "";
      labels.rows.push_back(cat(of_seed, level.title, ", ", blur_text(best)));
    }
  }
  if (!files.grid) {
    write_images(job.results(), files, generated, provenance);
    return job.print_results();
  }
  for (int64_t k = 0; k < images; ++k) {
    provenance.seeds.push_back(job.first_seed() + static_cast<uint64_t>(k));
  }
  write_figure(job.results(), files, cells, 3, labels, provenance);
  job.print_results();
}

}  // namespace

// `ebb blur -i IMG -t 250,500,750`: noisy images and Gaussian blur applied to them, the classical
// way to denoise; the kernel that comes closest to the original, unless one is given.
void add_blur(Command command, const Invocation& invocation) {
  auto flags = std::make_shared<Flags>();
  add_noisy_image_flags(command, *flags);
  add_integer(command, "--kernel", flags->kernel, 1, 255,
              "Taps of the Gaussian kernel, odd (the best of 3 to 25 by mean squared error)");
  add_number(command, "--sigma", flags->sigma, 0.05, 50,
             "Standard deviation of the Gaussian in pixels (the best of 0.5 to 4)");
  add_sample_flags(command, flags->job,
                   {.takes_prompt = false, .takes_steps = false, .count = "Noise seeds (1)"},
                   [flags, &invocation] { run(*flags, invocation); });
}

}  // namespace ebb
