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

constexpr uint64_t kHeadBytes = 512;  // a tar header
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

// A plausible length followed by the start of a JSON object.
bool looks_like_safetensors(std::string_view head, uint64_t file_bytes) {
  if (head.size() <= kSafetensorsLengthBytes) return false;
  uint64_t length = 0;
  std::memcpy(&length, head.data(), sizeof length);
  if (length > kMaxSafetensorsHeader || length > file_bytes - kSafetensorsLengthBytes) return false;
  return skip_space(head.substr(kSafetensorsLengthBytes, length)).starts_with('{');
}

std::string read_head(const FileReader& file) {
  std::string head(std::min(file.size(), kHeadBytes), '\0');
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
  if (looks_like_html(head)) return FileKind::kHtml;
  const std::string_view text = skip_space(head);
  if (text.starts_with("{\"") || text.starts_with("{\n") || text.starts_with("[{")) {
    return FileKind::kJson;
  }
  return FileKind::kUnknown;
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
    case FileKind::kJson:
      return "a JSON text, like a tokenizer, config or index file";
  }
  return "a file of unknown kind";
}

void refuse_other_kinds(const FileReader& file, std::string_view wanted,
                        std::initializer_list<FileKind> accepted) {
  const std::string head = read_head(file);
  const FileKind kind = file_kind(head, file.size());
  if (kind == FileKind::kUnknown) return;
  if (std::find(accepted.begin(), accepted.end(), kind) != accepted.end()) return;
  throw FormatError(cat(file.label(), ": this is ", describe(kind), " of ",
                        format_bytes(file.size()), ", expected ", wanted, ".", advice(kind, head)));
}

}  // namespace ebb
