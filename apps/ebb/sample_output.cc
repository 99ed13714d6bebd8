#include "apps/ebb/sample_output.h"

#include <algorithm>
#include <ostream>

#include "apps/cli/animation_file.h"
#include "apps/cli/output_pattern.h"
#include "base/text.h"
#include "diffusion/pipeline.h"
#include "image/png.h"

namespace ebb {
namespace {

constexpr int kGifScale = 2;  // 28 pixels are small on today's screens

// "out.png  seed 42  class 3"
void print_file(std::ostream& out, const std::string& path, const std::vector<std::string>& facts) {
  out << path_label(path);
  for (const std::string& fact : facts) {
    if (!fact.empty()) out << "  " << terminal_safe(fact);
  }
  out << '\n';
}

std::string seeds_text(const std::vector<uint64_t>& seeds) {
  if (seeds.empty()) return "";
  const auto [first, last] = std::minmax_element(seeds.begin(), seeds.end());
  return *first == *last ? cat("seed ", *first) : cat("seeds ", *first, "..", *last);
}

TextChunks text_of(const OutputFiles& files, const Provenance& provenance) {
  return files.metadata ? to_text_chunks(provenance) : TextChunks{};
}

void write_one(Results& results, const OutputFiles& files, const char* kind,
               const std::string& path, const Image& image, const Provenance& provenance,
               const std::string& note) {
  write_png(path, image, text_of(files, provenance), files.overwrite);
  print_file(results.text(), path, {seeds_text(provenance.seeds), provenance.prompt, note});
  results.add_image(path, kind, image.width, image.height, provenance);
}

void write_grid(Results& results, const OutputFiles& files,
                const std::vector<GeneratedImage>& images, Provenance provenance) {
  std::vector<Image> cells;
  for (const GeneratedImage& image : images) {
    cells.push_back(image.image);
    provenance.seeds.push_back(image.seed);
  }
  write_figure(results, files, make_grid(cells, files.columns), provenance);
}

PixelSize size_of_grid(const OutputFiles& files, int64_t images, const Shape& image) {
  return grid_size(static_cast<uint64_t>(image[1]), static_cast<uint64_t>(image[0]),
                   static_cast<uint64_t>(images), static_cast<uint64_t>(files.columns));
}

}  // namespace

void check_files(const OutputFiles& files, int64_t images, const Shape& image) {
  if (files.gif) {
    const PixelSize grid = size_of_grid(files, images, image);
    check_animation("--gif", *files.gif, {grid.width * kGifScale, grid.height * kGifScale});
  }
  if (files.rerun.active()) {
    EBB_CHECK(files.grid || files.rerun.animation || files.rerun.image < images, UsageError,
              "image ", files.rerun.image, ": the command makes ", images, ".");
    return check_output_file(files.rerun.output, Overwrite::kReplace);
  }
  check_image_name("-o", files.output, ".png");
  const OutputPattern pattern(files.output, files.grid ? 1 : images);
  pattern.check(files.overwrite);
  if (!files.gif) return;
  EBB_CHECK(*files.gif != pattern.path(0), UsageError, "--gif ", path_label(*files.gif),
            ": is also the image's file. Choose another name.");
  check_output_file(*files.gif, files.overwrite);
}

void check_grid(const OutputFiles& files, int64_t images, const Shape& image) {
  if (files.grid) check_figure_size("--grid", size_of_grid(files, images, image));
}

void check_figure(const OutputFiles& files, const Shape& image, int64_t columns, int64_t rows,
                  const GridLabels& labels) {
  if (!files.grid) return;
  const PixelSize cell = {static_cast<uint64_t>(image[1]), static_cast<uint64_t>(image[0])};
  check_figure_size("--grid", labeled_grid_size(cell, static_cast<uint64_t>(columns),
                                                static_cast<uint64_t>(rows), labels, kFigureScale));
}

FrameRecorder::FrameRecorder(int64_t images, int64_t steps, const Shape& image, DataRange range)
    : steps_(steps), image_(image), range_(range) {
  const int64_t frames = std::min(kFrames, steps + 1);
  for (int64_t f = 0; f < frames; ++f) recorded_.push_back(f * steps / (frames - 1));
  frames_.assign(recorded_.size(), std::vector<Image>(static_cast<size_t>(images)));
}

void FrameRecorder::record(int64_t first, int64_t steps_done, const Tensor& x) {
  const auto found = std::lower_bound(recorded_.begin(), recorded_.end(), steps_done);
  if (found == recorded_.end() || *found != steps_done) return;
  std::vector<Image> images = to_images(x.to_host(), image_, range_);
  std::move(images.begin(), images.end(), frames_[found - recorded_.begin()].begin() + first);
}

void FrameRecorder::write(Results& results, const OutputFiles& files,
                          const Provenance& provenance) const {
  std::vector<Image> frames;
  for (const std::vector<Image>& images : frames_) {
    frames.push_back(upscale_nearest(make_grid(images, files.columns), kGifScale));
  }
  write_animation(*files.gif, frames, files.metadata ? &provenance : nullptr, files.overwrite);
  print_file(results.text(), *files.gif, {cat(frames.size(), " frames of ", steps_, " steps")});
  results.add_image(*files.gif, "animation", frames.front().width, frames.front().height,
                    provenance);
}

void write_figure(Results& results, const OutputFiles& files, const Image& figure,
                  const Provenance& common) {
  if (files.rerun.animation) return;
  const std::string& path = files.rerun.active() ? files.rerun.output : files.output;
  write_one(results, files, "grid", path, figure, common, "");
}

void write_images(Results& results, const OutputFiles& files,
                  const std::vector<GeneratedImage>& images, const Provenance& common) {
  if (files.grid) {
    write_grid(results, files, images, common);
    return;
  }
  if (files.rerun.animation) return;
  const auto write = [&](int64_t number, const GeneratedImage& image, const std::string& path) {
    Provenance provenance = common;
    provenance.image = static_cast<int>(number);
    provenance.seeds = {image.seed};
    provenance.prompt = image.prompt;
    if (image.steps > 0) provenance.steps = image.steps;
    if (image.denoising_strength > 0) provenance.denoising_strength = image.denoising_strength;
    write_one(results, files, "image", path, image.image, provenance, image.note);
  };
  if (files.rerun.active()) {
    const int64_t number = files.rerun.image;
    const size_t place = images.size() == 1 ? 0 : static_cast<size_t>(number);
    return write(number, images[place], files.rerun.output);
  }
  const OutputPattern pattern(files.output, static_cast<int64_t>(images.size()));
  for (size_t i = 0; i < images.size(); ++i) {
    const auto number = static_cast<int64_t>(i);
    write(number, images[i], pattern.path(number));
  }
}

}  // namespace ebb
