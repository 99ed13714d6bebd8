#include "apps/cli/image_provenance.h"

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

}  // namespace

std::string gif_comment(const Provenance& provenance) {
  return kGifStart + provenance_json(provenance);
}

std::string webp_packet(const Provenance& provenance) {
  std::string json = provenance_json(provenance);
  for (const auto& [character, entity] : kEntities) replace_all(json, character, entity);
  return std::string(kPacketStart) + json + std::string(kPacketEnd);
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
