#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

#include "base/file.h"

namespace ebb {

// Kind of a file, by its first bytes and never by its name.
enum class FileKind {
  kUnknown,
  kEmpty,
  kSafetensors,
  kIdxImages,
  kIdxLabels,
  kGzip,
  kPng,
  kGitLfsPointer,
  kHtml,
  kGguf,
  kZip,
  kPickle,
  kTar,
  kGif,
  kJpeg,
  kJson,
  kWebp,
  kBmp,
  kPnm,
  kTga,
  kAvif,
  kHeic,
  kJpegXl,
  kTiff,
  kSvg,
  kPdf,
  kVideo,
};

// `head`: the first bytes of the file, kKindBytes or all there are.
inline constexpr uint64_t kKindBytes = 512;  // a tar header
FileKind file_kind(std::string_view head, uint64_t file_bytes);
FileKind file_kind(const FileReader& file);

// "a PNG image"
const char* describe(FileKind kind);

// FormatError that says what the file is, what was expected ("safetensors weights") and what to do;
// returns when the kind is unknown or one of `accepted`.
void refuse_other_kinds(const FileReader& file, std::string_view wanted,
                        std::initializer_list<FileKind> accepted);
// The same for a file in memory; `label` is its path as messages show it.
void refuse_other_kinds(std::string_view head, uint64_t file_bytes, const std::string& label,
                        std::string_view wanted, std::initializer_list<FileKind> accepted);

}  // namespace ebb
