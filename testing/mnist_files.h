#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "testing/random_data.h"
#include "testing/temp_dir.h"

namespace ebb::test {

// A directory with the four files of a small MNIST: random pixels, labels 0, 1, ..., 9, 0, ...
class MnistFiles {
 public:
  MnistFiles(int64_t train, int64_t tests) {
    write("train", train, 1);
    write("t10k", tests, 2);
  }

  const std::string& path() const { return dir_.path(); }

 private:
  static std::string big_endian(uint32_t value) {
    std::string bytes;
    for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(value >> shift);
    return bytes;
  }

  void write(const std::string& split, int64_t count, uint64_t seed) {
    const auto n = static_cast<uint32_t>(count);
    const std::vector<uint8_t> pixels = RandomData(seed).bytes(count * 784);
    std::string labels;
    for (int64_t i = 0; i < count; ++i) labels += static_cast<char>(i % 10);
    put_file(dir_ / (split + "-images-idx3-ubyte"), big_endian(0x803) + big_endian(n) +
                                                        big_endian(28) + big_endian(28) +
                                                        std::string(pixels.begin(), pixels.end()));
    put_file(dir_ / (split + "-labels-idx1-ubyte"), big_endian(0x801) + big_endian(n) + labels);
  }

  TempDir dir_;
};

}  // namespace ebb::test
