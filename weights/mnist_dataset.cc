#include "weights/mnist_dataset.h"

#include <algorithm>
#include <cstdlib>
#include <string_view>
#include <utility>

#include "base/error.h"
#include "weights/idx.h"
#include "weights/mnist_files.h"

namespace ebb {
namespace {

constexpr ImageSize kSize{28, 28};
constexpr int64_t kLetters = 26;

// The number of classes in EMNIST's parts (Cohen et al. 2017) and in all other data sets.
int64_t classes_of(const std::string& part) {
  constexpr std::pair<std::string_view, int64_t> kParts[] = {{"emnist-byclass", 62},
                                                             {"emnist-bymerge", 47},
                                                             {"emnist-balanced", 47},
                                                             {"emnist-letters", kLetters}};
  for (const auto& [name, classes] : kParts) {
    if (part == name) return classes;
  }
  return 10;
}

std::string path_of(const std::string& data, const MnistFiles& files, bool train, bool images) {
  std::string path = files.path(train, images);
  EBB_CHECK(!path.empty(), IoError, missing_file_message(data, files, train, images));
  return path;
}

void exchange_axes(std::vector<uint8_t>& images) {
  for (size_t first = 0; first < images.size(); first += MnistDataset::kPixels) {
    for (int64_t y = 0; y < kSize.rows; ++y) {
      for (int64_t x = 0; x < y; ++x) {
        std::swap(images[first + y * kSize.cols + x], images[first + x * kSize.cols + y]);
      }
    }
  }
}

// EMNIST numbers its letters from 1.
void count_letters_from_zero(std::vector<uint8_t>& labels, const std::string& path) {
  for (uint8_t& label : labels) {
    EBB_CHECK(label > 0, FormatError, path,
              ": holds the label 0, expected 1 to 26, EMNIST's letters. The file is damaged.");
    --label;
  }
}

}  // namespace

std::string mnist_directory(const std::string& flag) {
  if (!flag.empty()) return flag;
  const char* environment = std::getenv("EBB_DATA");
  return environment != nullptr && *environment != '\0' ? environment : "data/mnist";
}

MnistDataset load_mnist(const std::string& data, MnistSplit split,
                        const std::optional<int64_t>& classes) {
  const std::string place = mnist_directory(data);
  const MnistFiles files = find_mnist_files(place);
  const bool train = split == MnistSplit::kTrain;
  const std::string images_path = path_of(place, files, train, true);
  const std::string labels_path = path_of(place, files, train, false);
  const bool letters = files.part == "emnist-letters";
  const int64_t expected = classes.value_or(classes_of(files.part));
  const int64_t limit = expected == kClassesOfLabels ? kMaxLabels : expected + (letters ? 1 : 0);

  IdxImages images = read_idx_images(images_path, kSize);
  IdxLabels labels = read_idx_labels(labels_path, limit);
  check_idx_pair(images_path, images, labels_path, labels);
  if (!files.part.empty()) exchange_axes(images.pixels);
  if (letters) count_letters_from_zero(labels.values, labels_path);
  const int64_t largest = *std::max_element(labels.values.begin(), labels.values.end());
  return {.count = images.count,
          .images = std::move(images.pixels),
          .labels = std::move(labels.values),
          .fingerprint = images.sha256 + "+" + labels.sha256,
          .classes = expected == kClassesOfLabels ? largest + 1 : expected};
}

}  // namespace ebb
