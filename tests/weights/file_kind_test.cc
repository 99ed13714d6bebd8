#include "weights/file_kind.h"

#include "testing/catch.h"
#include "testing/errors.h"
#include "testing/temp_dir.h"

namespace ebb {
namespace {

using Catch::Matchers::Contains;
using std::literals::string_literals::operator""s;

struct Sample {
  FileKind kind;
  std::string bytes;
  const char* must_say;
};

const std::vector<Sample>& samples() {
  static const std::vector<Sample> list = {
      {FileKind::kEmpty, "", "an empty file of 0 bytes"},
      {FileKind::kSafetensors, "\2\0\0\0\0\0\0\0{}"s, "a safetensors file"},
      {FileKind::kSafetensors, "\x1f\x8b\0\0\0\0\0\0{"s + std::string(40'000, ' '), "safetensors"},
      {FileKind::kIdxImages, "\0\0\x08\x03\0\0\0\1"s, "an IDX image file"},
      {FileKind::kIdxLabels, "\0\0\x08\x01\0\0\0\1"s, "an IDX label file"},
      {FileKind::kGzip, "\x1f\x8b\x08\0\0\0\0\0\0\xff"s, "a gzip file"},
      {FileKind::kPng, "\x89PNG\r\n\x1a\n", "a PNG image"},
      {FileKind::kGitLfsPointer, "version https://git-lfs.github.com/spec/v1\n", "git lfs pull"},
      {FileKind::kHtml, "<!DOCTYPE HTML PUBLIC><html></html>", "HTML"},
      {FileKind::kHtml, "\xef\xbb\xbf\n <HTML lang=en>", "HTML"},
      {FileKind::kHtml, "<?xml version=\"1.0\"?><Error>AccessDenied</Error>", "HTML or XML"},
      {FileKind::kGguf, "GGUF\3\0\0\0"s, "a GGUF file"},
      {FileKind::kZip, "PK\x03\x04\0\0"s, "save_file(model.state_dict()"},
      {FileKind::kPickle, "\x80\x02\x8a\x0al\xfc\x9c\x46\xf9 j\xa8P\x19.", "Python pickle"},
      {FileKind::kTar, std::string(257, 'x') + "ustar\0"s, "a tar archive"},
      {FileKind::kGif, "GIF89a", "a GIF image"},
      {FileKind::kJpeg, "\xff\xd8\xff\xe0", "a JPEG image"},
      {FileKind::kWebp, "RIFF\x10\0\0\0WEBPVP8L"s, "a WebP image"},
      {FileKind::kBmp, "BM\0\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0\2\0\0\0\2\0\0\0"s, "a BMP image"},
      {FileKind::kPnm, "P5 2 2 255\nabcd", "a PNM image"},
      {FileKind::kPnm, "P2#by hand\n1 1 9 5", "a PNM image"},
      {FileKind::kTga, "\0\0\2\0\0\0\0\0\0\0\0\0\2\0\2\0\x18\0"s, "a TGA image"},
      {FileKind::kAvif, "\0\0\0\x1c"s + "ftypavif", "avifdec"},
      {FileKind::kHeic, "\0\0\0\x18"s + "ftypheic", "heif-convert"},
      {FileKind::kHeic, "\0\0\0\x18"s + "ftypmif1", "a HEIC image"},
      {FileKind::kVideo, "\0\0\0\x18"s + "ftypisom", "ffmpeg"},
      {FileKind::kJpegXl, "\xff\x0a\x10", "djxl"},
      {FileKind::kTiff, "II*\0\x08\0\0\0"s, "a TIFF image"},
      {FileKind::kTiff, "MM\0*\0\0\0\x08"s, "convert IMAGE.tif"},
      {FileKind::kSvg, "<?xml version=\"1.0\"?>\n<!-- drawn --><svg width=\"1\"/>", "rsvg-convert"},
      {FileKind::kSvg, "<svg xmlns=\"http://www.w3.org/2000/svg\"/>", "an SVG drawing"},
      {FileKind::kPdf, "%PDF-1.7", "pdftoppm"},
      {FileKind::kJson, "{\"version\": \"1.0\"}", "JSON"},
  };
  return list;
}

TEST_CASE("the kind of a file is detected by its first bytes") {
  for (const Sample& sample : samples()) {
    INFO(sample.must_say);
    CHECK(file_kind(sample.bytes, sample.bytes.size()) == sample.kind);
  }
  CHECK(file_kind("\x12\x34\x56\x78", 4) == FileKind::kUnknown);
  CHECK(file_kind("\0\0\0"s, 3) == FileKind::kUnknown);
  CHECK(file_kind("BM, the initials of a name", 26) == FileKind::kUnknown);
  CHECK(file_kind("P5a was here", 12) == FileKind::kUnknown);
  CHECK(file_kind("RIFF\x10\0\0\0WAVEfmt "s, 16) == FileKind::kUnknown);
  CHECK(file_kind(std::string(18, '\0'), 18) == FileKind::kUnknown);
  CHECK(file_kind("\3\0\0\0\0\0\0\0{}"s, 10) == FileKind::kUnknown);  // length beyond the file
}

TEST_CASE("a file of another kind is refused by kind, with advice") {
  const test::TempDir dir;
  for (const Sample& sample : samples()) {
    test::put_file(dir / "f", sample.bytes);
    const FileReader file(dir / "f");
    const std::string message =
        test::message_of<FormatError>([&] { refuse_other_kinds(file, "good news", {}); });
    CHECK_THAT(message, Contains("/f: this is "));
    CHECK_THAT(message, Contains(sample.must_say));
    CHECK_THAT(message, Contains("expected good news."));
    CHECK_NOTHROW(refuse_other_kinds(file, "good news", {FileKind::kUnknown, sample.kind}));
  }
  test::put_file(dir / "f", "\x12\x34");
  CHECK_NOTHROW(refuse_other_kinds(FileReader(dir / "f"), "good news", {}));
}

}  // namespace
}  // namespace ebb
