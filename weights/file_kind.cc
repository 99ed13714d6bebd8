#include "weights/file_kind.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstring>

#include "base/error.h"
#include "base/text.h"
#include "weights/safetensors_header.h"

namespace ebb {
namespace {

using std::literals::string_view_literals::operator""sv;

constexpr std::string_view kLfsStart = "version https://git-lfs.github.com/spec/";

struct Magic {
  size_t offset;
  std::string_view bytes;
  FileKind kind;
};

constexpr std::array kMagics = {
    Magic{0, kLfsStart, FileKind::kGitLfsPointer},
    Magic{0, "\0\0\x08\x03"sv, FileKind::kIdxImages},
    Magic{0, "\0\0\x08\x01"sv, FileKind::kIdxLabels},
    Magic{0, "\x1f\x8b"sv, FileKind::kGzip},
    Magic{0, "\x89PNG\r\n\x1a\n"sv, FileKind::kPng},
    Magic{0, "GGUF"sv, FileKind::kGguf},
    Magic{0, "PK\x03\x04"sv, FileKind::kZip},
    Magic{0, "PK\x05\x06"sv, FileKind::kZip},
    Magic{0, "GIF8"sv, FileKind::kGif},
    Magic{0, "\xff\xd8\xff"sv, FileKind::kJpeg},
    Magic{0, "\xff\x0a"sv, FileKind::kJpegXl},
    Magic{0, "\0\0\0\x0cJXL "sv, FileKind::kJpegXl},
    Magic{0, "II*\0"sv, FileKind::kTiff},
    Magic{0, "MM\0*"sv, FileKind::kTiff},
    Magic{0, "II+\0"sv, FileKind::kTiff},
    Magic{0, "MM\0+"sv, FileKind::kTiff},
    Magic{0, "%PDF-"sv, FileKind::kPdf},
    Magic{4, "ftypavi"sv, FileKind::kAvif},
    Magic{4, "ftyphei"sv, FileKind::kHeic},
    Magic{4, "ftyphev"sv, FileKind::kHeic},
    Magic{4, "ftypmif1"sv, FileKind::kHeic},
    Magic{4, "ftypmsf1"sv, FileKind::kHeic},
    Magic{4, "ftyp"sv, FileKind::kVideo},
    Magic{257, "ustar"sv, FileKind::kTar},
    Magic{0, "\x80\x02"sv, FileKind::kPickle},
    Magic{0, "\x80\x03"sv, FileKind::kPickle},
    Magic{0, "\x80\x04"sv, FileKind::kPickle},
    Magic{0, "\x80\x05"sv, FileKind::kPickle},
};

std::string_view skip_space(std::string_view text) {
  const size_t first = text.find_first_not_of(" \t\r\n");
  return first == std::string_view::npos ? std::string_view() : text.substr(first);
}

bool looks_like_html(std::string_view head) {
  if (head.starts_with("\xef\xbb\xbf")) head.remove_prefix(3);
  head = skip_space(head);
  if (!head.starts_with('<')) return false;
  std::string lower(head);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return lower.find("<html") != std::string::npos || lower.starts_with("<!doctype html") ||
         lower.starts_with("<?xml");
}

std::string_view after_xml_comments(std::string_view text) {
  text = skip_space(text);
  while (text.starts_with("<?") || text.starts_with("<!")) {
    const std::string_view end = text.starts_with("<!--") ? "-->" : ">";
    const size_t at = text.find(end);
    if (at == std::string_view::npos) return "";
    text = skip_space(text.substr(at + end.size()));
  }
  return text;
}

bool looks_like_svg(std::string_view head) {
  if (head.starts_with("\xef\xbb\xbf")) head.remove_prefix(3);
  return after_xml_comments(head).starts_with("<svg") ||
         (skip_space(head).starts_with("<") && head.find("<!DOCTYPE svg") != head.npos);
}

unsigned u16_at(std::string_view head, size_t offset) {
  return static_cast<unsigned char>(head[offset]) |
         static_cast<unsigned>(static_cast<unsigned char>(head[offset + 1])) << 8;
}

bool looks_like_bmp(std::string_view head) {
  if (head.size() < 26 || !head.starts_with("BM") || u16_at(head, 16) != 0) return false;
  const unsigned header_bytes = u16_at(head, 14);
  return header_bytes == 12 || (header_bytes >= 40 && header_bytes <= 124);
}

bool looks_like_pnm(std::string_view head) {
  return head.size() >= 7 && head[0] == 'P' && head[1] >= '1' && head[1] <= '6' &&
         (head[2] == '#' || std::isspace(static_cast<unsigned char>(head[2])) != 0);
}

// TGA has no magic number: every field of its header must be one that occurs.
bool looks_like_tga(std::string_view head) {
  constexpr size_t kHeaderBytes = 18;
  if (head.size() < kHeaderBytes) return false;
  const unsigned map = static_cast<unsigned char>(head[1]), kind = head[2] & ~8;
  const unsigned map_bits = static_cast<unsigned char>(head[7]);
  const unsigned bits = static_cast<unsigned char>(head[16]);
  const auto is_color = [](unsigned depth) {
    return depth == 15 || depth == 16 || depth == 24 || depth == 32;
  };
  const bool fits = kind == 1   ? map == 1 && bits == 8 && is_color(map_bits)
                    : kind == 2 ? map == 0 && is_color(bits)
                    : kind == 3 ? map == 0 && (bits == 8 || bits == 16)
                                : false;
  return fits && u16_at(head, 12) > 0 && u16_at(head, 14) > 0 && (head[17] & 0xC0) == 0;
}

// The images whose start is more than a magic number, and WebP, with the length in between.
FileKind image_kind(std::string_view head) {
  if (head.starts_with("RIFF") && head.size() >= 12 && head.substr(8, 4) == "WEBP") {
    return FileKind::kWebp;
  }
  if (looks_like_svg(head)) return FileKind::kSvg;
  if (looks_like_bmp(head)) return FileKind::kBmp;
  if (looks_like_pnm(head)) return FileKind::kPnm;
  return FileKind::kUnknown;
}

// A plausible length followed by the start of a JSON object.
bool looks_like_safetensors(std::string_view head, uint64_t file_bytes) {
  if (head.size() <= kSafetensorsLengthBytes) return false;
  uint64_t length = 0;
  std::memcpy(&length, head.data(), sizeof length);
  if (length > kMaxSafetensorsHeader || length > file_bytes - kSafetensorsLengthBytes) return false;
  return skip_space(head.substr(kSafetensorsLengthBytes, length)).starts_with('{');
}

std::string read_head(const FileReader& file) {
  std::string head(std::min(file.size(), kKindBytes), '\0');
  file.read_at(0, head.data(), head.size());
  return head;
}

// "Run: git lfs pull", with the size the pointer announces.
std::string lfs_advice(std::string_view head) {
  std::string advice = " Run: git lfs pull";
  const size_t line = head.find("\nsize ");
  if (line == std::string_view::npos) return advice;
  const std::string_view rest = head.substr(line + 6);
  const std::string_view digits = rest.substr(0, rest.find_first_not_of("0123456789"));
  if (digits.empty()) return advice;
  return cat(" The file itself has ", terminal_safe(digits), " bytes.", advice);
}

std::string advice(FileKind kind, std::string_view head) {
  switch (kind) {
    case FileKind::kEmpty:
      return " Download or copy it again.";
    case FileKind::kGitLfsPointer:
      return lfs_advice(head);
    case FileKind::kHtml:
      return " The download gave a web page, probably an error or a login; look at it in a "
             "browser.";
    case FileKind::kZip:
    case FileKind::kPickle:
      return " Save the weights as safetensors: safetensors.torch.save_file(model.state_dict(), "
             "...).";
    case FileKind::kGguf:
      return " Look for the original weights in safetensors form.";
    case FileKind::kTar:
    case FileKind::kGzip:
      return " Unpack it first.";
    case FileKind::kAvif:
      return " Convert it to PNG, for example: avifdec IMAGE.avif IMAGE.png";
    case FileKind::kHeic:
      return " Convert it to PNG, for example: heif-convert IMAGE.heic IMAGE.png";
    case FileKind::kJpegXl:
      return " Convert it to PNG, for example: djxl IMAGE.jxl IMAGE.png";
    case FileKind::kTiff:
      return " Convert it to PNG, for example: convert IMAGE.tif IMAGE.png";
    case FileKind::kSvg:
      return " Draw it as PNG, for example: rsvg-convert IMAGE.svg -o IMAGE.png";
    case FileKind::kPdf:
      return " Draw a page as PNG, for example: pdftoppm -png -r 150 FILE.pdf PAGE";
    case FileKind::kVideo:
      return " Take a frame as PNG, for example: ffmpeg -i FILM -frames:v 1 IMAGE.png";
    default:
      return " Name another file.";
  }
}

}  // namespace

FileKind file_kind(std::string_view head, uint64_t file_bytes) {
  if (file_bytes == 0) return FileKind::kEmpty;
  // First: the length of a header may by chance be another format's magic number.
  if (looks_like_safetensors(head, file_bytes)) return FileKind::kSafetensors;
  for (const Magic& magic : kMagics) {
    if (head.size() >= magic.offset && head.substr(magic.offset).starts_with(magic.bytes)) {
      return magic.kind;
    }
  }
  if (const FileKind image = image_kind(head); image != FileKind::kUnknown) return image;
  if (looks_like_html(head)) return FileKind::kHtml;
  const std::string_view text = skip_space(head);
  if (text.starts_with("{\"") || text.starts_with("{\n") || text.starts_with("[{")) {
    return FileKind::kJson;
  }
  return looks_like_tga(head) ? FileKind::kTga : FileKind::kUnknown;
}

FileKind file_kind(const FileReader& file) { return file_kind(read_head(file), file.size()); }

const char* describe(FileKind kind) {
  switch (kind) {
    case FileKind::kUnknown:
      return "a file of unknown kind";
    case FileKind::kEmpty:
      return "an empty file";
    case FileKind::kSafetensors:
      return "a safetensors file";
    case FileKind::kIdxImages:
      return "an IDX image file";
    case FileKind::kIdxLabels:
      return "an IDX label file";
    case FileKind::kGzip:
      return "a gzip file";
    case FileKind::kPng:
      return "a PNG image";
    case FileKind::kGitLfsPointer:
      return "a Git LFS pointer";
    case FileKind::kHtml:
      return "an HTML or XML page";
    case FileKind::kGguf:
      return "a GGUF file";
    case FileKind::kZip:
      return "a ZIP archive, as PyTorch and TorchScript write them";
    case FileKind::kPickle:
      return "a Python pickle, as PyTorch before 1.6 wrote them";
    case FileKind::kTar:
      return "a tar archive";
    case FileKind::kGif:
      return "a GIF image";
    case FileKind::kJpeg:
      return "a JPEG image";
    case FileKind::kWebp:
      return "a WebP image";
    case FileKind::kBmp:
      return "a BMP image";
    case FileKind::kPnm:
      return "a PNM image";
    case FileKind::kTga:
      return "a TGA image";
    case FileKind::kAvif:
      return "an AVIF image";
    case FileKind::kHeic:
      return "a HEIC image";
    case FileKind::kJpegXl:
      return "a JPEG XL image";
    case FileKind::kTiff:
      return "a TIFF image";
    case FileKind::kSvg:
      return "an SVG drawing";
    case FileKind::kPdf:
      return "a PDF document";
    case FileKind::kVideo:
      return "an MP4 or QuickTime film";
    case FileKind::kJson:
      return "a JSON text, like a tokenizer, config or index file";
  }
  return "a file of unknown kind";
}

void refuse_other_kinds(std::string_view head, uint64_t file_bytes, const std::string& label,
                        std::string_view wanted, std::initializer_list<FileKind> accepted) {
  const FileKind kind = file_kind(head, file_bytes);
  if (kind == FileKind::kUnknown) return;
  if (std::find(accepted.begin(), accepted.end(), kind) != accepted.end()) return;
  throw FormatError(cat(label, ": this is ", describe(kind), " of ", format_bytes(file_bytes),
                        ", expected ", wanted, ".", advice(kind, head)));
}

void refuse_other_kinds(const FileReader& file, std::string_view wanted,
                        std::initializer_list<FileKind> accepted) {
  refuse_other_kinds(read_head(file), file.size(), file.label(), wanted, accepted);
}

}  // namespace ebb
