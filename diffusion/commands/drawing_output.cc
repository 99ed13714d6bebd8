#include "diffusion/commands/drawing_output.h"

#include <algorithm>
#include <iostream>

#include "base/text.h"
#include "diffusion/picture/gif.h"
#include "diffusion/picture/png.h"
#include "diffusion/program/output_pattern.h"
#include "diffusion/program/picture_provenance.h"

namespace ebb {
namespace {

constexpr int kGifScale = 2;  // 28 pixels are small on today's screens

// "out.png  seed 42  class 3"
void print_file(const std::string& path, const std::vector<std::string>& facts) {
  std::cout << path_label(path);
  for (const std::string& fact : facts) {
    if (!fact.empty()) std::cout << "  " << terminal_safe(fact);
  }
  std::cout << '\n';
}

std::string seeds_text(const std::vector<uint64_t>& seeds) {
  if (seeds.empty()) return "";
  const auto [first, last] = std::minmax_element(seeds.begin(), seeds.end());
  return *first == *last ? cat("seed ", *first) : cat("seeds ", *first, "..", *last);
}

void write_grid(const OutputFiles& files, const std::vector<DrawnPicture>& pictures,
                Provenance provenance) {
  std::vector<Image> images;
  for (const DrawnPicture& picture : pictures) {
    images.push_back(picture.image);
    provenance.seeds.push_back(picture.seed);
  }
  write_figure(files, make_grid(images, files.columns), provenance);
}

}  // namespace

void check_files(const OutputFiles& files, int64_t pictures) {
  if (files.redraw.active()) {
    EBB_CHECK(files.grid || files.redraw.animation || files.redraw.picture < pictures, UsageError,
              "picture ", files.redraw.picture, ": the command makes ", pictures, ".");
    return check_output_file(files.redraw.output, Overwrite::kReplace);
  }
  check_picture_name("-o", files.output, ".png");
  const OutputPattern pattern(files.output, files.grid ? 1 : pictures);
  pattern.check(files.overwrite);
  if (!files.gif) return;
  check_picture_name("--gif", *files.gif, ".gif");
  EBB_CHECK(*files.gif != pattern.path(0), UsageError, "--gif ", path_label(*files.gif),
            ": is also the picture's file. Choose another name.");
  check_output_file(*files.gif, files.overwrite);
}

FrameRecorder::FrameRecorder(int64_t pictures, int64_t moves, const Shape& image, DataRange range)
    : moves_(moves), image_(image), range_(range) {
  const int64_t frames = std::min(kFrames, moves + 1);
  for (int64_t f = 0; f < frames; ++f) recorded_.push_back(f * moves / (frames - 1));
  frames_.assign(recorded_.size(), std::vector<Image>(static_cast<size_t>(pictures)));
}

void FrameRecorder::record(int64_t first, int64_t moves_done, const Tensor& x) {
  const auto found = std::lower_bound(recorded_.begin(), recorded_.end(), moves_done);
  if (found == recorded_.end() || *found != moves_done) return;
  std::vector<Image> pictures = to_images(x.to_host(), image_, range_);
  std::move(pictures.begin(), pictures.end(), frames_[found - recorded_.begin()].begin() + first);
}

void FrameRecorder::write(const OutputFiles& files, const Provenance& provenance) const {
  std::vector<Image> frames;
  for (const std::vector<Image>& pictures : frames_) {
    frames.push_back(upscale_nearest(make_grid(pictures, files.columns), kGifScale));
  }
  write_gif(*files.gif, frames, {}, files.overwrite, gif_comment(provenance));
  print_file(*files.gif, {cat(frames.size(), " frames of ", moves_, " steps")});
}

std::vector<Image> to_images(std::span<const float> values, const Shape& image, DataRange range) {
  const auto elements = static_cast<size_t>(image.elements());
  const PixelRange pixels =
      range == DataRange::kZeroToOne ? PixelRange::kZeroToOne : PixelRange::kMinusOneToOne;
  std::vector<Image> pictures;
  for (size_t first = 0; first < values.size(); first += elements) {
    pictures.push_back(image_from_floats(values.subspan(first, elements),
                                         static_cast<int>(image[1]), static_cast<int>(image[0]),
                                         static_cast<int>(image[2]), pixels));
  }
  return pictures;
}

void write_figure(const OutputFiles& files, const Image& figure, const Provenance& common) {
  if (files.redraw.animation) return;
  const std::string& path = files.redraw.active() ? files.redraw.output : files.output;
  write_png(path, figure, to_text_chunks(common), files.overwrite);
  print_file(path, {seeds_text(common.seeds), common.prompt});
}

void write_pictures(const OutputFiles& files, const std::vector<DrawnPicture>& pictures,
                    const Provenance& common) {
  if (files.grid) {
    write_grid(files, pictures, common);
    return;
  }
  if (files.redraw.animation) return;
  const auto write = [&](int64_t number, const DrawnPicture& picture, const std::string& path) {
    Provenance provenance = common;
    provenance.picture = static_cast<int>(number);
    provenance.seeds = {picture.seed};
    provenance.prompt = picture.prompt;
    write_png(path, picture.image, to_text_chunks(provenance), files.overwrite);
    print_file(path, {seeds_text(provenance.seeds), provenance.prompt, picture.note});
  };
  if (files.redraw.active()) {
    const int64_t number = files.redraw.picture;
    const size_t place = pictures.size() == 1 ? 0 : static_cast<size_t>(number);
    return write(number, pictures[place], files.redraw.output);
  }
  const OutputPattern pattern(files.output, static_cast<int64_t>(pictures.size()));
  for (size_t i = 0; i < pictures.size(); ++i) {
    const auto number = static_cast<int64_t>(i);
    write(number, pictures[i], pattern.path(number));
  }
}

}  // namespace ebb
