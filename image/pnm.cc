// Netpbm's formats (netpbm.sourceforge.net/doc/pbm.html and its siblings): a header in ASCII and
// the samples as they are.
#include <algorithm>

#include "base/error.h"
#include "image/byte_reader.h"
#include "image/raster_formats.h"

namespace ebb {
namespace {

constexpr uint32_t kMaxSample = 65535;

struct PnmHeader {
  char kind = 0;  // '1' to '6'
  uint32_t width = 0, height = 0;
  uint32_t largest = 1;  // value of white

  bool is_bitmap() const { return kind == '1' || kind == '4'; }
  bool is_text() const { return kind <= '3'; }
  int channels() const { return kind == '3' || kind == '6' ? 3 : 1; }
};

bool is_space(uint8_t c) { return c == ' ' || (c >= '\t' && c <= '\r'); }
bool is_digit(uint8_t c) { return c >= '0' && c <= '9'; }

class PnmReader {
 public:
  PnmReader(std::span<const uint8_t> file, const std::string& label) : file_(file), label_(label) {}

  // A number of text up to `most`, with spaces and comments before it.
  uint32_t number(uint32_t most, const char* what) {
    skip_space();
    EBB_CHECK(at_ < file_.size(), FormatError, label_, ": ends at byte ", at_, ", expected ", what,
              " of a PNM image.", kImageDamaged);
    uint64_t value = 0;
    const size_t start = at_;
    for (; at_ < file_.size() && is_digit(file_[at_]) && value <= most; ++at_) {
      value = value * 10 + (file_[at_] - '0');
    }
    EBB_CHECK(at_ > start && value <= most, FormatError, label_, ": ", what,
              " of a PNM image at byte ", start, " is no number from 0 to ", most, ".",
              kImageDamaged);
    return static_cast<uint32_t>(value);
  }
  // A digit of a bitmap as text: they need no spaces between them.
  uint32_t bit() {
    skip_space();
    EBB_CHECK(at_ < file_.size() && (file_[at_] == '0' || file_[at_] == '1'), FormatError, label_,
              ": no 0 or 1 at byte ", at_, " of a PBM image.", kImageDamaged);
    return file_[at_++] - '0';
  }
  void skip(size_t bytes) { at_ = std::min(file_.size(), at_ + bytes); }
  std::span<const uint8_t> rest() const { return file_.subspan(at_); }

 private:
  void skip_space() {
    for (; at_ < file_.size(); ++at_) {
      if (file_[at_] == '#') {
        while (at_ < file_.size() && file_[at_] != '\n' && file_[at_] != '\r') ++at_;
        if (at_ == file_.size()) return;
      }
      if (!is_space(file_[at_])) return;
    }
  }

  std::span<const uint8_t> file_;
  const std::string& label_;
  size_t at_ = 0;
};

PnmHeader parse(PnmReader& reader, const std::string& label) {
  PnmHeader header;
  const auto magic = reader.rest();
  EBB_CHECK(magic.size() >= 3 && magic[0] == 'P' && magic[1] >= '1' && magic[1] <= '6', FormatError,
            label, ": does not start as a PNM image does. Give another file.");
  header.kind = static_cast<char>(magic[1]);
  reader.skip(2);
  header.width = reader.number(INT32_MAX, "the width");
  header.height = reader.number(INT32_MAX, "the height");
  check_readable_size(label, header.width, header.height);
  if (!header.is_bitmap()) header.largest = reader.number(kMaxSample, "the largest value");
  EBB_CHECK(header.largest >= 1, FormatError, label, ": the largest value of a PNM image is 0.",
            kImageDamaged);
  if (!header.is_text()) reader.skip(1);  // the one space before the samples
  const uint64_t samples = uint64_t{header.width} * header.height * header.channels();
  const uint64_t row_bytes = (uint64_t{header.width} + 7) / 8;
  const uint64_t needed = header.kind == '4'     ? row_bytes * header.height
                          : header.kind == '1'   ? samples
                          : header.is_text()     ? 2 * samples - 1
                          : header.largest > 255 ? 2 * samples
                                                 : samples;
  EBB_CHECK(needed <= reader.rest().size(), FormatError, label, ": ", header.width, " x ",
            header.height, " pixels need at least ", needed, " bytes, the file holds ",
            reader.rest().size(), " behind its header.", kImageDamaged);
  return header;
}

// 0 to `largest` becomes 0 to 255, to the nearest; what is larger is white.
uint8_t level(uint32_t sample, uint32_t largest) {
  return static_cast<uint8_t>((std::min(sample, largest) * 255 + largest / 2) / largest);
}

void read_bitmap(PnmReader& reader, const PnmHeader& header, Image& image) {
  const auto rows = reader.rest();
  const size_t row_bytes = (size_t{header.width} + 7) / 8;
  uint8_t* target = image.pixels.data();
  for (size_t y = 0; y < header.height; ++y) {
    for (size_t x = 0; x < header.width; ++x) {
      const bool ink = header.is_text() ? reader.bit() == 1
                                        : (rows[y * row_bytes + x / 8] >> (7 - x % 8) & 1) == 1;
      *target++ = ink ? 0 : 255;
    }
  }
}

}  // namespace

RasterInfo read_pnm_info(std::span<const uint8_t> file, const std::string& label) {
  PnmReader reader(file, label);
  const PnmHeader header = parse(reader, label);
  return {static_cast<int>(header.width), static_cast<int>(header.height),
          cat(header.is_bitmap()     ? "1-bit"
              : header.largest > 255 ? "16-bit"
                                     : "8-bit",
              header.channels() == 3 ? " color" : " gray", header.is_text() ? " as text" : "")};
}

Image decode_pnm(std::span<const uint8_t> file, const std::string& label) {
  PnmReader reader(file, label);
  const PnmHeader header = parse(reader, label);
  Image image = make_image(static_cast<int>(header.width), static_cast<int>(header.height),
                           header.channels());
  if (header.is_bitmap()) {
    read_bitmap(reader, header, image);
    return image;
  }
  const auto samples = reader.rest();
  for (size_t i = 0; i < image.pixels.size(); ++i) {
    uint32_t sample = 0;
    if (header.is_text()) {
      sample = reader.number(header.largest, "a sample");
    } else if (header.largest > 255) {
      sample = static_cast<uint32_t>(samples[2 * i] << 8 | samples[2 * i + 1]);
    } else {
      sample = samples[i];
    }
    image.pixels[i] = level(sample, header.largest);
  }
  return image;
}

}  // namespace ebb
