#include "diffusion/commands/denoise.h"

#include <array>
#include <cmath>
#include <memory>
#include <sstream>

#include "base/text.h"
#include "diffusion/commands/drawing.h"
#include "diffusion/commands/picture_start.h"
#include "diffusion/picture/labelled_grid.h"
#include "nn/param_collector.h"

namespace ebb {
namespace {

struct Flags {
  DrawingFlags drawing;
  InputFlags input;
  bool one_step = false, iterative = false;
  std::string timesteps = "250,500,750";
  std::string sigmas = "0,.2,.4,.5,.6,.8,1";  // of the assignment
  int64_t i_start = 10;
  int64_t show_every = 0;  // 0: only the result
};

// Rows of a figure: what is shown of each noised picture.
struct Column {
  std::string title;
  std::vector<Image> pictures;  // one per row
};

void write_columns(const OutputFiles& files, const std::vector<Column>& columns,
                   const std::vector<std::string>& rows, const Provenance& provenance) {
  GridLabels labels{.title = "", .columns = {}, .rows = rows};
  std::vector<Image> cells;
  for (const Column& column : columns) labels.columns.push_back(column.title);
  for (size_t row = 0; row < columns.front().pictures.size(); ++row) {
    for (const Column& column : columns) cells.push_back(column.pictures[row]);
  }
  write_figure(files,
               make_labelled_grid(cells, static_cast<int>(columns.size()), labels, kFigureScale),
               provenance);
}

// The start picture noised for every seed: [pictures, H, W, C].
Tensor noised(const Drawing& drawing, const StartPicture& start, const NoiseLevel& level,
              int64_t pictures) {
  Context& context = drawing.context();
  const Tensor eps = Tensor::empty(context, with_batch(pictures, drawing.image()));
  ImageNoise(context, drawing.first_seed()).start(eps);
  return add_noise(context, level, select_images(context, start.tensor, 0, pictures), eps);
}

// The model's answer in one step: what it takes the clean pictures to be.
Tensor estimate(const Drawing& drawing, NetworkDenoiser& denoiser, const NoiseLevel& level,
                const Tensor& x) {
  const Tensor t = coefficients(drawing.context(), std::array{level.time}).reshape({1, 1});
  return clean_estimate(drawing.context(), drawing.objective(), level, x,
                        denoiser.predict(x, t).value);
}

// Noised and estimated pictures at one level, with the level's name.
struct OneStep {
  std::string title;
  std::vector<Image> noisy, clean;
};

void write_one_steps(const Drawing& drawing, const StartPicture& start, const OutputFiles& files,
                     const std::vector<OneStep>& steps, const std::vector<int64_t>& labels) {
  Provenance provenance = drawing.provenance(nullptr, class_text(labels.front()));
  provenance.inputs = {start.picture.file};
  const auto pictures = static_cast<int64_t>(labels.size());
  if (files.grid) {
    std::vector<Column> columns;
    std::vector<std::string> rows;
    for (int64_t k = 0; k < pictures; ++k) {
      rows.insert(rows.end(), {"original", "noisy", "denoised"});
      provenance.seeds.push_back(drawing.first_seed() + static_cast<uint64_t>(k));
    }
    for (const OneStep& step : steps) {
      columns.push_back({step.title, {}});
      for (int64_t k = 0; k < pictures; ++k) {
        columns.back().pictures.insert(columns.back().pictures.end(),
                                       {start.picture.image, step.noisy[k], step.clean[k]});
      }
    }
    write_columns(files, columns, rows, provenance);
    return;
  }
  std::vector<DrawnPicture> drawn;
  for (const OneStep& step : steps) {
    for (int64_t k = 0; k < pictures; ++k) {
      drawn.push_back({.image = step.clean[k],
                       .seed = drawing.first_seed() + static_cast<uint64_t>(k),
                       .prompt = class_text(labels[k]),
                       .note = step.title});
    }
  }
  write_pictures(files, drawn, provenance);
}

std::string shortened(double value) {
  std::ostringstream out;
  out << value;
  return out.str();
}

// Levels of noise with names: sigmas for a one-step denoiser, timesteps for the others.
std::vector<std::pair<std::string, NoiseLevel>> levels_of(const Flags& flags,
                                                          const Objective& objective) {
  std::vector<std::pair<std::string, NoiseLevel>> levels;
  if (!takes_time(objective)) {
    for (const double sigma : parse_numbers(flags.sigmas, "--sigma", 0, 100)) {
      levels.emplace_back("\u03c3 " + shortened(sigma),
                          NoiseLevel{.signal_power = 1, .noise_power = sigma * sigma});
    }
    return levels;
  }
  for (const int64_t t : parse_integers(flags.timesteps, "-t", 0, kScale - 1)) {
    levels.emplace_back(cat("t = ", t), scale_level(objective, t));
  }
  return levels;
}

void run_one_step(const Flags& flags, Drawing& drawing) {
  EBB_CHECK(!flags.drawing.gif, UsageError,
            "--gif: one step has no states to animate. Use --iterative.");
  const StartPicture start = read_start(drawing, flags.input);
  const auto levels = levels_of(flags, drawing.objective());
  const int64_t pictures = std::max<int64_t>(flags.drawing.count, 1);
  const std::vector<int64_t> labels = drawing.classes(pictures, "");
  const OutputFiles files = drawing.files(pictures * static_cast<int64_t>(levels.size()), 1);
  NetworkDenoiser denoiser(drawing.context(), drawing.model().network, drawing.model().params,
                           pictures, drawing.guided_to(labels));
  std::vector<OneStep> steps;
  for (const auto& [title, level] : levels) {
    const Tensor x = noised(drawing, start, level, pictures);
    steps.push_back(
        {.title = title,
         .noisy = pictures_of(drawing, x.to_host()),
         .clean = pictures_of(drawing, estimate(drawing, denoiser, level, x).to_host())});
  }
  write_one_steps(drawing, start, files, steps, labels);
}

// The Gaussian blur of the noisy picture that is closest to the original, the classical way.
Column best_blur(const Drawing& drawing, const StartPicture& start, const Tensor& noisy) {
  const int64_t side = std::min(drawing.image()[0], drawing.image()[1]);
  double best_error = INFINITY;
  Column best;
  for (const double sigma : {0.5, 1.0, 1.5, 2.0, 3.0}) {
    const auto reach = std::min<int64_t>(static_cast<int64_t>(std::ceil(3 * sigma)), side - 1);
    const std::vector<float> values =
        FilterRunner(drawing.context(), low_pass(2 * reach + 1, sigma)).run(noisy).to_host();
    double error = 0;
    for (size_t i = 0; i < values.size(); ++i) {
      const double difference = double{values[i]} - start.values[i % start.values.size()];
      error += difference * difference;
    }
    if (error < best_error) {
      best_error = error;
      best = {.title = cat("blur ", sigma), .pictures = pictures_of(drawing, values)};
    }
  }
  return best;
}

void run_iterative(const Flags& flags, Drawing& drawing) {
  const StartPicture start = read_start(drawing, flags.input);
  const int64_t pictures = std::max<int64_t>(flags.drawing.count, 1);
  const std::vector<int64_t> labels = drawing.classes(pictures, "");
  GenerateRequest request = drawing.request(pictures, drawing.course_walk(flags.i_start));
  request.recipe = drawing.guided_to(labels);
  request.start = start.tensor;
  const OutputFiles files = drawing.files(pictures, square_columns(pictures));

  std::vector<Column> columns;
  const auto keep = [&](int64_t first, int64_t done, const Tensor& x) {
    if (flags.show_every == 0 || done % flags.show_every != 0) return;
    const size_t column = static_cast<size_t>(done / flags.show_every);
    if (columns.size() <= column) columns.resize(column + 1);
    columns[column].title = "t = " + scale_text(drawing.objective(), request.walk[done]);
    columns[column].pictures.resize(static_cast<size_t>(pictures));
    std::vector<Image> images = pictures_of(drawing, x.to_host());
    std::move(images.begin(), images.end(), columns[column].pictures.begin() + first);
  };
  const std::vector<Image> images = pictures_of(drawing, drawing.draw(request, files, keep));
  Provenance provenance = drawing.provenance(&request, class_text(labels.front()));
  provenance.inputs = {start.picture.file};

  if (flags.show_every > 0) {
    NetworkDenoiser denoiser(drawing.context(), drawing.model().network, drawing.model().params,
                             pictures, request.recipe);
    const NoiseLevel& level = request.walk.front();
    const Tensor noisy = noised(drawing, start, level, pictures);
    if (step_count(request.walk) % flags.show_every == 0) columns.pop_back();  // it is "final"
    columns.push_back({"final", images});
    columns.push_back(
        {"one step", pictures_of(drawing, estimate(drawing, denoiser, level, noisy).to_host())});
    columns.push_back(best_blur(drawing, start, noisy));
    columns.push_back(
        {"original", std::vector<Image>(static_cast<size_t>(pictures), start.picture.image)});
    for (int64_t k = 0; k < pictures; ++k) {
      provenance.seeds.push_back(request.first_seed + static_cast<uint64_t>(k));
    }
    write_columns(files, columns, {}, provenance);
  } else {
    std::vector<DrawnPicture> drawn;
    for (int64_t k = 0; k < pictures; ++k) {
      drawn.push_back({.image = images[k],
                       .seed = request.first_seed + static_cast<uint64_t>(k),
                       .prompt = class_text(labels[k]),
                       .note = cat("i_start ", flags.i_start)});
    }
    write_pictures(files, drawn, provenance);
  }
  drawing.print_summary(pictures, request);
}

void run(Flags flags, const std::vector<std::string>& arguments) {
  if (flags.show_every > 0) flags.drawing.grid = true;  // a figure is one file
  Drawing drawing(flags.drawing, arguments);
  const bool has_steps = takes_time(drawing.objective());
  EBB_CHECK(has_steps || !flags.iterative, UsageError,
            "--iterative: ", path_label(drawing.model().path),
            " denoises in one step. Use --one-step.");
  if (flags.one_step || !has_steps) {
    run_one_step(flags, drawing);
  } else {
    run_iterative(flags, drawing);
  }
}

}  // namespace

void add_denoise_command(Command program, const std::vector<std::string>& arguments) {
  auto flags = std::make_shared<Flags>();
  Command command =
      program.add_subcommand("denoise", "Noise a picture and denoise it, in one step or many");
  add_input_flags(command, flags->input);
  Flag one_step =
      command.add_flag("--one-step", flags->one_step, "The model's estimate at each level of -t");
  Flag iterative = command.add_flag("--iterative", flags->iterative,
                                    "Step by step from --i-start (what happens without either)");
  iterative.excludes(one_step);
  command
      .add_option("-t,--timesteps", flags->timesteps,
                  "Levels for --one-step, 0..999 of 1000 (250,500,750)")
      .type_name("LIST")
      .excludes(iterative);
  command
      .add_option("--sigma", flags->sigmas,
                  "Noise for a one-step model such as mnist-denoiser (0,.2,.4,.5,.6,.8,1)")
      .type_name("LIST")
      .excludes(iterative);
  add_integer(command, "--i-start", flags->i_start, 0, 32,
              "Entry of the strided list 990, 960, ... to start from (10)")
      .excludes(one_step);
  add_integer(command, "--show-every", flags->show_every, 1, 1000,
              "One figure: every so many states, the result, one step, blur and the original")
      .excludes(one_step);
  add_drawing_flags(command, flags->drawing,
                    {.count = "Seeds to denoise with (1)",
                     .steps = "Sampling steps from the start to the clean image (those of the "
                              "strided list)"},
                    [flags, &arguments] { run(*flags, arguments); });
}

}  // namespace ebb
