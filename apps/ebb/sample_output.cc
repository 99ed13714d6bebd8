#include "apps/ebb/sample_output.h"

#include <algorithm>
#include <ostream>

#include "apps/cli/animation_file.h"
#include "apps/cli/output_pattern.h"
#include "base/text.h"
#include "base/utf8.h"
#include "diffusion/pipeline.h"
#include "image/convert.h"
#include "image/png.h"

namespace ebb {
namespace {

constexpr int kEarlyScale = 2;  // of figures and animations, see RerunTarget::early

// About how many pixels a side an image of its own gets when --scale is not given.
constexpr int64_t kImageSide = 224;

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

void write_figure_file(Results& results, const OutputFiles& files, const Image& figure,
                       Provenance provenance) {
  if (files.rerun.animation) return;
  provenance.scale = files.early() ? 0 : files.figure_scale;
  const std::string& path = files.rerun.active() ? files.rerun.output : files.output;
  write_one(results, files, "grid", path, figure, provenance, "");
}

// The prompt of each column when all images below one another have the same; else nothing.
std::vector<std::string> column_prompts(const std::vector<GeneratedImage>& images, size_t columns) {
  std::vector<std::string> prompts;
  for (size_t i = 0; i < images.size(); ++i) {
    const std::string& prompt = images[i].prompt;
    if (prompts.size() < columns) prompts.push_back(figure_text(prompt));
    if (prompt.empty() || prompts[i % columns] != figure_text(prompt)) return {};
  }
  return prompts;
}

// Title: what all images show. Above the columns or below the images: what each of them shows, and
// its seed.
GridLabels labels_of(const std::vector<GeneratedImage>& images, int columns,
                     const std::string& common_prompt) {
  GridLabels labels{.title = figure_text(common_prompt), .columns = {}, .rows = {}};
  bool differ = false;
  for (const GeneratedImage& image : images) differ |= image.prompt != common_prompt;
  if (differ) labels.columns = column_prompts(images, static_cast<size_t>(columns));
  for (const GeneratedImage& image : images) {
    const bool named = differ && labels.columns.empty() && !image.prompt.empty();
    labels.cells.push_back(cat(named ? figure_text(image.prompt) + ", " : "", "seed ", image.seed));
  }
  return labels;
}

void write_grid(Results& results, const OutputFiles& files,
                const std::vector<GeneratedImage>& images, Provenance provenance) {
  std::vector<Image> cells;
  for (const GeneratedImage& image : images) {
    cells.push_back(image.image);
    provenance.seeds.push_back(image.seed);
  }
  if (files.early()) {
    return write_figure_file(results, files, make_grid(cells, files.columns), provenance);
  }
  write_figure(results, files, cells, files.columns,
               labels_of(images, files.columns, provenance.prompt), provenance);
}

PixelSize pixels_of(const Shape& image) {
  return {static_cast<uint64_t>(image[1]), static_cast<uint64_t>(image[0])};
}

uint64_t rows_of(const OutputFiles& files, int64_t images) {
  const auto columns = static_cast<uint64_t>(files.columns);
  return (static_cast<uint64_t>(images) + columns - 1) / columns;
}

std::string seed_label(uint64_t seed) { return cat("seed ", seed); }

// The frames of an animation of `images`.
PixelSize frame_size(const OutputFiles& files, int64_t images, const Shape& image) {
  const PixelSize one = pixels_of(image);
  if (images == 1) {
    const auto scale = static_cast<uint64_t>(files.early() ? kEarlyScale : files.image_scale);
    return {one.width * scale, one.height * scale};
  }
  if (files.early()) {
    const PixelSize grid = grid_size(one.width, one.height, static_cast<uint64_t>(images),
                                     static_cast<uint64_t>(files.columns));
    return {grid.width * kEarlyScale, grid.height * kEarlyScale};
  }
  return labeled_grid_size(one, static_cast<uint64_t>(files.columns), rows_of(files, images),
                           {"", {}, {}, {seed_label(0)}}, files.figure_scale);
}

// A frame: one image, or a figure of several with their seeds.
Image draw_frame(const OutputFiles& files, const std::vector<Image>& images,
                 const std::vector<uint64_t>& seeds) {
  if (files.early()) return upscale_nearest(make_grid(images, files.columns), kEarlyScale);
  if (images.size() == 1) return upscale_nearest(images.front(), files.image_scale);
  GridLabels labels;
  for (const uint64_t seed : seeds) labels.cells.push_back(seed_label(seed));
  const Image figure = draw_figure(files, images, files.columns, labels);
  // Letters and frames are gray: a fourth of the work for the encoders.
  return images.front().channels == 1 ? to_gray(figure) : figure;
}

void write_numbered(Results& results, const OutputFiles& files, int64_t number,
                    const GeneratedImage& image, const std::string& path,
                    const Provenance& common) {
  Provenance provenance = common;
  provenance.image = static_cast<int>(number);
  provenance.seeds = {image.seed};
  provenance.prompt = image.prompt;
  if (image.steps > 0) provenance.steps = image.steps;
  if (image.denoising_strength > 0) provenance.denoising_strength = image.denoising_strength;
  const int scale = image.is_figure ? files.figure_scale : files.image_scale;
  provenance.scale = files.early() ? 0 : scale;
  write_one(results, files, "image", path,
            image.is_figure ? image.image : upscale_nearest(image.image, scale), provenance,
            image.note);
}

}  // namespace

std::string figure_text(const std::string& prompt) {
  constexpr size_t kLongest = 60;         // characters
  constexpr char32_t kLastLatin = 0x24F;  // of Latin Extended-B
  std::string text;
  size_t characters = 0;
  for (size_t at = 0; at < prompt.size(); ++characters) {
    if (characters == kLongest) return text + "...";
    const CodePoint next = decode_utf8(std::string_view(prompt).substr(at));
    const bool is_shown = next.bytes > 0 && next.value >= ' ' && next.value <= kLastLatin;
    const size_t bytes = std::max<size_t>(next.bytes, 1);
    text += is_shown ? prompt.substr(at, bytes) : "?";
    at += bytes;
  }
  return text;
}

void check_files(const OutputFiles& files, int64_t images, const Shape& image) {
  if (files.motion) {
    check_animation(files.motion_flag(), *files.motion, frame_size(files, images, image));
  }
  if (files.gif) {
    check_animation("--gif", *files.gif, frame_size(files, images, image));
  }
  if (files.rerun.active()) {
    EBB_CHECK(files.grid || files.rerun.animation || files.rerun.image < images, UsageError,
              "image ", files.rerun.image, ": the command makes ", images, ".");
    return check_output_file(files.rerun.output, Overwrite::kReplace);
  }
  check_image_name("-o", files.output, ".png");
  const OutputPattern pattern(files.output, files.grid ? 1 : images);
  pattern.check(files.overwrite);
  const auto check_other = [&](const std::string& flag, const std::string& path) {
    EBB_CHECK(path != pattern.path(0), UsageError, flag, " ", path_label(path),
              ": is also the image's file. Choose another name.");
    check_output_file(path, files.overwrite);
  };
  if (files.gif) check_other("--gif", *files.gif);
  if (files.motion) check_other(files.motion_flag(), *files.motion);
  EBB_CHECK(!files.gif || files.gif != files.motion, UsageError, files.motion_flag(), " ",
            path_label(*files.motion), ": is also the file of --gif. Choose another name.");
}

std::string OutputFiles::motion_flag() const {
  return motion_kind == kStepBack ? "--step-back" : "--turn";
}

void set_scales(OutputFiles& files, const Shape& image, int64_t wanted) {
  const int64_t side = std::max(image[0], image[1]);
  const auto given = static_cast<int>(wanted);
  const int large = static_cast<int>(std::max<int64_t>(1, kImageSide / side));
  files.image_scale = files.early() ? 1 : (given > 0 ? given : large);
  files.animated_scale = files.image_scale;
  files.figure_scale = files.early() ? kEarlyScale : (given > 0 ? given : figure_scale(side));
}

void check_grid(const OutputFiles& files, int64_t images, const Shape& image, uint64_t last_seed) {
  if (files.early()) return;
  check_figure(files, image, files.columns, static_cast<int64_t>(rows_of(files, images)),
               {"", {}, {}, {seed_label(last_seed)}});
}

void check_figure(const OutputFiles& files, const Shape& image, int64_t columns, int64_t rows,
                  const GridLabels& labels) {
  if (!files.grid) return;
  check_figure_size("--grid",
                    labeled_grid_size(pixels_of(image), static_cast<uint64_t>(columns),
                                      static_cast<uint64_t>(rows), labels, files.figure_scale));
}

FrameRecorder::FrameRecorder(std::vector<uint64_t> seeds, int64_t steps, const Shape& image,
                             DataRange range)
    : seeds_(std::move(seeds)), steps_(steps), image_(image), range_(range) {
  const int64_t frames = std::min(kFrames, steps + 1);
  for (int64_t f = 0; f < frames; ++f) recorded_.push_back(f * steps / (frames - 1));
  frames_.assign(recorded_.size(), std::vector<Image>(seeds_.size()));
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
    frames.push_back(draw_frame(files, images, seeds_));
  }
  Provenance scaled = provenance;
  if (!files.early()) scaled.scale = files.animation_scale(static_cast<int64_t>(seeds_.size()));
  write_animation(*files.gif, frames, files.metadata ? &scaled : nullptr, files.overwrite);
  print_file(results.text(), *files.gif, {cat(frames.size(), " frames of ", steps_, " steps")});
  results.add_image(*files.gif, "animation", frames.front().width, frames.front().height, scaled);
}

Image draw_figure(const OutputFiles& files, std::span<const Image> cells, int64_t columns,
                  const GridLabels& labels) {
  return make_labeled_grid(cells, static_cast<int>(columns), labels, files.figure_scale);
}

void write_figure(Results& results, const OutputFiles& files, std::span<const Image> cells,
                  int64_t columns, const GridLabels& labels, const Provenance& common) {
  write_figure_file(results, files, draw_figure(files, cells, columns, labels), common);
}

void write_image(Results& results, const OutputFiles& files, int64_t number,
                 const GeneratedImage& image, const Provenance& common) {
  const OutputPattern pattern(files.output, number + 1);
  write_numbered(results, files, number, image, pattern.path(number), common);
}

void write_images(Results& results, const OutputFiles& files,
                  const std::vector<GeneratedImage>& images, const Provenance& common) {
  if (files.grid) {
    write_grid(results, files, images, common);
    return;
  }
  if (files.rerun.animation) return;
  if (files.rerun.active()) {
    const int64_t number = files.rerun.image;
    const size_t place = images.size() == 1 ? 0 : static_cast<size_t>(number);
    return write_numbered(results, files, number, images[place], files.rerun.output, common);
  }
  const OutputPattern pattern(files.output, static_cast<int64_t>(images.size()));
  for (size_t i = 0; i < images.size(); ++i) {
    const auto number = static_cast<int64_t>(i);
    write_numbered(results, files, number, images[i], pattern.path(number), common);
  }
}

}  // namespace ebb
