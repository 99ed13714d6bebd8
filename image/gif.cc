#include "image/gif.h"

#include <gif_lib.h>

#include <algorithm>
#include <array>
#include <map>
#include <memory>
#include <optional>

#include "base/error.h"

namespace ebb {
namespace {

constexpr int kMaxColors = 256;
constexpr int kMaxSide = 65535;

void check_gif(bool ok, const char* action) { EBB_CHECK(ok, Error, "GIF: giflib cannot ", action); }

struct ColorMapDeleter {
  void operator()(ColorMapObject* map) const { GifFreeMapObject(map); }
};
using ColorMap = std::unique_ptr<ColorMapObject, ColorMapDeleter>;

struct EncoderCloser {
  void operator()(GifFileType* gif) const { EGifCloseFile(gif, nullptr); }
};
using Encoder = std::unique_ptr<GifFileType, EncoderCloser>;

// One byte per pixel and what the bytes mean.
struct IndexedFrame {
  ColorMap colors;
  std::vector<uint8_t> indices;  // [height][width]
};

ColorMap gray_map() {
  ColorMap map(GifMakeMapObject(kMaxColors, nullptr));
  check_gif(map != nullptr, "make a color map");
  for (int i = 0; i < kMaxColors; ++i) {
    const auto level = static_cast<GifByteType>(i);
    map->Colors[i] = {level, level, level};
  }
  return map;
}

// Nothing when the frame has more than 256 colors.
std::optional<IndexedFrame> index_exactly(const Image& rgb) {
  std::map<std::array<uint8_t, 3>, uint8_t> palette;
  IndexedFrame frame;
  for (size_t i = 0; i < rgb.pixels.size(); i += 3) {
    const std::array<uint8_t, 3> color = {rgb.pixels[i], rgb.pixels[i + 1], rgb.pixels[i + 2]};
    const auto found = palette.find(color);
    if (found != palette.end()) {
      frame.indices.push_back(found->second);
      continue;
    }
    if (palette.size() == kMaxColors) return std::nullopt;
    const auto index = static_cast<uint8_t>(palette.size());
    palette.emplace(color, index);
    frame.indices.push_back(index);
  }
  frame.colors.reset(GifMakeMapObject(kMaxColors, nullptr));
  check_gif(frame.colors != nullptr, "make a color map");
  for (const auto& [color, index] : palette) {
    frame.colors->Colors[index] = {color[0], color[1], color[2]};
  }
  return frame;
}

IndexedFrame index_by_median_cut(const Image& rgb) {
  const size_t count = rgb.pixels.size() / 3;
  std::array<std::vector<GifByteType>, 3> planes;
  for (int c = 0; c < 3; ++c) {
    planes[c].resize(count);
    for (size_t i = 0; i < count; ++i) planes[c][i] = rgb.pixels[3 * i + c];
  }
  IndexedFrame frame{ColorMap(GifMakeMapObject(kMaxColors, nullptr)), std::vector<uint8_t>(count)};
  check_gif(frame.colors != nullptr, "make a color map");
  int colors = kMaxColors;
  const int status =
      GifQuantizeBuffer(rgb.width, rgb.height, &colors, planes[0].data(), planes[1].data(),
                        planes[2].data(), frame.indices.data(), frame.colors->Colors);
  check_gif(status == GIF_OK, "reduce the colors");
  return frame;
}

IndexedFrame index_colors(const Image& image) {
  if (image.channels == 1) return {gray_map(), image.pixels};
  const Image rgb = to_rgb(image);
  std::optional<IndexedFrame> exact = index_exactly(rgb);
  return exact ? std::move(*exact) : index_by_median_cut(rgb);
}

int append_bytes(GifFileType* gif, const GifByteType* bytes, int count) {
  auto* target = static_cast<std::vector<uint8_t>*>(gif->UserData);
  target->insert(target->end(), bytes, bytes + count);
  return count;
}

// The extension by which Netscape 2.0, and every viewer since, repeats an animation without end.
void put_endless_loop(GifFileType* gif) {
  constexpr std::array<GifByteType, 3> kForever = {1, 0, 0};
  check_gif(EGifPutExtensionLeader(gif, APPLICATION_EXT_FUNC_CODE) == GIF_OK &&
                EGifPutExtensionBlock(gif, 11, "NETSCAPE2.0") == GIF_OK &&
                EGifPutExtensionBlock(gif, kForever.size(), kForever.data()) == GIF_OK &&
                EGifPutExtensionTrailer(gif) == GIF_OK,
            "write the loop extension");
}

// A comment extension: blocks of at most 255 bytes.
void put_comment(GifFileType* gif, const std::string& comment) {
  if (comment.empty()) return;
  constexpr size_t kMaxBlock = 255;
  bool ok = EGifPutExtensionLeader(gif, COMMENT_EXT_FUNC_CODE) == GIF_OK;
  for (size_t at = 0; at < comment.size() && ok; at += kMaxBlock) {
    const size_t bytes = std::min(kMaxBlock, comment.size() - at);
    ok = EGifPutExtensionBlock(gif, static_cast<int>(bytes), comment.data() + at) == GIF_OK;
  }
  check_gif(ok && EGifPutExtensionTrailer(gif) == GIF_OK, "write the comment");
}

void put_frame(GifFileType* gif, const Image& image, int delay_ms) {
  GraphicsControlBlock control = {};
  control.DisposalMode = DISPOSE_DO_NOT;
  control.DelayTime = std::max(2, (delay_ms + 5) / 10);
  control.TransparentColor = NO_TRANSPARENT_COLOR;
  std::array<GifByteType, 4> extension;
  EGifGCBToExtension(&control, extension.data());
  check_gif(
      EGifPutExtension(gif, GRAPHICS_EXT_FUNC_CODE, extension.size(), extension.data()) == GIF_OK,
      "write the frame delay");
  IndexedFrame frame = index_colors(image);
  check_gif(
      EGifPutImageDesc(gif, 0, 0, image.width, image.height, false, frame.colors.get()) == GIF_OK,
      "start a frame");
  for (int y = 0; y < image.height; ++y) {
    GifPixelType* row = frame.indices.data() + static_cast<size_t>(y) * image.width;
    check_gif(EGifPutLine(gif, row, image.width) == GIF_OK, "write a row");
  }
}

}  // namespace

std::vector<uint8_t> encode_gif(std::span<const Image> frames, const AnimationTiming& timing,
                                const std::string& comment) {
  EBB_CHECK(!frames.empty(), ShapeError, "GIF: no frames");
  const Image& first = frames.front();
  EBB_CHECK(first.width <= kMaxSide && first.height <= kMaxSide, ShapeError, "GIF: frames of ",
            first.width, " x ", first.height, " pixels, expected at most ", kMaxSide, " a side");
  std::vector<uint8_t> bytes;
  int error = 0;
  Encoder gif(EGifOpen(&bytes, append_bytes, &error));
  check_gif(gif != nullptr, "start");
  EGifSetGifVersion(gif.get(), true);  // GIF89a, which has delays and loops
  check_gif(EGifPutScreenDesc(gif.get(), first.width, first.height, 8, 0, nullptr) == GIF_OK,
            "write the header");
  put_endless_loop(gif.get());
  put_comment(gif.get(), comment);
  for (size_t i = 0; i < frames.size(); ++i) {
    EBB_CHECK(frames[i].width == first.width && frames[i].height == first.height, ShapeError,
              "GIF: frame ", i, " is ", frames[i].width, " x ", frames[i].height, ", frame 0 is ",
              first.width, " x ", first.height);
    put_frame(gif.get(), frames[i], timing.display_ms(i, frames.size()));
  }
  check_gif(EGifCloseFile(gif.release(), &error) == GIF_OK, "finish");
  return bytes;
}

void write_gif(const std::string& path, std::span<const Image> frames,
               const AnimationTiming& timing, Overwrite overwrite, const std::string& comment) {
  write_output_file(path, encode_gif(frames, timing, comment), overwrite);
}

}  // namespace ebb
