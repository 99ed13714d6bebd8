#include "apps/cli/image_provenance.h"

#include "base/error.h"
#include "base/file.h"
#include "base/text.h"
#include "image/gif.h"
#include "image/jpeg.h"
#include "image/png.h"
#include "weights/file_kind.h"

namespace ebb {
namespace {

const std::string kGifStart = std::string(kProvenanceKeyword) + " ";

ImageFile read_gif_file(const std::string& path) {
  const GifInfo info = read_gif_info(path);
  ImageFile file{.description = describe(info), .animation = true, .provenance = std::nullopt};
  for (const std::string& comment : info.comments) {
    if (!comment.starts_with(kGifStart + "{")) continue;
    file.provenance = parse_provenance_json(comment.substr(kGifStart.size()), path_label(path));
    break;
  }
  return file;
}

}  // namespace

std::string gif_comment(const Provenance& provenance) {
  return kGifStart + provenance_json(provenance);
}

ImageFile read_image_file(const std::string& path) {
  const FileReader reader(path);
  switch (file_kind(reader)) {
    case FileKind::kGif:
      return read_gif_file(path);
    case FileKind::kJpeg:
      return {.description = describe(read_jpeg_info(path)),
              .animation = false,
              .provenance = std::nullopt};
    case FileKind::kPng: {
      const PngInfo info = read_png_info(path);
      return {.description = describe(info),
              .animation = false,
              .provenance = parse_provenance(info.text, path_label(path))};
    }
    default:
      refuse_other_kinds(reader, "a PNG, GIF or JPEG image", {});
      throw FormatError(cat(reader.label(),
                            ": unknown kind of file, expected a PNG, GIF or JPEG image. Name "
                            "another file."));
  }
}

}  // namespace ebb
