#include "image/png_text.h"

#include <algorithm>

#include "base/error.h"
#include "base/text.h"
#include "base/utf8.h"

namespace ebb {
namespace {

// Cuts text up to the next NUL off the front of `rest`; `what` names the field for the message.
std::string_view take_field(std::string_view& rest, const char* what, const PngChunk& chunk) {
  const size_t end = rest.find('\0');
  EBB_CHECK(end != std::string_view::npos, FormatError, chunk.type,
            " chunk without the zero byte behind its ", what);
  const std::string_view field = rest.substr(0, end);
  rest.remove_prefix(end + 1);
  return field;
}

std::string take_keyword(std::string_view& rest, const PngChunk& chunk) {
  const std::string_view keyword = take_field(rest, "keyword", chunk);
  EBB_CHECK(!keyword.empty() && keyword.size() <= 79, FormatError, chunk.type, " keyword of ",
            keyword.size(), " bytes, expected 1 to 79");
  return latin1_to_utf8(keyword);
}

// Adds the text of one chunk to `info`; FormatError without the file's name.
void parse_chunk(const PngChunk& chunk, PngInfo& info) {
  std::string_view rest(reinterpret_cast<const char*>(chunk.data.data()), chunk.data.size());
  const std::string keyword = take_keyword(rest, chunk);
  bool compressed = chunk.type == "zTXt";
  if (chunk.type == "iTXt") {
    EBB_CHECK(rest.size() >= 2, FormatError, "iTXt chunk ", quoted(keyword),
              " ends before its compression flag");
    compressed = rest[0] != 0;
    rest.remove_prefix(2);  // compression flag and method
    take_field(rest, "language tag", chunk);
    take_field(rest, "translated keyword", chunk);
  }
  if (compressed) {
    info.compressed_text.push_back(keyword);
  } else if (chunk.type == "tEXt") {
    info.text.push_back({keyword, latin1_to_utf8(rest)});
  } else {
    EBB_CHECK(is_utf8(rest), FormatError, "iTXt chunk ", quoted(keyword), " is not UTF-8");
    info.text.push_back({keyword, std::string(rest)});
  }
}

}  // namespace

const std::string* find_text(const TextChunks& chunks, const std::string& keyword) {
  const auto found = std::find_if(chunks.begin(), chunks.end(),
                                  [&](const TextChunk& chunk) { return chunk.keyword == keyword; });
  return found == chunks.end() ? nullptr : &found->text;
}

void parse_png_text(const PngContainer& png, PngInfo& info) {
  for (const PngChunk& chunk : png.chunks) {
    if (chunk.type != "tEXt" && chunk.type != "zTXt" && chunk.type != "iTXt") continue;
    try {
      parse_chunk(chunk, info);
    } catch (const FormatError& error) {
      info.warnings.emplace_back(error.what());
    }
  }
}

}  // namespace ebb
