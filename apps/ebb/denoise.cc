#include <array>
#include <cmath>
#include <memory>
#include <optional>
#include <sstream>

#include "apps/ebb/commands.h"
#include "apps/ebb/image_start.h"
#include "apps/ebb/sample_job.h"
#include "base/text.h"
#include "image/labeled_grid.h"
#include "nn/param_collector.h"

namespace ebb {
namespace {

// Those of the assignment.
constexpr const char* kTimesteps = "250,500,750";
constexpr const char* kSigmas = "0,.2,.4,.5,.6,.8,1";
constexpr int64_t kStart = 10;

struct Flags {
  SampleFlags job;
  InputFlags input;
  bool one_step = false, iterative = false;
  std::string timesteps, sigmas;   // empty: kTimesteps, kSigmas
  std::optional<int64_t> i_start;  // nothing: kStart
  int64_t show_every = 0;          // 0: only the result
};

// A column of a figure.
struct Column {
  std::string title;
  std::vector<Image> images;  // one per row
};

void write_columns(Results& results, const OutputFiles& files, const std::vector<Column>& columns,
                   const GridLabels& texts, const Provenance& provenance) {
  GridLabels labels = texts;
  std::vector<Image> cells;
  for (const Column& column : columns) labels.columns.push_back(column.title);
  for (size_t row = 0; row < columns.front().images.size(); ++row) {
    for (const Column& column : columns) cells.push_back(column.images[row]);
  }
  write_figure(results, files, cells, static_cast<int64_t>(columns.size()), labels, provenance);
}

// The start image with the noise of every seed: [images, H, W, C].
Tensor noisy(const SampleJob& job, const StartImage& start, const NoiseLevel& level,
             int64_t images) {
  Context& context = job.context();
  const Tensor eps = Tensor::empty(context, with_batch(images, job.image()));
  ImageNoise(context, job.first_seed()).start(eps);
  return add_noise(context, level, select_images(context, start.tensor, 0, images), eps);
}

// The model's one-step estimate of the clean images.
Tensor estimate(const SampleJob& job, NetworkDenoiser& denoiser, const NoiseLevel& level,
                const Tensor& x) {
  return predict_clean(job.context(), job.objective(), level, denoiser, x);
}

// Noisy and estimated images at one level, with the level's name.
struct OneStep {
  std::string title;
  std::vector<Image> noisy, clean;
};

void write_one_steps(SampleJob& job, const StartImage& start, const OutputFiles& files,
                     const std::vector<OneStep>& steps, const std::vector<int64_t>& labels) {
  Provenance provenance = job.provenance(nullptr, job.text_of(labels.front()));
  provenance.inputs.insert(provenance.inputs.begin(), start.image.file);
  const auto images = static_cast<int64_t>(labels.size());
  if (files.grid) {
    std::vector<Column> columns;
    GridLabels texts;
    if (!files.early()) texts.title = job.shared_text(labels);
    for (int64_t k = 0; k < images; ++k) {
      const std::string label =
          images > 1 && !files.early() ? job.image_label(labels, k, job.first_seed()) + ", " : "";
      texts.rows.insert(texts.rows.end(), {"original", label + "noisy", label + "denoised"});
      provenance.seeds.push_back(job.first_seed() + static_cast<uint64_t>(k));
    }
    for (const OneStep& step : steps) {
      columns.push_back({step.title, {}});
      for (int64_t k = 0; k < images; ++k) {
        columns.back().images.insert(columns.back().images.end(),
                                     {start.image.image, step.noisy[k], step.clean[k]});
      }
    }
    write_columns(job.results(), files, columns, texts, provenance);
    return;
  }
  std::vector<GeneratedImage> generated;
  for (const OneStep& step : steps) {
    for (int64_t k = 0; k < images; ++k) {
      generated.push_back({.image = step.clean[k],
                           .seed = job.first_seed() + static_cast<uint64_t>(k),
                           .prompt = job.text_of(labels[k]),
                           .note = step.title});
    }
  }
  write_images(job.results(), files, generated, provenance);
}

std::string shortened(double value) {
  std::ostringstream out;
  out << value;
  return out.str();
}

std::string or_default(const std::string& text, const char* usual) {
  return text.empty() ? usual : text;
}

// Levels of noise with names: sigmas for a one-step denoiser, timesteps for the others.
std::vector<std::pair<std::string, NoiseLevel>> levels_of(const Flags& flags,
                                                          const Objective& objective) {
  std::vector<std::pair<std::string, NoiseLevel>> levels;
  if (!takes_time(objective)) {
    for (const double sigma : parse_numbers(or_default(flags.sigmas, kSigmas), "--sigma", 0, 100)) {
      levels.emplace_back("\u03c3 " + shortened(sigma),
                          NoiseLevel{.alpha_bar = 1, .one_minus_alpha_bar = sigma * sigma});
    }
    return levels;
  }
  for (const int64_t t :
       parse_integers(or_default(flags.timesteps, kTimesteps), "-t", 0, kScale - 1)) {
    levels.emplace_back(cat("t = ", t), scale_level(objective, t));
  }
  return levels;
}

void run_one_step(const Flags& flags, SampleJob& job) {
  EBB_CHECK(!flags.job.gif, UsageError,
            "--gif: one step has no states to animate. Use --iterative.");
  const StartImage start = read_start(job, flags.input);
  const auto levels = levels_of(flags, job.objective());
  const int64_t images = std::max<int64_t>(flags.job.count, 1);
  const std::vector<int64_t> labels = job.classes(images, "");
  const auto count = static_cast<int64_t>(levels.size());
  const OutputFiles files = job.files(images * count, 1);
  check_figure(files, job.image(), count, 3 * images, {"", {levels.front().first}, {"denoised"}});
  job.release_weights();
  NetworkDenoiser denoiser(job.context(), job.model().network, job.params(), images,
                           job.guided_to(labels));
  std::vector<OneStep> steps;
  for (const auto& [title, level] : levels) {
    const Tensor x = noisy(job, start, level, images);
    steps.push_back({.title = title,
                     .noisy = images_of(job, x.to_host()),
                     .clean = images_of(job, estimate(job, denoiser, level, x).to_host())});
  }
  write_one_steps(job, start, files, steps, labels);
  job.print_results();
}

// The Gaussian blur of the noisy image that is closest to the original, the classical way.
Column best_blur(const SampleJob& job, const StartImage& start, const Tensor& noisy) {
  const int64_t side = std::min(job.image()[0], job.image()[1]);
  double best_error = INFINITY;
  Column best;
  for (const double sigma : {0.5, 1.0, 1.5, 2.0, 3.0}) {
    const auto reach = std::min<int64_t>(static_cast<int64_t>(std::ceil(3 * sigma)), side - 1);
    const std::vector<float> values =
        FilterRunner(job.context(), low_pass(2 * reach + 1, sigma)).run(noisy).to_host();
    double error = 0;
    for (size_t i = 0; i < values.size(); ++i) {
      const double difference = double{values[i]} - start.values[i % start.values.size()];
      error += difference * difference;
    }
    if (error < best_error) {
      best_error = error;
      best = {.title = cat("blur ", sigma), .images = images_of(job, values)};
    }
  }
  return best;
}

void run_iterative(const Flags& flags, SampleJob& job) {
  const int64_t i_start = flags.i_start.value_or(kStart);
  const StartImage start = read_start(job, flags.input);
  const int64_t images = std::max<int64_t>(flags.job.count, 1);
  const std::vector<int64_t> labels = job.classes(images, "");
  GenerateRequest request = job.request(images, job.assignment_schedule(i_start));
  request.labels = labels;
  request.start = start.tensor;
  const OutputFiles files = job.files(images, square_columns(images));
  if (flags.show_every > 0) {
    // The states, the result, one step, blur and the original.
    const int64_t count = step_count(request.schedule) / flags.show_every + 5;
    check_figure(files, job.image(), count, images,
                 {"", {"one step", "original"}, {cat("seed ", request.seed)}});
  } else {
    check_grid(files, images, job.image(), request.seed + static_cast<uint64_t>(images) - 1);
  }

  std::vector<Column> columns;
  const auto keep = [&](const GenerateStep& step) {
    if (flags.show_every == 0 || step.step % flags.show_every != 0) return;
    const size_t column = static_cast<size_t>(step.step / flags.show_every);
    if (columns.size() <= column) columns.resize(column + 1);
    columns[column].title = "t = " + scale_text(job.objective(), request.schedule[step.step]);
    columns[column].images.resize(static_cast<size_t>(images));
    std::vector<Image> batch = images_of(job, step.x.to_host());
    std::move(batch.begin(), batch.end(), columns[column].images.begin() + step.first_image);
  };
  if (flags.show_every == 0) job.release_weights();
  const std::vector<Image> results = images_of(job, job.generate(request, files, keep));
  Provenance provenance = job.provenance(&request, job.text_of(labels.front()));
  provenance.inputs.insert(provenance.inputs.begin(), start.image.file);

  if (flags.show_every > 0) {
    job.release_weights();
    NetworkDenoiser denoiser(job.context(), job.model().network, job.params(), images,
                             job.guided_to(labels));
    const NoiseLevel& level = request.schedule.front();
    const Tensor noisy_x = noisy(job, start, level, images);
    if (step_count(request.schedule) % flags.show_every == 0) columns.pop_back();  // it is "final"
    columns.push_back({"final", results});
    columns.push_back(
        {"one step", images_of(job, estimate(job, denoiser, level, noisy_x).to_host())});
    columns.push_back(best_blur(job, start, noisy_x));
    columns.push_back(
        {"original", std::vector<Image>(static_cast<size_t>(images), start.image.image)});
    GridLabels texts;
    if (!files.early()) texts.title = job.shared_text(labels);
    for (int64_t k = 0; k < images; ++k) {
      provenance.seeds.push_back(request.seed + static_cast<uint64_t>(k));
      if (!files.early()) texts.rows.push_back(job.image_label(labels, k, request.seed));
    }
    write_columns(job.results(), files, columns, texts, provenance);
  } else {
    std::vector<GeneratedImage> generated;
    for (int64_t k = 0; k < images; ++k) {
      generated.push_back({.image = results[k],
                           .seed = request.seed + static_cast<uint64_t>(k),
                           .prompt = job.text_of(labels[k]),
                           .note = cat("i_start ", i_start)});
    }
    write_images(job.results(), files, generated, provenance);
  }
  job.print_summary(images, request);
}

// A flag of the other way to denoise, or of another kind of model, changes nothing: a mistake.
void refuse_useless(const Flags& flags, bool has_steps, const std::string& model) {
  const std::string one_step_model = cat("for ", model, ", which denoises in one step");
  const bool one_step = flags.one_step || !has_steps;
  const std::string why = has_steps ? "with --one-step" : one_step_model;
  refuse_flag("-t", !has_steps && !flags.timesteps.empty(),
              one_step_model + "; --sigma says how noisy");
  refuse_flag("--sigma", has_steps && !flags.sigmas.empty(),
              cat("for ", model, ", a model of timesteps; -t says how noisy"));
  refuse_flag("-t", !one_step && !flags.timesteps.empty(), "without --one-step");
  refuse_flag("--i-start", one_step && flags.i_start.has_value(), why);
  refuse_flag("--show-every", one_step && flags.show_every > 0, why);
  if (one_step) refuse_step_flags(flags.job, why);
}

void run(Flags flags, const Invocation& invocation) {
  if (flags.show_every > 0) flags.job.grid = true;  // a figure is one file
  SampleJob job(flags.job, invocation);
  const bool has_steps = takes_time(job.objective());
  EBB_CHECK(has_steps || !flags.iterative, UsageError,
            "--iterative: ", path_label(job.model().path),
            " denoises in one step. Use --one-step.");
  refuse_useless(flags, has_steps, path_label(job.model().path));
  if (flags.one_step || !has_steps) {
    run_one_step(flags, job);
  } else {
    run_iterative(flags, job);
  }
}

}  // namespace

// `ebb denoise`: noises an image and shows what the model makes of it: its estimate in one step,
// or the way back step by step.
void add_denoise(Command command, const Invocation& invocation) {
  auto flags = std::make_shared<Flags>();
  add_input_flags(command, flags->input);
  Flag one_step =
      command.add_flag("--one-step", flags->one_step, "One-step estimates at the timesteps of -t");
  Flag iterative = command.add_flag("--iterative", flags->iterative,
                                    "Step by step from --i-start (the default)");
  iterative.excludes(one_step);
  command
      .add_option("-t,--timesteps", flags->timesteps,
                  "Timesteps for --one-step, 0..999 of 1000 (250,500,750)")
      .type_name("LIST")
      .list()
      .excludes(iterative);
  command
      .add_option("--sigma", flags->sigmas,
                  "Noise levels for a one-step model such as mnist-denoiser (0,.2,.4,.5,.6,.8,1)")
      .type_name("LIST")
      .list()
      .excludes(iterative);
  add_integer(command, "--i-start", flags->i_start, 0, 32,
              "Entry of the strided timesteps 990, 960, ... to start from (10)")
      .excludes(one_step);
  add_integer(
      command, "--show-every", flags->show_every, 1, 1000,
      "Write one figure: every Nth state, the result, the one-step estimate, a blur, the original")
      .excludes(one_step);
  add_sample_flags(command, flags->job,
                   {.count = "Noise seeds (1)",
                    .steps = "Sampling steps from the start to the clean image (as in the "
                             "strided list of timesteps)"},
                   [flags, &invocation] { run(*flags, invocation); });
}

}  // namespace ebb
