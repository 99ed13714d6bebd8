#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/atomic_file.h"

namespace ebb {

// Many images in one file, named by its ending:
//   .npz          arr_0 |u1 [N, H, W, C], arr_1 <i8 [N] classes, as the evaluators of ADM read it
//   .safetensors  images U8 [N, H, W, C], labels I64 [N]
// The classes are left out where an image has none.
bool is_samples_name(const std::string& path);

struct StoredSamples {
  int64_t images = 0, height = 0, width = 0, channels = 0;
  std::vector<uint8_t> pixels;  // [N, H, W, C]
  std::vector<int64_t> labels;  // [N]; empty: none
};

// Whether the path is one of those, and no model's, or a directory of nothing but the PNG files of
// ebb sample.
bool holds_samples(const std::string& path);

// FormatError for a file of another content, IoError for one that cannot be read.
StoredSamples read_samples(const std::string& path);

// A file of save_block(), with its number of images.
struct BlockFile {
  std::string path;
  int64_t images = 0;
};
void save_block(const std::string& path, const StoredSamples& block, const std::string& made);
// The text given as `made` of a block, or of a joined file; empty when the file is not there or
// says nothing.
std::string samples_made(const std::string& path);

// Joins blocks into one file. `made`: text about how they were made, kept in the file where it is
// not empty. gray: gray images keep one channel in .npz files.
void join_blocks(const std::string& path, std::span<const BlockFile> blocks, bool gray,
                 const std::string& made, Overwrite overwrite);

}  // namespace ebb
