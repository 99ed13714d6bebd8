#include "apps/cli/image_provenance.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include "base/error.h"
#include "image/gif.h"
#include "image/png.h"
#include "image/webp.h"

namespace ebb {
namespace {

const std::string kGifStart = std::string(kProvenanceKeyword) + " ";

const std::string kPadding(1, '\0');  // chunks of a WebP have an even length

// Around the JSON, whose <, > and & are entities.
constexpr std::string_view kPacketStart =
    "<x:xmpmeta xmlns:x=\"adobe:ns:meta/\"><rdf:RDF "
    "xmlns:rdf=\"http://www.w3.org/1999/02/22-rdf-syntax-ns#\"><rdf:Description rdf:about=\"\" "
    "xmlns:ebb=\"urn:ebb:provenance\"><ebb:provenance>";
constexpr std::string_view kPacketEnd = "</ebb:provenance></rdf:Description></rdf:RDF></x:xmpmeta>";

// & first when writing, last when reading.
constexpr std::array<std::pair<std::string_view, std::string_view>, 3> kEntities = {
    {{"&", "&amp;"}, {"<", "&lt;"}, {">", "&gt;"}}};

void replace_all(std::string& text, std::string_view from, std::string_view to) {
  for (size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size())) {
    text.replace(at, from.size(), to);
  }
}

std::optional<Provenance> parse_gif(const GifInfo& info, const std::string& label) {
  for (const std::string& comment : info.comments) {
    if (!comment.starts_with(kGifStart + "{")) continue;
    return parse_provenance_json(comment.substr(kGifStart.size()), label);
  }
  return std::nullopt;
}

std::optional<Provenance> parse_packet(const std::string& xmp, const std::string& label) {
  const size_t start = xmp.find(kPacketStart), end = xmp.find(kPacketEnd);
  if (start == std::string::npos || end == std::string::npos) return std::nullopt;
  const size_t first = start + kPacketStart.size();
  if (end < first) return std::nullopt;
  std::string json = xmp.substr(first, end - first);
  for (size_t i = kEntities.size(); i-- > 0;) {
    replace_all(json, kEntities[i].second, kEntities[i].first);
  }
  return parse_provenance_json(json, label);
}

// A comment as the bytes of a GIF: blocks of at most 255, each behind its length.
std::string gif_comment_block(const std::string& comment) {
  constexpr size_t kMaxBlock = 255;
  std::string block = "\x21\xFE";
  for (size_t at = 0; at < comment.size(); at += kMaxBlock) {
    const std::string part = comment.substr(at, kMaxBlock);
    block += static_cast<char>(part.size());
    block += part;
  }
  return block + '\0';
}

std::string little_endian(size_t value) {
  std::string bytes;
  for (int shift = 0; shift < 32; shift += 8) bytes += static_cast<char>(value >> shift & 0xFF);
  return bytes;
}

}  // namespace

std::string gif_comment(const Provenance& provenance) {
  return kGifStart + provenance_json(provenance);
}

std::string webp_packet(const Provenance& provenance) {
  std::string json = provenance_json(provenance);
  for (const auto& [character, entity] : kEntities) replace_all(json, character, entity);
  return std::string(kPacketStart) + json + std::string(kPacketEnd);
}

std::vector<uint8_t> bytes_without_provenance(const ImageBytes& file) {
  std::vector<uint8_t> bytes(file.bytes().begin(), file.bytes().end());
  std::string text;
  if (file.kind() == FileKind::kGif) {
    for (const std::string& comment : read_gif_info(bytes, file.label()).comments) {
      if (comment.starts_with(kGifStart + "{")) text = gif_comment_block(comment);
    }
  } else if (file.kind() == FileKind::kWebp) {
    text = read_webp_info(bytes, file.label()).xmp;
    text = cat("XMP ", little_endian(text.size()), text, text.size() % 2 == 0 ? "" : kPadding);
  }
  const std::vector<uint8_t> block(text.begin(), text.end());  // chars may be signed
  const auto found = std::search(bytes.begin(), bytes.end(), block.begin(), block.end());
  if (found == bytes.end()) return bytes;
  bytes.erase(found, found + static_cast<int64_t>(block.size()));
  // The size of a WebP stands in its header.
  if (file.kind() == FileKind::kWebp) std::fill_n(bytes.begin() + 4, 4, uint8_t{0});
  return bytes;
}

ImageFile read_image_file(const ImageBytes& file) {
  ImageFile result{.description = summarize_image(file), .animation = false, .provenance = {}};
  switch (file.kind()) {
    case FileKind::kGif:
      result.animation = true;
      result.provenance = parse_gif(read_gif_info(file.bytes(), file.label()), file.label());
      break;
    case FileKind::kWebp:
      result.animation = true;
      result.provenance =
          parse_packet(read_webp_info(file.bytes(), file.label()).xmp, file.label());
      break;
    case FileKind::kPng:
      result.provenance =
          parse_provenance(read_png_info(file.bytes(), file.label()).text, file.label());
      break;
    default:
      break;
  }
  return result;
}

ImageFile read_image_file(const std::string& path) { return read_image_file(ImageBytes(path)); }

}  // namespace ebb
