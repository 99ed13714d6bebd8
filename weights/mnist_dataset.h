#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace ebb {

enum class MnistSplit { kTrain, kTest };

// MNIST or a data set of its form (Fashion-MNIST, KMNIST, EMNIST): 28x28 gray, 0 black to 255
// white.
struct MnistDataset {
  static constexpr int64_t kPixels = 28 * 28;

  int64_t count = 0;
  std::vector<uint8_t> images;  // [count, 28, 28]
  std::vector<uint8_t> labels;  // [count], 0..classes - 1
  std::string fingerprint;      // SHA-256 of both uncompressed files, "<images>+<labels>"
  int64_t classes = 10;
};

// Directory of the files: `flag` (the value of --data) or, if empty, $EBB_DATA, else data/mnist.
std::string mnist_directory(const std::string& flag);

// The number of classes to expect, when it is not the number that the data set's name implies.
inline constexpr int64_t kClassesOfLabels = 0;  // one more than the largest label

// Reads the IDX files of one split, gzipped or not. data: the --data flag, a directory that holds
//   - the four files under MNIST's names (train-images-idx3-ubyte, t10k-...) or with a dot in them
//     (train-images.idx3-ubyte), each perhaps in a directory of its name, as Kaggle has them;
//   - the files of one part of EMNIST (emnist-letters-train-images-idx3-ubyte), or of several when
//     `data` goes on with the part's name ("data/emnist-letters");
//   - either of these in raw/, gzip/, MNIST/raw/ or one other directory, as torchvision has them.
// EMNIST's images are stored with their axes exchanged and turned here; its letters 1..26 become
// classes 0..25. IoError says what is missing and how to get it; FormatError when a label is none
// of `classes`.
MnistDataset load_mnist(const std::string& data, MnistSplit split,
                        const std::optional<int64_t>& classes = std::nullopt);

}  // namespace ebb
