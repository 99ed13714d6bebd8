#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "image/image.h"

namespace ebb {

// A font of color bitmaps, such as Noto Color Emoji. FreeType reads it, HarfBuzz finds the glyph of
// a sequence of characters.
class EmojiFont {
 public:
  explicit EmojiFont(const std::string& path);  // IoError, FormatError
  ~EmojiFont();
  EmojiFont(const EmojiFont&) = delete;
  EmojiFont& operator=(const EmojiFont&) = delete;

  // The bitmap as the font has it, in the middle of a square, with straight alpha: nothing where
  // the font has no single glyph for the sequence.
  std::optional<Image> draw(const std::vector<char32_t>& sequence) const;

 private:
  struct Handles;
  std::string label_;
  std::unique_ptr<Handles> handles_;
};

// Scales an image with straight alpha: colors are weighted by alpha, so that hidden ones do not
// show.
Image resize_rgba(const Image& image, int width, int height);

}  // namespace ebb
