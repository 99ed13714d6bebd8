#include "weights/idx.h"

#include <algorithm>
#include <array>
#include <cstdio>

#include "base/error.h"
#include "base/text.h"
#include "weights/digest.h"
#include "weights/file_kind.h"
#include "weights/gzip_stream.h"

namespace ebb {
namespace {

constexpr uint32_t kImageMagic = 0x803;  // 08: unsigned bytes, 03: three dimensions
constexpr uint32_t kLabelMagic = 0x801;
constexpr uint64_t kMaxPayload = uint64_t{2} << 30;
constexpr uint64_t kMaxInflation = 1032;  // deflate's largest ratio
constexpr size_t kChunkBytes = size_t{1} << 20;

std::string hex(uint32_t value) {
  std::array<char, 16> buffer{};
  std::snprintf(buffer.data(), buffer.size(), "0x%08x", value);
  return buffer.data();
}

const char* describe_magic(uint32_t magic) {
  if (magic == kImageMagic) return " (an IDX image file)";
  if (magic == kLabelMagic) return " (an IDX label file)";
  if (magic >> 16 == 0x1f8b) return " (a gzip file)";
  if (magic >> 8 == 0x425a68) return " (a bzip2 file)";
  if (magic == 0xfd377a58) return " (an xz file)";
  if (magic == 0x28b52ffd) return " (a Zstandard file)";
  if (magic == 0x504b0304) return " (a ZIP archive)";
  return "";
}

// "Compressed twice" happens: a browser unpacks nothing, a script packs once more.
const char* magic_advice(uint32_t magic, bool compressed) {
  if (magic >> 16 == 0x1f8b && compressed)
    return "It was compressed twice: unpack it once, with gunzip.";
  return describe_magic(magic)[0] != '\0' && magic != kImageMagic && magic != kLabelMagic
             ? "Unpack it first."
             : "Name the right file.";
}

// Reads the big-endian words and the payload of one IDX file and keeps its digest.
class IdxStream {
 public:
  IdxStream(const std::string& path, const char* wanted) : stream_(path), wanted_(wanted) {
    refuse_other_kinds(stream_.file(), wanted,
                       {FileKind::kIdxImages, FileKind::kIdxLabels, FileKind::kGzip});
  }

  const std::string& label() const { return stream_.file().label(); }

  uint32_t read_word() {
    std::array<uint8_t, 4> bytes{};
    const size_t got = stream_.read(bytes.data(), bytes.size());
    header_bytes_ += got;
    EBB_CHECK(got == bytes.size(), FormatError, label(), ": header ends after ", header_bytes_,
              " bytes, expected ", wanted_, ". Download or copy it again.");
    sha_.update(bytes.data(), bytes.size());
    return uint32_t{bytes[0]} << 24 | uint32_t{bytes[1]} << 16 | uint32_t{bytes[2]} << 8 | bytes[3];
  }

  void expect_magic(uint32_t expected) {
    const uint32_t magic = read_word();
    EBB_CHECK(magic == expected, FormatError, label(), ": magic number is ", hex(magic),
              describe_magic(magic), ", expected ", hex(expected), " of ", wanted_, ". ",
              magic_advice(magic, stream_.compressed()));
  }

  std::vector<uint8_t> read_payload(uint64_t bytes);
  std::string digest() { return sha_.finish(); }

 private:
  void check_payload_size(uint64_t bytes) const;
  [[noreturn]] void fail_size(uint64_t found, const char* qualifier, uint64_t payload) const;

  GzipStream stream_;
  const char* wanted_;
  uint64_t header_bytes_ = 0;
  Sha256 sha_;
};

void IdxStream::fail_size(uint64_t found, const char* qualifier, uint64_t payload) const {
  throw FormatError(cat(label(), ": holds ", qualifier, found, " bytes",
                        stream_.compressed() ? " uncompressed" : "", ", its header asks for ",
                        header_bytes_ + payload, " (", header_bytes_, " of header, ", payload,
                        " of data). Download or copy it again."));
}

// Before anything is allocated: can the file hold that much?
void IdxStream::check_payload_size(uint64_t bytes) const {
  EBB_CHECK(bytes <= kMaxPayload, FormatError, label(), ": header asks for ", format_bytes(bytes),
            " of data, allowed are ", format_bytes(kMaxPayload), ". The header is damaged.");
  const uint64_t file_bytes = stream_.file().size();
  if (stream_.compressed()) {
    EBB_CHECK(bytes / kMaxInflation <= file_bytes, FormatError, label(), ": header asks for ",
              format_bytes(bytes), " of data, which gzip cannot pack into ",
              format_bytes(file_bytes), ". Download or copy it again.");
  } else if (file_bytes != header_bytes_ + bytes) {
    fail_size(file_bytes, "", bytes);
  }
}

std::vector<uint8_t> IdxStream::read_payload(uint64_t bytes) {
  check_payload_size(bytes);
  std::vector<uint8_t> payload;
  // Compressed data may end long before what the header promises: memory grows with what arrives.
  while (payload.size() < bytes) {
    const size_t start = payload.size();
    payload.resize(start + std::min<uint64_t>(kChunkBytes, bytes - start));
    const size_t got = stream_.read(payload.data() + start, payload.size() - start);
    sha_.update(payload.data() + start, got);
    if (start + got < payload.size()) fail_size(header_bytes_ + start + got, "", bytes);
  }
  if (!stream_.at_end()) fail_size(header_bytes_ + bytes, "more than ", bytes);
  return payload;
}

}  // namespace

IdxImages read_idx_images(const std::string& path, const std::optional<ImageSize>& expected) {
  IdxStream stream(path, "IDX images");
  stream.expect_magic(kImageMagic);
  IdxImages images;
  images.count = stream.read_word();
  images.rows = stream.read_word();
  images.cols = stream.read_word();
  EBB_CHECK(images.count >= 1 && images.rows >= 1 && images.cols >= 1, FormatError, stream.label(),
            ": header says ", images.count, " images of ", images.rows, " x ", images.cols,
            " pixels, expected at least one of each. Use another file.");
  EBB_CHECK(!expected || (images.rows == expected->rows && images.cols == expected->cols),
            FormatError, stream.label(), ": header says ", images.count, " images of ", images.rows,
            " x ", images.cols, " pixels, expected ", expected->rows, " x ", expected->cols,
            ". Use a data set of that size.");
  uint64_t pixels = static_cast<uint64_t>(images.rows) * static_cast<uint64_t>(images.cols);
  EBB_CHECK(!__builtin_mul_overflow(pixels, static_cast<uint64_t>(images.count), &pixels),
            FormatError, stream.label(), ": header asks for more than 2^64 bytes. It is damaged.");
  images.pixels = stream.read_payload(pixels);
  images.sha256 = stream.digest();
  return images;
}

IdxLabels read_idx_labels(const std::string& path, int64_t classes) {
  IdxStream stream(path, "IDX labels");
  stream.expect_magic(kLabelMagic);
  const uint32_t count = stream.read_word();
  EBB_CHECK(count >= 1, FormatError, stream.label(),
            ": header says 0 labels, expected at least one. Use another file.");
  IdxLabels labels;
  labels.values = stream.read_payload(count);
  labels.sha256 = stream.digest();
  const auto bad = std::find_if(labels.values.begin(), labels.values.end(),
                                [&](uint8_t label) { return label >= classes; });
  EBB_CHECK(
      bad == labels.values.end(), FormatError, stream.label(), ": label ",
      bad - labels.values.begin(), " is ", static_cast<int>(*bad), ", expected 0 to ", classes - 1,
      ". The file is damaged, or it is a data set of more classes: train_mnist --classes says "
      "how many.");
  return labels;
}

void check_idx_pair(const std::string& images_path, const IdxImages& images,
                    const std::string& labels_path, const IdxLabels& labels) {
  EBB_CHECK(images.count == static_cast<int64_t>(labels.values.size()), FormatError,
            path_label(images_path), ": holds ", images.count, " images, but ",
            path_label(labels_path), " holds ", labels.values.size(),
            " labels, expected as many. Use two files of one data set.");
}

}  // namespace ebb
