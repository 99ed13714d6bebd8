#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/file.h"

namespace ebb {

// A member of a ZIP archive, stored without compression. Its bytes are [begin, end) of the file.
struct ZipMember {
  std::string name;  // any bytes: print it with quoted()
  uint64_t begin = 0;
  uint64_t end = 0;
  uint32_t crc = 0;  // CRC-32 of the bytes; 0 when its writer did not compute it

  uint64_t bytes() const { return end - begin; }
};

// The members of an archive as torch.save() writes it, in the order of their bytes: one disk, no
// compression, no encryption, nothing before the first member or behind the end record, unique
// names that are the same in directory and local headers, no overlap. FormatError otherwise. Reads
// the directory and the local headers only (APPNOTE.TXT 6.3.10, 4.3 and 4.5.3).
std::vector<ZipMember> read_zip_directory(const FileReader& file);

}  // namespace ebb
