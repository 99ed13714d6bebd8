#include "image/jpeg.h"

// jpeglib.h needs size_t and FILE declared before it. clang-format off
#include <jerror.h>
#include <jpeglib.h>

#include <cstdio>
// clang-format on

#include <algorithm>
#include <csetjmp>
#include <cstring>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "base/text.h"
#include "image/exif.h"

namespace ebb {
namespace {

constexpr const char* kDamaged = " The file is damaged; get it again.";
constexpr const char* kConvert = " Save it again as an ordinary JPEG or as PNG.";
constexpr uint64_t kMaxFileBytes = kMaxImagePixels * 4;
// A progressive image keeps 2 bytes per sample of three channels until its last scan.
constexpr long kMaxMemory = static_cast<long>(kMaxImagePixels * 3 * 2 + (64ull << 20));
constexpr int kMaxScans = 100;  // encoders write about ten

// libjpeg's way out of an error is a call that must not return.
struct Trap {
  jpeg_error_mgr manager;  // first: libjpeg's pointer to it is a pointer to the Trap
  std::jmp_buf escape;
  int code;                       // of jerror.h
  int parameter;                  // the first number in the message
  const uint8_t* start;           // of the file
  bool many_scans;                // the image comes in more than one
  char message[JMSG_LENGTH_MAX];  // NOLINT: the type that format_message() fills
};

[[noreturn]] void spring(j_common_ptr decoder) {
  auto* trap = reinterpret_cast<Trap*>(decoder->err);
  trap->code = trap->manager.msg_code;
  trap->parameter = trap->manager.msg_parm.i[0];
  trap->manager.format_message(decoder, trap->message);
  std::longjmp(trap->escape, 1);
}

// The byte between which and the marker that was just read `count` others were skipped. Cameras pad
// scans to whole words or buffers; a scan that lost its way leaves coded data instead.
bool is_padding(const jpeg_source_mgr& source, const uint8_t* start, size_t count) {
  constexpr size_t kWord = 8, kMarker = 2;
  if (count <= kWord) return true;
  const uint8_t* end = source.next_input_byte - kMarker;
  if (static_cast<size_t>(end - start) < count) return false;
  return std::all_of(end - count, end, [end](uint8_t byte) { return byte == end[-1]; });
}

// Warnings about what takes nothing from the image: fields of headers that do not matter, bytes
// too many before a marker, a missing end marker. All others say that libjpeg goes on with a guess.
bool is_harmless(j_common_ptr decoder) {
  const auto* info = reinterpret_cast<j_decompress_ptr>(decoder);
  const auto* trap = reinterpret_cast<Trap*>(decoder->err);
  switch (decoder->err->msg_code) {
    case JWRN_ADOBE_XFORM:
    case JWRN_BOGUS_ICC:
    case JWRN_JFIF_MAJOR:
    case JWRN_NOT_SEQUENTIAL:
      return true;
    case JWRN_EXTRANEOUS_DATA:
      return info->input_scan_number == 0 ||
             is_padding(*info->src, trap->start, static_cast<size_t>(decoder->err->msg_parm.i[0]));
    case JWRN_JPEG_EOF:
      // With several scans, some may be missing.
      return info->input_scan_number == 1 && !trap->many_scans;
    default:
      return false;
  }
}

// Level -1 is a warning.
void on_message(j_common_ptr decoder, int level) {
  if (level >= 0) return;
  if (!is_harmless(decoder)) spring(decoder);
  ++decoder->err->num_warnings;
  decoder->err->format_message(decoder, reinterpret_cast<Trap*>(decoder->err)->message);
}

void on_progress(j_common_ptr decoder) {
  if (reinterpret_cast<j_decompress_ptr>(decoder)->input_scan_number <= kMaxScans) return;
  auto* trap = reinterpret_cast<Trap*>(decoder->err);
  trap->code = 0;
  std::snprintf(trap->message, sizeof trap->message, "more than %d scans", kMaxScans);
  std::longjmp(trap->escape, 1);
}

class Decoder {
 public:
  Decoder(std::span<const uint8_t> file, const std::string& label) : label_(label) {
    info_.err = jpeg_std_error(&trap_.manager);
    trap_.manager.error_exit = spring;
    trap_.manager.emit_message = on_message;
    trap_.start = file.data();
    progress_.progress_monitor = on_progress;
    file_ = file;
  }
  Decoder(const Decoder&) = delete;
  Decoder& operator=(const Decoder&) = delete;
  ~Decoder() { jpeg_destroy_decompress(&info_); }

  // Everything before the image data, checked against what ebb reads.
  void read_header();
  // Call after read_header(). As stored, not turned.
  Image read_pixels();

  JpegInfo info() const;
  // The last thing that was wrong and did not matter, as a line of its own; empty for none.
  std::string warning() const;

 private:
  // Runs `step`, which calls libjpeg; false when libjpeg gave up. longjmp() destroys nothing, so
  // a step holds no object with a destructor.
  template <typename Step>
  bool attempt(const Step& step) {
    if (setjmp(trap_.escape) != 0) return false;  // NOLINT(cert-err52-cpp): libjpeg is C
    step();
    return true;
  }
  [[noreturn]] void fail() const;
  void check_data_size() const;

  std::string label_;
  std::span<const uint8_t> file_;
  Trap trap_ = {};
  jpeg_progress_mgr progress_ = {};
  jpeg_decompress_struct info_ = {};
};

void Decoder::fail() const {
  switch (trap_.code) {
    case JERR_IMAGE_TOO_BIG:
      check_readable_size(label_, info_.image_width, info_.image_height);
      break;
    case JERR_BAD_PRECISION:
      throw FormatError(
          cat(label_, ": JPEG with ", trap_.parameter, "-bit samples, expected 8.", kConvert));
    case JERR_SOF_UNSUPPORTED: {
      // 0xC3, 0xC7, 0xCB and 0xCF are the lossless processes (ISO 10918-1, table B.1).
      const bool lossless = (trap_.parameter & 3) == 3;
      throw FormatError(cat(label_, ": ", lossless ? "lossless" : "hierarchical",
                            " JPEG, expected a baseline or progressive one.", kConvert));
    }
    default:
      break;
  }
  throw FormatError(
      cat(label_, ": JPEG cannot be decoded (", terminal_safe(trap_.message), ").", kDamaged));
}

// Before the image is allocated: an image has a Huffman code of at least one bit for every block
// of 8 x 8 samples.
void Decoder::check_data_size() const {
  uint64_t blocks = 0;
  for (int i = 0; i < info_.num_components; ++i) {
    const jpeg_component_info& component = info_.comp_info[i];
    blocks += uint64_t{component.width_in_blocks} * component.height_in_blocks;
  }
  EBB_CHECK(blocks / 8 <= file_.size(), FormatError, label_, ": ", info_.image_width, " x ",
            info_.image_height, " pixels need at least ", blocks / 8, " bytes, the file holds ",
            file_.size(), ".", kDamaged);
}

void Decoder::read_header() {
  EBB_CHECK(!file_.empty(), FormatError, label_, ": the file is empty (0 bytes), expected a JPEG.",
            kDamaged);
  const bool done = attempt([&] {
    jpeg_create_decompress(&info_);
    info_.progress = &progress_;
    info_.mem->max_memory_to_use = kMaxMemory;
    jpeg_mem_src(&info_, file_.data(), file_.size());
    jpeg_save_markers(&info_, JPEG_APP0 + 1, 0xFFFF);
    jpeg_read_header(&info_, TRUE);
    trap_.many_scans = jpeg_has_multiple_scans(&info_) != 0;
  });
  if (!done) fail();
  EBB_CHECK(info_.num_components == 1 || info_.num_components == 3, FormatError, label_,
            ": JPEG with ", info_.num_components, " channels",
            info_.num_components == 4 ? " (CMYK)" : "", ", expected gray or RGB.", kConvert);
  EBB_CHECK(!info_.arith_code, FormatError, label_,
            ": arithmetic-coded JPEG, expected a Huffman-coded one.", kConvert);
  check_readable_size(label_, info_.image_width, info_.image_height);
  check_data_size();
}

Image Decoder::read_pixels() {
  const int channels = info_.num_components;
  Image image = make_image(static_cast<int>(info_.image_width),
                           static_cast<int>(info_.image_height), channels);
  const size_t row_bytes = size_t{info_.image_width} * static_cast<size_t>(channels);
  const bool done = attempt([&] {
    info_.out_color_space = channels == 1 ? JCS_GRAYSCALE : JCS_RGB;
    info_.dct_method = JDCT_ISLOW;
    jpeg_start_decompress(&info_);
    while (info_.output_scanline < info_.output_height) {
      JSAMPROW row = image.pixels.data() + info_.output_scanline * row_bytes;
      jpeg_read_scanlines(&info_, &row, 1);
    }
    jpeg_finish_decompress(&info_);  // up to the end marker, so that a cut file is noticed
  });
  if (!done) fail();
  return image;
}

JpegInfo Decoder::info() const {
  constexpr std::string_view kExif("Exif\0\0", 6);
  JpegInfo result;
  result.width = static_cast<int>(info_.image_width);
  result.height = static_cast<int>(info_.image_height);
  result.gray = info_.num_components == 1;
  result.progressive = info_.progressive_mode;
  result.file_bytes = file_.size();
  for (const jpeg_marker_struct* marker = info_.marker_list; marker; marker = marker->next) {
    const std::span<const uint8_t> data(marker->data, marker->data_length);
    if (data.size() < kExif.size() || std::memcmp(data.data(), kExif.data(), kExif.size()) != 0) {
      continue;
    }
    result.orientation = exif_orientation(data.subspan(kExif.size()));
    break;
  }
  return result;
}

std::string Decoder::warning() const {
  if (trap_.manager.num_warnings == 0) return "";
  return cat("\nignored: ", terminal_safe(trap_.message));
}

std::span<const uint8_t> as_bytes(const std::vector<std::byte>& file) {
  return {reinterpret_cast<const uint8_t*>(file.data()), file.size()};
}

}  // namespace

Image decode_jpeg(std::span<const uint8_t> file, const std::string& label) {
  Decoder decoder(file, label);
  decoder.read_header();
  return turn_upright(decoder.read_pixels(), decoder.info().orientation);
}

Image read_jpeg(const std::string& path) {
  const std::vector<std::byte> file = read_file(path, kMaxFileBytes);
  return decode_jpeg(as_bytes(file), path_label(path));
}

JpegInfo read_jpeg_info(std::span<const uint8_t> file, const std::string& label) {
  Decoder decoder(file, label);
  decoder.read_header();
  return decoder.info();
}

JpegInfo read_jpeg_info(const std::string& path) {
  const std::vector<std::byte> file = read_file(path, kMaxFileBytes);
  return read_jpeg_info(as_bytes(file), path_label(path));
}

std::string describe(const JpegInfo& info) {
  return cat("JPEG image, ", info.width, " x ", info.height, " pixels, 8-bit ",
             info.gray ? "gray" : "color", info.progressive ? ", progressive" : "",
             info.orientation == 1 ? "" : cat(", EXIF orientation ", info.orientation), ", ",
             format_bytes(info.file_bytes));
}

std::string describe_jpeg(std::span<const uint8_t> file, const std::string& label) {
  Decoder decoder(file, label);
  decoder.read_header();
  decoder.read_pixels();
  return describe(decoder.info()) + decoder.warning() + "\n";
}

}  // namespace ebb
