#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "image/image.h"
#include "weights/file_kind.h"

namespace ebb {

// The image files that ebb reads, for messages.
inline constexpr const char* kImageKinds = "a PNG, JPEG, WebP, GIF, BMP, PNM or TGA image";

bool is_image(FileKind kind);
// "png", "jpeg", ... for JSON; "PNG", "JPEG", ... for people.
std::string image_kind_key(FileKind kind);
std::string image_kind_name(FileKind kind);

// A file, or a stream (base/stream.h), in memory, and what its bytes say that it is.
class ImageBytes {
 public:
  // FormatError when it is larger than any image that ebb reads.
  explicit ImageBytes(const std::string& path);

  FileKind kind() const { return kind_; }
  // Lets the reader of `kind` say what is wrong with bytes that are of no kind, or empty.
  void assume(FileKind kind) {
    const bool is_open = kind_ == FileKind::kUnknown || kind_ == FileKind::kEmpty;
    if (is_open && kind != FileKind::kUnknown) kind_ = kind;
  }
  const std::string& label() const { return label_; }  // the path as messages show it
  std::span<const uint8_t> bytes() const {
    return {reinterpret_cast<const uint8_t*>(content_.data()), content_.size()};
  }
  std::string sha256() const;

  // FormatError that says what the file is and how to convert it, unless is_image(kind()).
  // `wanted`: kImageKinds, or that and more.
  void check_image(const std::string& wanted) const;

 private:
  std::vector<std::byte> content_;
  std::string label_;
  FileKind kind_;
};

// The image as it is meant to be seen, the first frame of an animation. FormatError when the file
// is damaged or no image.
Image decode_image(const ImageBytes& file);

// Decodes the whole image and describes it for `ebb inspect`, in lines that are safe to print.
std::string describe_image(const ImageBytes& file);

// "WebP image, 28 x 28 pixels, ..." without decoding the pixels.
std::string summarize_image(const ImageBytes& file);

}  // namespace ebb
