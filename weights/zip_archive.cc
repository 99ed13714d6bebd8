#include "weights/zip_archive.h"

#include <algorithm>
#include <cstring>
#include <set>
#include <string_view>

#include "base/error.h"
#include "base/text.h"

namespace ebb {
namespace {

constexpr uint32_t kLocalSignature = 0x04034b50;
constexpr uint32_t kDirectorySignature = 0x02014b50;
constexpr uint32_t kEndSignature = 0x06054b50;
constexpr uint32_t kEnd64Signature = 0x06064b50;
constexpr uint32_t kLocator64Signature = 0x07064b50;
constexpr uint64_t kLocalBytes = 30;
constexpr uint64_t kEntryBytes = 46;
constexpr uint64_t kEndBytes = 22;
constexpr uint64_t kEnd64Bytes = 56;
constexpr uint64_t kLocator64Bytes = 20;
constexpr uint64_t kMaxComment = 0xFFFF;
constexpr uint64_t kMaxDirectory = uint64_t{16} << 20;  // a quarter of a million tensors
constexpr uint16_t kKnownFlags = 1 << 3 | 1 << 11;      // data descriptor, names in UTF-8
constexpr uint16_t kZip64Extra = 1;
constexpr uint32_t kIn64Bits = 0xFFFFFFFF;  // of a 32-bit field: see the Zip64 record

template <typename... Parts>
[[noreturn]] void fail(const FileReader& file, const Parts&... parts) {
  throw FormatError(cat(file.label(), ": ", parts...,
                        ". The file is damaged or no archive of torch.save(); fetch it again."));
}

// Little-endian numbers at fixed places of a record whose size was checked.
template <typename T>
T number(std::string_view record, size_t at) {
  T value = 0;
  std::memcpy(&value, record.data() + at, sizeof value);
  return value;
}

std::string read(const FileReader& file, uint64_t offset, uint64_t bytes) {
  std::string record(bytes, '\0');
  file.read_at(offset, record.data(), bytes);
  return record;
}

struct Directory {
  uint64_t begin = 0;
  uint64_t bytes = 0;
  uint64_t members = 0;
};

// Start of the end record: its comment, if any, ends the file.
uint64_t find_end_record(const FileReader& file) {
  if (file.size() >= kEndBytes) {
    const uint64_t window = std::min(file.size(), kEndBytes + kMaxComment);
    const uint64_t start = file.size() - window;
    const std::string tail = read(file, start, window);
    for (uint64_t at = window - kEndBytes + 1; at-- > 0;) {
      if (number<uint32_t>(tail, at) != kEndSignature) continue;
      if (at + kEndBytes + number<uint16_t>(tail, at + 20) == window) return start + at;
    }
  }
  fail(file, "this is a ZIP archive whose end record is not at its end: it was cut, or holds ",
       "something behind it");
}

// A 32-bit (or 16-bit) field of the end record says the same as the Zip64 record, or nothing.
void check_same(const FileReader& file, uint64_t small, uint64_t limit, uint64_t large) {
  if (small != limit && small != large) {
    fail(file, "the ZIP end record says ", small, ", its Zip64 record ", large);
  }
}

// Replaces what the end record says by the Zip64 record before it, if there is one; returns where
// the end records start.
uint64_t read_end64(const FileReader& file, uint64_t end, Directory& directory) {
  if (end < kLocator64Bytes) return end;
  const std::string locator = read(file, end - kLocator64Bytes, kLocator64Bytes);
  if (number<uint32_t>(locator, 0) != kLocator64Signature) return end;
  const auto at = number<uint64_t>(locator, 8);
  const bool in_place =
      end >= kLocator64Bytes + kEnd64Bytes && at <= end - kLocator64Bytes - kEnd64Bytes;
  if (!in_place || number<uint32_t>(locator, 4) != 0 || number<uint32_t>(locator, 16) > 1) {
    fail(file, "the Zip64 locator points to byte ", at, ", outside the file or to another disk");
  }
  const std::string record = read(file, at, kEnd64Bytes);
  // The size leaves out the record's first 12 bytes.
  const bool fits = number<uint32_t>(record, 0) == kEnd64Signature &&
                    number<uint64_t>(record, 4) == end - kLocator64Bytes - at - 12;
  if (!fits || number<uint32_t>(record, 16) != 0 || number<uint32_t>(record, 20) != 0 ||
      number<uint64_t>(record, 24) != number<uint64_t>(record, 32)) {
    fail(file, "the Zip64 end record at byte ", at, " is damaged");
  }
  const Directory large = {number<uint64_t>(record, 48), number<uint64_t>(record, 40),
                           number<uint64_t>(record, 32)};
  check_same(file, directory.members, 0xFFFF, large.members);
  check_same(file, directory.bytes, kIn64Bits, large.bytes);
  check_same(file, directory.begin, kIn64Bits, large.begin);
  directory = large;
  return at;
}

Directory find_directory(const FileReader& file) {
  const uint64_t end = find_end_record(file);
  const std::string record = read(file, end, kEndBytes);
  if (number<uint16_t>(record, 4) != 0 || number<uint16_t>(record, 6) != 0 ||
      number<uint16_t>(record, 8) != number<uint16_t>(record, 10)) {
    fail(file, "the ZIP archive spans several disks");
  }
  Directory directory = {number<uint32_t>(record, 16), number<uint32_t>(record, 12),
                         number<uint16_t>(record, 10)};
  const uint64_t stop = read_end64(file, end, directory);
  if (directory.begin > stop || directory.bytes != stop - directory.begin) {
    fail(file, "the ZIP directory of ", directory.bytes, " bytes at byte ", directory.begin,
         " does not end at the end record, byte ", stop);
  }
  if (directory.bytes > kMaxDirectory || directory.members > directory.bytes / kEntryBytes) {
    fail(file, "the ZIP directory says ", directory.members, " members in ", directory.bytes,
         " bytes");
  }
  return directory;
}

struct Sizes {
  uint64_t stored = 0;
  uint64_t plain = 0;
  uint64_t local = 0;  // where the local header starts
};

// The sizes that a directory entry keeps in 64 bits, in the order of the format.
Sizes read_sizes(const FileReader& file, std::string_view entry, std::string_view extra) {
  Sizes sizes = {number<uint32_t>(entry, 20), number<uint32_t>(entry, 24),
                 number<uint32_t>(entry, 42)};
  std::string_view field;
  while (extra.size() >= 4) {
    const uint64_t bytes = number<uint16_t>(extra, 2);
    if (bytes > extra.size() - 4) break;
    if (number<uint16_t>(extra, 0) == kZip64Extra) field = extra.substr(4, bytes);
    extra.remove_prefix(4 + bytes);
  }
  for (uint64_t* size : {&sizes.plain, &sizes.stored, &sizes.local}) {
    if (*size != kIn64Bits) continue;
    if (field.size() < sizeof *size) fail(file, "a ZIP member lacks its 64-bit size");
    *size = number<uint64_t>(field, 0);
    field.remove_prefix(sizeof *size);
  }
  return sizes;
}

void check_stored(const FileReader& file, const std::string& name, uint16_t flags,
                  uint16_t method) {
  if ((flags & ~kKnownFlags) != 0) {
    fail(file, "ZIP member ", quoted(name), " has flags ", flags,
         ": it is encrypted or of a kind that torch.save() does not write");
  }
  if (method != 0) {
    fail(file, "ZIP member ", quoted(name), " is compressed (method ", method,
         "), expected stored as torch.save() does");
  }
}

// The member behind a directory entry, after a look at its local header.
ZipMember locate(const FileReader& file, std::string name, const Sizes& sizes, uint32_t crc,
                 uint64_t directory_begin) {
  const uint64_t header = kLocalBytes + name.size();
  if (sizes.local > directory_begin || header > directory_begin - sizes.local) {
    fail(file, "ZIP member ", quoted(name), " starts at byte ", sizes.local,
         ", outside the archive");
  }
  const std::string local = read(file, sizes.local, header);
  const bool same_name = number<uint32_t>(local, 0) == kLocalSignature &&
                         number<uint16_t>(local, 26) == name.size() &&
                         std::string_view(local).substr(kLocalBytes) == name;
  if (!same_name) {
    fail(file, "the local header at byte ", sizes.local, " is not that of ZIP member ",
         quoted(name));
  }
  check_stored(file, name, number<uint16_t>(local, 6), number<uint16_t>(local, 8));
  const auto local_size = number<uint32_t>(local, 22);  // 0 where a data descriptor follows
  const uint64_t begin = sizes.local + header + number<uint16_t>(local, 28);
  if (begin > directory_begin || sizes.plain > directory_begin - begin ||
      (local_size != 0 && local_size != kIn64Bits && local_size != sizes.plain)) {
    fail(file, "ZIP member ", quoted(name), " of ", sizes.plain, " bytes does not fit its place");
  }
  return {std::move(name), begin, begin + sizes.plain, crc};
}

std::vector<ZipMember> read_entries(const FileReader& file, const Directory& directory) {
  const std::string content = read(file, directory.begin, directory.bytes);
  std::string_view rest = content;
  std::vector<ZipMember> members;
  while (!rest.empty()) {
    if (rest.size() < kEntryBytes || number<uint32_t>(rest, 0) != kDirectorySignature) {
      fail(file, "the ZIP directory is damaged behind member ", members.size());
    }
    const uint64_t name_bytes = number<uint16_t>(rest, 28),
                   extra_bytes = number<uint16_t>(rest, 30);
    const uint64_t bytes =
        kEntryBytes + name_bytes + extra_bytes + number<uint16_t>(rest, 32);  // and a comment
    if (bytes > rest.size()) fail(file, "the ZIP directory ends within an entry");
    std::string name(rest.substr(kEntryBytes, name_bytes));
    check_stored(file, name, number<uint16_t>(rest, 8), number<uint16_t>(rest, 10));
    const Sizes sizes = read_sizes(file, rest, rest.substr(kEntryBytes + name_bytes, extra_bytes));
    if (sizes.stored != sizes.plain || number<uint16_t>(rest, 34) != 0) {
      fail(file, "ZIP member ", quoted(name), " is stored in ", sizes.stored, " of ", sizes.plain,
           " bytes, expected all on one disk");
    }
    members.push_back(
        locate(file, std::move(name), sizes, number<uint32_t>(rest, 16), directory.begin));
    rest.remove_prefix(bytes);
  }
  if (members.size() != directory.members) {
    fail(file, "the ZIP end record says ", directory.members, " members, the directory holds ",
         members.size());
  }
  return members;
}

void check_members(const FileReader& file, std::vector<ZipMember>& members) {
  std::set<std::string_view> names;
  for (const ZipMember& member : members) {
    if (!names.insert(member.name).second) {
      fail(file, "holds the ZIP member ", quoted(member.name), " twice");
    }
  }
  std::sort(members.begin(), members.end(),
            [](const ZipMember& a, const ZipMember& b) { return a.begin < b.begin; });
  uint64_t end = 0;
  for (const ZipMember& member : members) {
    // At least the local header lies between two members.
    if (member.begin - kLocalBytes - member.name.size() < end) {
      fail(file, "ZIP member ", quoted(member.name), " overlaps the one before it");
    }
    end = member.end;
  }
}

}  // namespace

std::vector<ZipMember> read_zip_directory(const FileReader& file) {
  std::vector<ZipMember> members = read_entries(file, find_directory(file));
  check_members(file, members);
  return members;
}

}  // namespace ebb
