#include "apps/emoji/emoji_font.h"

#include <ft2build.h>
#include FT_FREETYPE_H
#include <hb-ft.h>

#include <algorithm>

#include "base/error.h"
#include "base/file.h"
#include "base/text.h"
#include "image/resize.h"

namespace ebb {
namespace {

constexpr size_t kAlpha = 3;

// FreeType's BGRA, whose colors are multiplied by alpha.
Image to_square(const FT_Bitmap& bitmap) {
  const int width = static_cast<int>(bitmap.width), height = static_cast<int>(bitmap.rows);
  const int side = std::max(width, height);
  Image image = make_image(side, side, 4);
  const int left = (side - width) / 2, top = (side - height) / 2;
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      const uint8_t* from = bitmap.buffer + static_cast<ptrdiff_t>(y) * bitmap.pitch + 4 * x;
      uint8_t* to = image.pixels.data() + 4 * (static_cast<size_t>(top + y) * side + left + x);
      const int alpha = from[kAlpha];
      for (int c = 0; c < 3 && alpha > 0; ++c) {
        to[c] = static_cast<uint8_t>(std::min(255, (from[2 - c] * 255 + alpha / 2) / alpha));
      }
      to[kAlpha] = static_cast<uint8_t>(alpha);
    }
  }
  return image;
}

}  // namespace

struct EmojiFont::Handles {
  FT_Library library = nullptr;
  FT_Face face = nullptr;
  hb_font_t* font = nullptr;

  Handles() = default;
  Handles(const Handles&) = delete;
  Handles& operator=(const Handles&) = delete;
  ~Handles() {
    if (font != nullptr) hb_font_destroy(font);
    if (face != nullptr) FT_Done_Face(face);
    if (library != nullptr) FT_Done_FreeType(library);
  }
};

EmojiFont::EmojiFont(const std::string& path)
    : label_(path_label(path)), handles_(std::make_unique<Handles>()) {
  const FileReader exists(path);
  EBB_CHECK(FT_Init_FreeType(&handles_->library) == 0, Error, "FreeType does not start");
  EBB_CHECK(FT_New_Face(handles_->library, path.c_str(), 0, &handles_->face) == 0, FormatError,
            label_, ": is no font that FreeType reads. Install fonts-noto-color-emoji.");
  FT_Face face = handles_->face;
  EBB_CHECK(FT_HAS_COLOR(face) && face->num_fixed_sizes > 0 && FT_Select_Size(face, 0) == 0,
            FormatError, label_,
            ": has no color bitmaps, expected some as in fonts-noto-color-emoji.");
  handles_->font = hb_ft_font_create_referenced(face);
}

EmojiFont::~EmojiFont() = default;

std::optional<Image> EmojiFont::draw(const std::vector<char32_t>& sequence) const {
  hb_buffer_t* buffer = hb_buffer_create();
  for (const char32_t character : sequence) hb_buffer_add(buffer, character, 0);
  hb_buffer_set_content_type(buffer, HB_BUFFER_CONTENT_TYPE_UNICODE);
  hb_buffer_guess_segment_properties(buffer);
  hb_shape(handles_->font, buffer, nullptr, 0);
  unsigned count = 0;
  const hb_glyph_info_t* glyphs = hb_buffer_get_glyph_infos(buffer, &count);
  unsigned glyph = 0;
  int visible = 0;
  for (unsigned i = 0; i < count; ++i) {
    FT_Face face = handles_->face;
    const bool loads = FT_Load_Glyph(face, glyphs[i].codepoint, FT_LOAD_COLOR) == 0;
    if (!loads || face->glyph->bitmap.width == 0) continue;
    glyph = glyphs[i].codepoint;
    ++visible;
  }
  hb_buffer_destroy(buffer);
  if (visible != 1 || glyph == 0) return std::nullopt;
  const bool loads = FT_Load_Glyph(handles_->face, glyph, FT_LOAD_COLOR) == 0;
  const FT_Bitmap& bitmap = handles_->face->glyph->bitmap;
  if (!loads || bitmap.pixel_mode != FT_PIXEL_MODE_BGRA) return std::nullopt;
  return to_square(bitmap);
}

Image resize_rgba(const Image& image, int width, int height) {
  Image colors = make_image(image.width, image.height, 3);
  Image alpha = make_image(image.width, image.height, 1);
  for (size_t p = 0; p < alpha.pixels.size(); ++p) {
    const uint8_t* pixel = image.pixels.data() + 4 * p;
    alpha.pixels[p] = pixel[kAlpha];
    for (size_t c = 0; c < 3; ++c) {
      colors.pixels[3 * p + c] = static_cast<uint8_t>((pixel[c] * pixel[kAlpha] + 127) / 255);
    }
  }
  colors = resize_bicubic(colors, width, height);
  alpha = resize_bicubic(alpha, width, height);
  Image result = make_image(width, height, 4);
  for (size_t p = 0; p < alpha.pixels.size(); ++p) {
    const int a = alpha.pixels[p];
    for (size_t c = 0; c < 3 && a > 0; ++c) {
      const int color = (colors.pixels[3 * p + c] * 255 + a / 2) / a;
      result.pixels[4 * p + c] = static_cast<uint8_t>(std::min(color, 255));
    }
    result.pixels[4 * p + kAlpha] = static_cast<uint8_t>(a);
  }
  return result;
}

}  // namespace ebb
