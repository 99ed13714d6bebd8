#include "apps/cli/animation_file.h"

#include <algorithm>
#include <cctype>
#include <filesystem>

#include "apps/cli/image_provenance.h"
#include "base/error.h"
#include "base/text.h"
#include "image/gif.h"
#include "image/webp.h"

namespace ebb {

bool is_webp_name(const std::string& path) {
  std::string ending = std::filesystem::path(path).extension().string();
  std::transform(ending.begin(), ending.end(), ending.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return ending == ".webp";
}

void check_animation(const std::string& flag, const std::string& path, PixelSize frame) {
  const bool webp = is_webp_name(path);
  if (!webp) check_image_name(flag, path, ".gif");
  const uint64_t side = webp ? kMaxWebpSide : kMaxImageSide;
  EBB_CHECK(
      frame.width <= side && frame.height <= side && is_readable_size(frame.width, frame.height),
      UsageError, flag, " ", path_label(path), ": frames of ", frame.width, " x ", frame.height,
      " pixels, expected sides of at most ", side, " and at most ", kMaxImagePixels,
      " pixels. Draw fewer images, change --grid-cols or lower --scale.");
}

void write_animation(const std::string& path, std::span<const Image> frames,
                     const Provenance* provenance, Overwrite overwrite,
                     const AnimationTiming& timing) {
  const bool webp = is_webp_name(path);
  std::string text;
  if (provenance != nullptr) text = webp ? webp_packet(*provenance) : gif_comment(*provenance);
  write_output_file(
      path, webp ? encode_webp(frames, timing, text) : encode_gif(frames, timing, text), overwrite);
}

}  // namespace ebb
