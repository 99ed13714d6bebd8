#include <spng.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "base/error.h"
#include "base/text.h"
#include "base/utf8.h"
#include "image/png.h"

namespace ebb {
namespace {

using Encoder = std::unique_ptr<spng_ctx, decltype(&spng_ctx_free)>;

void check_spng(int status) {
  EBB_CHECK(status == SPNG_OK, Error, "PNG: libspng: ", spng_strerror(status));
}

uint8_t color_type(int channels) {
  switch (channels) {
    case 1:
      return SPNG_COLOR_TYPE_GRAYSCALE;
    case 3:
      return SPNG_COLOR_TYPE_TRUECOLOR;
    case 4:
      return SPNG_COLOR_TYPE_TRUECOLOR_ALPHA;
  }
  throw ShapeError(cat("PNG: image with ", channels, " channels, expected 1, 3 or 4"));
}

bool is_ascii(const std::string& text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

void check_text(const TextChunk& chunk) {
  const std::string& keyword = chunk.keyword;
  const bool characters =
      std::all_of(keyword.begin(), keyword.end(), [](char c) { return c >= 0x20 && c < 0x7F; });
  EBB_CHECK(!keyword.empty() && keyword.size() <= 79 && characters && keyword.front() != ' ' &&
                keyword.back() != ' ',
            Error, "PNG: text keyword ", quoted(keyword), " is not allowed by PNG");
  EBB_CHECK(
      !chunk.text.empty() && is_utf8(chunk.text) && chunk.text.find('\0') == std::string::npos,
      Error, "PNG: text ", quoted(keyword), " is empty, not UTF-8 or holds a zero byte");
}

// libspng copies nothing: `chunks` and the result must live until the image is encoded.
std::vector<spng_text> to_spng_text(const TextChunks& chunks) {
  static char empty[] = "";
  std::vector<spng_text> result;
  for (const TextChunk& chunk : chunks) {
    check_text(chunk);
    spng_text text = {};
    std::memcpy(text.keyword, chunk.keyword.c_str(), chunk.keyword.size() + 1);
    text.type = is_ascii(chunk.text) ? SPNG_TEXT : SPNG_ITXT;
    text.text = const_cast<char*>(chunk.text.c_str());
    text.length = chunk.text.size();
    text.language_tag = empty;
    text.translated_keyword = empty;
    result.push_back(text);
  }
  return result;
}

}  // namespace

std::vector<uint8_t> encode_png(const Image& image, const TextChunks& text) {
  const Encoder encoder(spng_ctx_new(SPNG_CTX_ENCODER), spng_ctx_free);
  EBB_CHECK(encoder != nullptr, Error, "PNG: libspng cannot start");
  check_spng(spng_set_option(encoder.get(), SPNG_ENCODE_TO_BUFFER, 1));
  spng_ihdr header = {};
  header.width = static_cast<uint32_t>(image.width);
  header.height = static_cast<uint32_t>(image.height);
  header.bit_depth = 8;
  header.color_type = color_type(image.channels);
  check_spng(spng_set_ihdr(encoder.get(), &header));
  std::vector<spng_text> chunks = to_spng_text(text);
  if (!chunks.empty()) {
    check_spng(spng_set_text(encoder.get(), chunks.data(), static_cast<uint32_t>(chunks.size())));
  }
  check_spng(spng_encode_image(encoder.get(), image.pixels.data(), image.pixels.size(),
                               SPNG_FMT_PNG, SPNG_ENCODE_FINALIZE));
  size_t bytes = 0;
  int status = SPNG_OK;
  const std::unique_ptr<void, decltype(&std::free)> buffer(
      spng_get_png_buffer(encoder.get(), &bytes, &status), std::free);
  check_spng(status);
  const uint8_t* begin = static_cast<const uint8_t*>(buffer.get());
  return {begin, begin + bytes};
}

void write_png(const std::string& path, const Image& image, const TextChunks& text,
               Overwrite overwrite) {
  write_output_file(path, encode_png(image, text), overwrite);
}

}  // namespace ebb
