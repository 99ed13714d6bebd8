#include "diffusion/commands/sample_output.h"

#include <algorithm>
#include <iostream>

#include "diffusion/output_pattern.h"
#include "diffusion/picture/gif.h"
#include "diffusion/picture/png.h"
#include "engine/base/text.h"

namespace ebb {
namespace {

constexpr int kGifScale = 2;  // 28 pixels are small on today's screens

std::string class_text(int64_t label) { return label == kNoClass ? "" : cat("class ", label); }

std::string joined(const std::string& path, const std::string& seeds, const std::string& classes) {
  return cat(path_label(path), "  ", seeds, classes.empty() ? "" : "  ", classes);
}

void write_grid(const SampleFiles& files, const std::vector<Image>& pictures,
                const GenerateRequest& request, Provenance provenance) {
  const uint64_t last_seed = request.first_seed + pictures.size() - 1;
  for (uint64_t seed = request.first_seed; seed <= last_seed; ++seed) {
    provenance.seeds.push_back(seed);
  }
  write_png(files.output, make_grid(pictures, files.columns), to_text_chunks(provenance),
            files.overwrite);
  const std::string seeds = pictures.size() == 1
                                ? cat("seed ", request.first_seed)
                                : cat("seeds ", request.first_seed, "..", last_seed);
  std::cout << joined(files.output, seeds, provenance.prompt) << '\n';
}

}  // namespace

void check_files(const SampleFiles& files, int64_t pictures) {
  const OutputPattern pattern(files.output, files.grid ? 1 : pictures);
  pattern.check(files.overwrite);
  if (!files.gif) return;
  EBB_CHECK(*files.gif != pattern.path(0), UsageError, "--gif ", path_label(*files.gif),
            ": is also the picture's file. Choose another name.");
  check_output_file(*files.gif, files.overwrite);
}

FrameRecorder::FrameRecorder(int64_t pictures, int64_t steps, const Shape& image)
    : steps_(steps), image_(image) {
  const int64_t frames = std::min(kFrames, steps + 1);
  for (int64_t f = 0; f < frames; ++f) recorded_steps_.push_back(f * steps / (frames - 1));
  frames_.assign(recorded_steps_.size(), std::vector<Image>(static_cast<size_t>(pictures)));
}

void FrameRecorder::record(int64_t first, int64_t steps_done, const Tensor& x) {
  const auto found = std::lower_bound(recorded_steps_.begin(), recorded_steps_.end(), steps_done);
  if (found == recorded_steps_.end() || *found != steps_done) return;
  std::vector<Image> pictures = to_images(x.to_host(), image_);
  std::move(pictures.begin(), pictures.end(),
            frames_[found - recorded_steps_.begin()].begin() + first);
}

void FrameRecorder::write(const SampleFiles& files) const {
  std::vector<Image> frames;
  for (const std::vector<Image>& pictures : frames_) {
    frames.push_back(upscale_nearest(make_grid(pictures, files.columns), kGifScale));
  }
  write_gif(*files.gif, frames, {}, files.overwrite);
  std::cout << path_label(*files.gif) << "  " << frames.size() << " frames of " << steps_
            << " steps\n";
}

std::vector<Image> to_images(std::span<const float> values, const Shape& image) {
  const auto elements = static_cast<size_t>(image.elements());
  std::vector<Image> pictures;
  for (size_t first = 0; first < values.size(); first += elements) {
    pictures.push_back(image_from_floats(values.subspan(first, elements),
                                         static_cast<int>(image[1]), static_cast<int>(image[0]),
                                         static_cast<int>(image[2]), PixelRange::kZeroToOne));
  }
  return pictures;
}

void write_pictures(const SampleFiles& files, const std::vector<Image>& pictures,
                    const GenerateRequest& request, const Provenance& common) {
  if (files.grid) {
    write_grid(files, pictures, request, common);
    return;
  }
  const OutputPattern pattern(files.output, static_cast<int64_t>(pictures.size()));
  for (size_t i = 0; i < pictures.size(); ++i) {
    Provenance provenance = common;
    provenance.seeds = {request.first_seed + i};
    provenance.prompt = class_text(request.classes[i]);
    const std::string path = pattern.path(static_cast<int64_t>(i));
    write_png(path, pictures[i], to_text_chunks(provenance), files.overwrite);
    std::cout << joined(path, cat("seed ", provenance.seeds[0]), provenance.prompt) << '\n';
  }
}

}  // namespace ebb
