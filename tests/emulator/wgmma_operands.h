#pragma once

#include <bit>
#include <random>
#include <vector>

#include "base/dtype.h"
#include "tests/emulator/primitives.h"

namespace ebb {

// Shared memory with operand tiles in it, written element by element as the layouts are documented.
class TileImage {
 public:
  explicit TileImage(size_t bytes) : bytes_(bytes) {}
  void put(size_t offset, uint32_t bits, int size) {
    const size_t row = offset / 128, swizzled = offset ^ row % 8 * 16;
    for (int i = 0; i < size; ++i) bytes_[swizzled + i] = static_cast<uint8_t>(bits >> 8 * i);
  }
  std::vector<uint32_t> words() const {
    std::vector<uint32_t> words(bytes_.size() / 4);
    for (size_t i = 0; i < bytes_.size(); ++i) words[i / 4] |= uint32_t{bytes_[i]} << i % 4 * 8;
    return words;
  }

 private:
  std::vector<uint8_t> bytes_;
};

// A product of small integers, exact in every format: d [64, n] = a [64, depth] b [n, depth]^T.
struct WgmmaOperands {
  EBB_GPU_NAMESPACE::WgmmaCase c;
  int depth;              // 128 bytes: one swizzled row of k
  std::vector<int> a, b;  // [64, depth], [n, depth]
  std::vector<uint32_t> words;
};

inline uint32_t encode_integer(int value, simt::emulator::Format format) {
  using simt::emulator::Format;
  const float f = static_cast<float>(value);
  return format == Format::kBf16  ? f32_to_bf16(f)
         : format == Format::kF16 ? f32_to_f16(f)
                                  : std::bit_cast<uint32_t>(f);
}

inline WgmmaOperands wgmma_operands(simt::emulator::Format format, int n, bool mn_major) {
  const int size = format == simt::emulator::Format::kTf32 ? 4 : 2, depth = 128 / size;
  WgmmaOperands result{{}, depth, std::vector<int>(64 * depth), std::vector<int>(n * depth), {}};
  std::mt19937 generator(static_cast<uint32_t>(n));
  for (int& v : result.a) v = static_cast<int>(generator() % 9) - 4;
  for (int& v : result.b) v = static_cast<int>(generator() % 9) - 4;
  // Tile A at 0 (64 rows), tile B behind it. In MN-major form a block of 64 columns has depth
  // lines.
  const size_t block = mn_major ? 128 * depth : 0;
  const size_t a_bytes = mn_major ? block : 64 * 128;
  const size_t b_bytes = mn_major ? block * ((n + 63) / 64) : n * 128;
  TileImage image(a_bytes + b_bytes);
  const auto offset = [&](int row, int k) {
    return mn_major ? size_t(row) / 64 * block + size_t(k) * 128 + size_t(row % 64) * size
                    : size_t(row) * 128 + size_t(k) * size;
  };
  for (int k = 0; k < depth; ++k) {
    for (int i = 0; i < 64; ++i) {
      image.put(offset(i, k), encode_integer(result.a[i * depth + k], format), size);
    }
    for (int j = 0; j < n; ++j) {
      image.put(a_bytes + offset(j, k), encode_integer(result.b[j * depth + k], format), size);
    }
  }
  result.c.format = format;
  result.c.n = n;
  result.c.mn_major = mn_major;
  result.c.slices = 4;  // of k = 16, or 8 for tf32
  result.c.a_offset = 0;
  result.c.b_offset = static_cast<uint32_t>(a_bytes);
  result.c.a_step = result.c.b_step = mn_major ? 16 * 128 : 32;
  result.c.group_bytes = 1024;
  result.c.a_block_bytes = result.c.b_block_bytes = mn_major ? static_cast<uint32_t>(block) : 16;
  result.words = image.words();
  return result;
}

}  // namespace ebb
