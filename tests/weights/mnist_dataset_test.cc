#include "weights/mnist_dataset.h"

#include <filesystem>
#include <numeric>

#include "testing/catch.h"
#include "testing/errors.h"
#include "testing/temp_dir.h"

namespace ebb {
namespace {

namespace fs = std::filesystem;
using Catch::Matchers::Contains;
using test::message_of;
using test::put_file;
using test::TempDir;

constexpr int kPixels = 28 * 28;

std::string words(std::initializer_list<uint32_t> values) {
  std::string bytes;
  for (const uint32_t value : values) {
    for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(value >> shift);
  }
  return bytes;
}

// Images of pixels that count up from their label, so that sets can be distinguished.
void put_split(const std::string& images, const std::string& labels, const std::string& values) {
  std::string pixels;
  for (const char value : values) {
    for (int i = 0; i < kPixels; ++i) pixels += static_cast<char>(value + i);
  }
  const auto count = static_cast<uint32_t>(values.size());
  fs::create_directories(fs::path(images).parent_path());
  fs::create_directories(fs::path(labels).parent_path());
  put_file(images, words({0x803, count, 28, 28}) + pixels);
  put_file(labels, words({0x801, count}) + values);
}

void put_train(const std::string& directory, const std::string& values) {
  put_split(directory + "/train-images-idx3-ubyte", directory + "/train-labels-idx1-ubyte", values);
}

std::vector<uint8_t> train_labels(const std::string& data) {
  return load_mnist(data, MnistSplit::kTrain).labels;
}

template <typename ExpectedError>
std::string refusal(const std::string& data, MnistSplit split = MnistSplit::kTrain) {
  return message_of<ExpectedError>([&] { load_mnist(data, split); });
}

TEST_CASE("MNIST is found under the names and in the directories that people have") {
  const TempDir dir;
  const std::string values("\1\2\3", 3);
  const std::vector<uint8_t> expected = {1, 2, 3};
  put_train(dir / "plain", values);
  CHECK(train_labels(dir / "plain") == expected);

  const std::string dotted = dir / "dotted";
  put_split(dotted + "/train-images.idx3-ubyte", dotted + "/train-labels.idx1-ubyte", values);
  CHECK(train_labels(dotted) == expected);
  // Kaggle: directories of the usual names beside the dotted files.
  for (const char* name : {"train-images-idx3-ubyte", "train-labels-idx1-ubyte"}) {
    fs::create_directory(dotted + "/" + name);
  }
  CHECK(train_labels(dotted) == expected);
  const std::string nested = dir / "nested";
  put_split(nested + "/train-images-idx3-ubyte/train-images-idx3-ubyte",
            nested + "/train-labels-idx1-ubyte/train-labels-idx1-ubyte", values);
  CHECK(train_labels(nested) == expected);

  for (const char* place : {"raw", "MNIST/raw", "MNIST", "FashionMNIST/raw", "KMNIST"}) {
    const std::string root = dir / ("root" + std::to_string(fs::hash_value(place)));
    put_train(root + "/" + place, values);
    CHECK(train_labels(root) == expected);
  }
}

TEST_CASE("of several data sets MNIST or the nearest is taken, otherwise one must be named") {
  const TempDir dir;
  put_train(dir / "root/FashionMNIST/raw", std::string("\4", 1));
  put_train(dir / "root/KMNIST/raw", std::string("\5", 1));
  CHECK_THAT(refusal<UsageError>(dir / "root"),
             Contains("holds 2 data sets") && Contains("FashionMNIST/raw") && Contains("Name one"));
  put_train(dir / "root/MNIST/raw", std::string("\6", 1));
  CHECK(train_labels(dir / "root") == std::vector<uint8_t>{6});
  put_train(dir / "root", std::string("\7", 1));
  CHECK(train_labels(dir / "root") == std::vector<uint8_t>{7});
}

TEST_CASE("files of one set are never completed by those of another") {
  const TempDir dir;
  put_train(dir / "root", std::string("\1", 1));
  const std::string other = dir / "root/raw";
  put_split(other + "/t10k-images-idx3-ubyte", other + "/t10k-labels-idx1-ubyte", "\1");
  CHECK_THAT(refusal<IoError>(dir / "root", MnistSplit::kTest),
             Contains("found ") && Contains("train-images-idx3-ubyte, but neither "
                                            "t10k-images-idx3-ubyte.gz nor"));
}

TEST_CASE("EMNIST's images are turned and its parts have their classes") {
  const TempDir dir;
  const std::string root = dir / "EMNIST/raw";
  const auto put_part = [&](const std::string& part, const std::string& values) {
    const std::string start = root + "/emnist-" + part;
    put_split(start + "-train-images-idx3-ubyte", start + "-train-labels-idx1-ubyte", values);
    put_split(start + "-test-images-idx3-ubyte", start + "-test-labels-idx1-ubyte", values);
  };
  put_part("balanced", std::string("\0\x2e", 2));
  const MnistDataset data = load_mnist(dir.path(), MnistSplit::kTest);
  CHECK(data.classes == 47);
  CHECK(data.labels == std::vector<uint8_t>{0, 46});
  CHECK(data.images[1] == 28);  // row 0, column 1 was row 1, column 0
  CHECK(data.images[28] == 1);
  CHECK(data.images[kPixels + 29] == static_cast<uint8_t>(46 + 29));

  put_part("letters", std::string("\1\x1a", 2));
  CHECK_THAT(refusal<UsageError>(dir.path()),
             Contains("emnist-balanced") && Contains("emnist-letters"));
  const MnistDataset letters = load_mnist(root + "/emnist-letters", MnistSplit::kTrain);
  CHECK(letters.classes == 26);
  CHECK(letters.labels == std::vector<uint8_t>{0, 25});
  CHECK(load_mnist(dir / "emnist-balanced", MnistSplit::kTrain).classes == 47);
  put_part("byclass", std::string("\x3e", 1));
  CHECK_THAT(refusal<FormatError>(root + "/emnist-byclass"), Contains("is 62, expected 0 to 61"));
}

TEST_CASE("labels beyond the digits are rejected unless more classes are requested") {
  const TempDir dir;
  put_train(dir / "d", std::string("\0\x0c", 2));
  CHECK_THAT(refusal<FormatError>(dir / "d"), Contains("label 1 is 12, expected 0 to 9"));
  CHECK(load_mnist(dir / "d", MnistSplit::kTrain, 20).classes == 20);
  CHECK(load_mnist(dir / "d", MnistSplit::kTrain, kClassesOfLabels).classes == 13);
}

TEST_CASE("what is wrong with a directory decides the message") {
  const TempDir dir;
  CHECK_THAT(refusal<IoError>(dir / "none"),
             Contains("no such directory") && Contains("scripts/get_mnist"));
  CHECK_THAT(refusal<IoError>(dir.path()), Contains("found neither train-images-idx3-ubyte.gz"));
  put_file(dir / "file", "x");
  CHECK_THAT(refusal<IoError>(dir / "file"), Contains("is a file, expected the directory"));
  CHECK_THAT(refusal<IoError>(dir / "a\x1b[2J"), Contains("a\\x1b[2J"));
}

}  // namespace
}  // namespace ebb
