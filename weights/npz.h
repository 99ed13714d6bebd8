#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "base/atomic_file.h"
#include "base/file.h"

namespace ebb {

// NumPy's files of several arrays (numpy.savez): a ZIP archive of stored members NAME.npy, each a
// header of text and the elements (NEP 1).

// An array in C order. descr: NumPy's name of the element type, "|u1" or "<i8".
struct NpyArray {
  std::string name;
  std::string descr;
  std::vector<uint64_t> shape;
};

// An array to write. `stream` hands its elements out in pieces, every time it is called the same.
struct NpyToSave {
  NpyArray array;
  using Sink = std::function<void(std::span<const std::byte>)>;
  std::function<void(const Sink&)> stream;
};

// Writes the file through AtomicFile; the same content gives the same bytes. Zip64 where a size
// needs it. `comment`, of the archive, is left out where it is longer than the format allows.
void save_npz(const std::string& path, std::span<const NpyToSave> arrays,
              const std::string& comment, Overwrite overwrite);

// A file of that kind, open for reading. FormatError for one that is damaged or compressed.
class NpzFile {
 public:
  explicit NpzFile(const std::string& path);

  const std::string& label() const { return file_.label(); }
  const std::vector<NpyArray>& arrays() const { return arrays_; }
  const NpyArray* find(std::string_view name) const;  // null when there is none
  // The elements, compared with the archive's CRC-32.
  std::vector<std::byte> read(const NpyArray& array) const;
  std::string comment() const;  // of the archive

 private:
  struct Place {
    uint64_t begin, data, end;  // of the member, of its elements
    uint32_t crc;
  };

  FileReader file_;
  std::vector<NpyArray> arrays_;
  std::vector<Place> places_;
};

}  // namespace ebb
