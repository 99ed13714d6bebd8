// Reads a GIF, block by block (GIF89a specification).
#include <string_view>

#include "base/error.h"
#include "base/text.h"
#include "image/byte_reader.h"
#include "image/gif.h"
#include "image/stb_decoder.h"

namespace ebb {
namespace {

constexpr size_t kMaxCommentBytes = size_t{1} << 20;  // of all comments together
constexpr uint32_t kExtension = 0x21, kComment = 0xFE, kImage = 0x2C, kTrailer = 0x3B;

// A color table, when `flags` says that one follows.
void skip_colors(ByteReader& reader, uint32_t flags) {
  if ((flags & 0x80) != 0) reader.take(size_t{3} << ((flags & 7) + 1));
}

// Blocks of up to 255 bytes until an empty one.
std::string sub_blocks(ByteReader& reader, bool keep) {
  std::string text;
  for (uint32_t size = reader.u8(); size > 0; size = reader.u8()) {
    const auto data = reader.take(size);
    if (keep && text.size() < kMaxCommentBytes) text.append(data.begin(), data.end());
  }
  return text;
}

void skip_image(ByteReader& reader) {
  reader.take(8);  // place and size
  skip_colors(reader, reader.u8());
  reader.take(1);  // code size
  sub_blocks(reader, false);
}

// Up to the first block.
GifInfo read_start(ByteReader& reader, uint64_t file_bytes, const std::string& label) {
  const auto signature = reader.take(6);
  const std::string_view magic(reinterpret_cast<const char*>(signature.data()), signature.size());
  EBB_CHECK(magic == "GIF89a" || magic == "GIF87a", FormatError, label,
            ": does not start as a GIF does. Give another file.");
  GifInfo info;
  info.file_bytes = file_bytes;
  info.width = static_cast<int>(reader.u16());
  info.height = static_cast<int>(reader.u16());
  const uint32_t flags = reader.u8();
  reader.take(2);  // background color, pixel shape
  skip_colors(reader, flags);
  return info;
}

// Parses on, to the end or past `max_frames` frames.
void parse_frames(ByteReader& reader, int max_frames, const std::string& label, GifInfo& info) {
  size_t comment_bytes = 0;
  while (info.frames < max_frames) {
    if (info.frames > 0 && reader.left() == 0) return;  // without an end marker
    const uint32_t kind = reader.u8();
    if (kind == kTrailer) return;
    if (kind == kExtension) {
      const bool keep = reader.u8() == kComment && comment_bytes < kMaxCommentBytes;
      const std::string text = sub_blocks(reader, keep);
      comment_bytes += text.size();
      if (keep) info.comments.push_back(text);
    } else {
      EBB_CHECK(kind == kImage, FormatError, label, ": block of unknown kind ", kind, " at byte ",
                reader.position() - 1, ".", kImageDamaged);
      skip_image(reader);
      ++info.frames;
    }
  }
}

}  // namespace

GifInfo read_gif_info(std::span<const uint8_t> file, const std::string& label) {
  ByteReader reader(file, label, "GIF");
  GifInfo info = read_start(reader, file.size(), label);
  parse_frames(reader, INT32_MAX, label, info);
  return info;
}

Image decode_gif(std::span<const uint8_t> file, const std::string& label) {
  ByteReader reader(file, label, "GIF");
  GifInfo info = read_start(reader, file.size(), label);
  check_readable_size(label, static_cast<uint64_t>(info.width), static_cast<uint64_t>(info.height));
  parse_frames(reader, 1, label, info);
  EBB_CHECK(info.frames == 1, FormatError, label, ": GIF without an image.", kImageDamaged);
  return decode_with_stb(file.first(reader.position()), label, "GIF");
}

std::string describe(const GifInfo& info) {
  return cat("GIF image, ", info.width, " x ", info.height, " pixels, ", info.frames,
             info.frames == 1 ? " frame, " : " frames, ", format_bytes(info.file_bytes));
}

}  // namespace ebb
