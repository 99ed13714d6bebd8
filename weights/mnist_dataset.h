#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace ebb {

enum class MnistSplit { kTrain, kTest };

// 28x28 gray digits, 0 black to 255 white.
struct MnistDataset {
  static constexpr int64_t kPixels = 28 * 28;

  int64_t count = 0;
  std::vector<uint8_t> images;  // [count, 28, 28]
  std::vector<uint8_t> labels;  // [count], 0..9
  std::string fingerprint;      // SHA-256 of both uncompressed files, "<images>+<labels>"
};

// Where the files are: `flag`, what --data says, or when that is empty $EBB_DATA, else data/mnist.
std::string mnist_directory(const std::string& flag);

// Reads the IDX files of one split, gzipped or not, under their usual names. data: the
// --data flag. IoError says what is missing and how to get it.
MnistDataset load_mnist(const std::string& data, MnistSplit split);

}  // namespace ebb
