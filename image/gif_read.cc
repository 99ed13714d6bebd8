// Reads the metadata of a GIF, block by block (GIF89a specification).
#include <string_view>

#include "base/error.h"
#include "base/file.h"
#include "base/text.h"
#include "image/gif.h"

namespace ebb {
namespace {

constexpr uint64_t kMaxFileBytes = uint64_t{256} << 20;
constexpr size_t kMaxCommentBytes = size_t{1} << 20;  // of all comments together

class GifReader {
 public:
  GifReader(std::span<const uint8_t> bytes, const std::string& label)
      : bytes_(bytes), label_(label) {}

  std::span<const uint8_t> take(size_t count) {
    EBB_CHECK(count <= bytes_.size() - at_, FormatError, label_, ": ends at byte ", bytes_.size(),
              ", inside a block of a GIF. The file is damaged; get it again.");
    at_ += count;
    return bytes_.subspan(at_ - count, count);
  }
  int byte() { return take(1)[0]; }
  int word() {
    const auto two = take(2);
    return two[0] | two[1] << 8;
  }
  // A color table, when `flags` says that one follows.
  void skip_colors(int flags) {
    if ((flags & 0x80) != 0) take(size_t{3} << ((flags & 7) + 1));
  }
  // Blocks of up to 255 bytes until an empty one.
  std::string sub_blocks(bool keep) {
    std::string text;
    for (int size = byte(); size > 0; size = byte()) {
      const auto data = take(static_cast<size_t>(size));
      if (keep && text.size() < kMaxCommentBytes) text.append(data.begin(), data.end());
    }
    return text;
  }
  size_t position() const { return at_; }

 private:
  std::span<const uint8_t> bytes_;
  const std::string& label_;
  size_t at_ = 0;
};

}  // namespace

GifInfo read_gif_info(const std::string& path) {
  constexpr int kExtension = 0x21, kComment = 0xFE, kImage = 0x2C, kTrailer = 0x3B;
  const std::vector<std::byte> file = read_file(path, kMaxFileBytes);
  const std::string label = path_label(path);
  GifReader reader({reinterpret_cast<const uint8_t*>(file.data()), file.size()}, label);
  const auto signature = reader.take(6);
  const std::string_view magic(reinterpret_cast<const char*>(signature.data()), signature.size());
  EBB_CHECK(magic == "GIF89a" || magic == "GIF87a", FormatError, label,
            ": does not start as a GIF does. Give another file.");
  GifInfo info;
  info.file_bytes = file.size();
  info.width = reader.word();
  info.height = reader.word();
  const int flags = reader.byte();
  reader.take(2);  // background color, pixel shape
  reader.skip_colors(flags);
  size_t comment_bytes = 0;
  for (int kind = reader.byte(); kind != kTrailer; kind = reader.byte()) {
    if (kind == kExtension) {
      const bool keep = reader.byte() == kComment && comment_bytes < kMaxCommentBytes;
      const std::string text = reader.sub_blocks(keep);
      comment_bytes += text.size();
      if (keep) info.comments.push_back(text);
    } else {
      EBB_CHECK(kind == kImage, FormatError, label, ": block of unknown kind ", kind, " at byte ",
                reader.position() - 1, ". The file is damaged; get it again.");
      reader.take(8);  // place and size
      reader.skip_colors(reader.byte());
      reader.take(1);  // code size
      reader.sub_blocks(false);
      ++info.frames;
    }
  }
  return info;
}

std::string describe(const GifInfo& info) {
  return cat("GIF image, ", info.width, " x ", info.height, " pixels, ", info.frames,
             info.frames == 1 ? " frame, " : " frames, ", format_bytes(info.file_bytes));
}

}  // namespace ebb
