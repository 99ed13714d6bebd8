#include "apps/cli/image_bytes.h"

#include <algorithm>
#include <cctype>

#include "base/error.h"
#include "base/stream.h"
#include "base/text.h"
#include "image/gif.h"
#include "image/jpeg.h"
#include "image/png.h"
#include "image/raster_formats.h"
#include "image/webp.h"
#include "weights/digest.h"

namespace ebb {
namespace {

constexpr uint64_t kMaxFileBytes = kMaxImagePixels * 8 + (1 << 20);

std::string_view text_of(const std::vector<std::byte>& content) {
  return {reinterpret_cast<const char*>(content.data()), content.size()};
}

// For the formats of raster_formats.h.
std::string raster_summary(const ImageBytes& file) {
  const RasterInfo info = file.kind() == FileKind::kBmp ? read_bmp_info(file.bytes(), file.label())
                          : file.kind() == FileKind::kPnm
                              ? read_pnm_info(file.bytes(), file.label())
                              : read_tga_info(file.bytes(), file.label());
  return cat(image_kind_name(file.kind()), " image, ", info.width, " x ", info.height, " pixels, ",
             info.pixels, ", ", format_bytes(file.bytes().size()));
}

}  // namespace

bool is_image(FileKind kind) { return !image_kind_name(kind).empty(); }

std::string image_kind_name(FileKind kind) {
  switch (kind) {
    case FileKind::kPng:
      return "PNG";
    case FileKind::kJpeg:
      return "JPEG";
    case FileKind::kWebp:
      return "WebP";
    case FileKind::kGif:
      return "GIF";
    case FileKind::kBmp:
      return "BMP";
    case FileKind::kPnm:
      return "PNM";
    case FileKind::kTga:
      return "TGA";
    default:
      return "";
  }
}

std::string image_kind_key(FileKind kind) {
  std::string key = image_kind_name(kind);
  std::transform(key.begin(), key.end(), key.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return key;
}

ImageBytes::ImageBytes(const std::string& path)
    : content_(read_file_or_stream(path, kMaxFileBytes)),
      label_(path_label(path)),
      kind_(file_kind(text_of(content_).substr(0, kKindBytes), content_.size())) {}

std::string ImageBytes::sha256() const { return sha256_hex(content_.data(), content_.size()); }

void ImageBytes::check_image(const std::string& wanted) const {
  if (is_image(kind_)) return;
  refuse_other_kinds(text_of(content_).substr(0, kKindBytes), content_.size(), label_, wanted, {});
  throw FormatError(cat(label_, ": unknown kind of file, expected ", wanted,
                        ". Convert it or name another file."));
}

Image decode_image(const ImageBytes& file) {
  switch (file.kind()) {
    case FileKind::kPng:
      return decode_png(file.bytes(), file.label());
    case FileKind::kJpeg:
      return decode_jpeg(file.bytes(), file.label());
    case FileKind::kWebp:
      return decode_webp(file.bytes(), file.label());
    case FileKind::kGif:
      return decode_gif(file.bytes(), file.label());
    case FileKind::kBmp:
      return decode_bmp(file.bytes(), file.label());
    case FileKind::kPnm:
      return decode_pnm(file.bytes(), file.label());
    case FileKind::kTga:
      return decode_tga(file.bytes(), file.label());
    default:
      file.check_image(kImageKinds);
      return {};
  }
}

std::string describe_image(const ImageBytes& file) {
  if (file.kind() == FileKind::kPng) return describe_png(file.bytes(), file.label());
  if (file.kind() == FileKind::kJpeg) return describe_jpeg(file.bytes(), file.label());
  decode_image(file);
  return summarize_image(file) + "\n";
}

std::string summarize_image(const ImageBytes& file) {
  file.check_image(kImageKinds);
  switch (file.kind()) {
    case FileKind::kPng:
      return describe(read_png_info(file.bytes(), file.label()));
    case FileKind::kJpeg:
      return describe(read_jpeg_info(file.bytes(), file.label()));
    case FileKind::kWebp:
      return describe(read_webp_info(file.bytes(), file.label()));
    case FileKind::kGif:
      return describe(read_gif_info(file.bytes(), file.label()));
    default:
      return raster_summary(file);
  }
}

}  // namespace ebb
