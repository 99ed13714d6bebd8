#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace ebb {

// Height and width in pixels.
struct ImageSize {
  int64_t rows = 28;
  int64_t cols = 28;
};

// The images of an IDX file (MNIST's format, magic number 0x803).
struct IdxImages {
  int64_t count = 0;
  int64_t rows = 0;
  int64_t cols = 0;
  std::vector<uint8_t> pixels;  // [count, rows, cols], 0..255
  std::string sha256;           // of the uncompressed file, the data set's fingerprint
};

// The labels of an IDX file (magic number 0x801).
struct IdxLabels {
  std::vector<uint8_t> values;  // [count]
  std::string sha256;           // as in IdxImages
};

inline constexpr int64_t kMaxLabels = 256;  // a label is a byte

// Reads an IDX file, gzipped or not (detected by content). FormatError when it breaks a rule: exact
// magic number and size, at least one image, of the expected size if there is one, labels below
// `classes`, intact gzip.
IdxImages read_idx_images(const std::string& path,
                          const std::optional<ImageSize>& expected = std::nullopt);
IdxLabels read_idx_labels(const std::string& path, int64_t classes = kMaxLabels);

// FormatError unless there are as many labels as images.
void check_idx_pair(const std::string& images_path, const IdxImages& images,
                    const std::string& labels_path, const IdxLabels& labels);

}  // namespace ebb
