#include "weights/npz.h"

#include <zlib.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <optional>

#include "base/error.h"
#include "base/text.h"
#include "weights/zip_archive.h"

namespace ebb {
namespace {

constexpr std::string_view kMagic = "\x93NUMPY";
constexpr std::string_view kEnding = ".npy";
constexpr uint64_t kAlignment = 64;  // of the elements in a .npy file
constexpr uint64_t kMaxHeader = 1 << 16;
constexpr uint64_t kIn64Bits = 0xFFFFFFFF;
constexpr uint64_t kMaxComment = 0xFFFF;
constexpr uint16_t kZip64Version = 45, kPlainVersion = 20;
constexpr uint16_t kFirstDay = 0x21;  // 1980-01-01: the time of writing changes no byte

template <typename T>
void put(std::string& bytes, uint64_t value) {
  const T number = static_cast<T>(value);
  bytes.append(reinterpret_cast<const char*>(&number), sizeof number);
}

uint64_t item_bytes(const std::string& descr) {
  const char last = descr.empty() ? '0' : descr.back();
  return last >= '1' && last <= '8' ? static_cast<uint64_t>(last - '0') : 0;
}

std::optional<uint64_t> byte_count(const NpyArray& array) {
  uint64_t bytes = item_bytes(array.descr);
  for (const uint64_t dim : array.shape) {
    if (__builtin_mul_overflow(bytes, dim, &bytes)) return std::nullopt;
  }
  return bytes;
}

std::string npy_header(const NpyArray& array) {
  std::string shape;
  for (const uint64_t dim : array.shape) shape += cat(dim, ", ");
  if (array.shape.size() > 1) shape.resize(shape.size() - 2);
  if (array.shape.size() == 1) shape.resize(shape.size() - 1);
  std::string text =
      cat("{'descr': '", array.descr, "', 'fortran_order': False, 'shape': (", shape, "), }");
  const uint64_t before = kMagic.size() + 4;
  text.append(kAlignment - 1 - (before + text.size()) % kAlignment, ' ');
  text += '\n';
  std::string header(kMagic);
  header += std::string("\x01\x00", 2);
  put<uint16_t>(header, text.size());
  return header + text;
}

// A member of the archive to be written.
struct Member {
  std::string name, header;
  uint64_t bytes = 0;   // of header and elements
  uint64_t offset = 0;  // of the local header
  uint32_t crc = 0;

  bool is_large() const { return std::max(bytes, offset) >= kIn64Bits; }
};

Member measure(const NpyToSave& saved) {
  Member member{.name = saved.array.name + std::string(kEnding), .header = npy_header(saved.array)};
  uLong crc =
      ::crc32_z(0, reinterpret_cast<const Bytef*>(member.header.data()), member.header.size());
  uint64_t streamed = 0;
  saved.stream([&](std::span<const std::byte> piece) {
    crc = ::crc32_z(crc, reinterpret_cast<const Bytef*>(piece.data()), piece.size());
    streamed += piece.size();
  });
  EBB_CHECK(streamed == byte_count(saved.array), Error, "npz array ", saved.array.name, ": ",
            streamed, " bytes, its shape asks for others");
  member.bytes = member.header.size() + streamed;
  member.crc = static_cast<uint32_t>(crc);
  return member;
}

// Fields that the local header and the directory entry share, from the version on.
void put_common(std::string& bytes, const Member& member, uint16_t extra) {
  put<uint16_t>(bytes, member.is_large() ? kZip64Version : kPlainVersion);
  put<uint16_t>(bytes, 0);  // flags
  put<uint16_t>(bytes, 0);  // stored
  put<uint16_t>(bytes, 0);  // time
  put<uint16_t>(bytes, kFirstDay);
  put<uint32_t>(bytes, member.crc);
  for (int i = 0; i < 2; ++i) put<uint32_t>(bytes, member.is_large() ? kIn64Bits : member.bytes);
  put<uint16_t>(bytes, member.name.size());
  put<uint16_t>(bytes, extra);
}

std::string local_header(const Member& member) {
  std::string bytes;
  put<uint32_t>(bytes, 0x04034b50);
  put_common(bytes, member, member.is_large() ? 20 : 0);
  bytes += member.name;
  if (!member.is_large()) return bytes;
  put<uint16_t>(bytes, 1);
  put<uint16_t>(bytes, 16);
  for (int i = 0; i < 2; ++i) put<uint64_t>(bytes, member.bytes);
  return bytes;
}

std::string directory_entry(const Member& member) {
  std::string bytes;
  put<uint32_t>(bytes, 0x02014b50);
  put<uint16_t>(bytes, kZip64Version);
  put_common(bytes, member, member.is_large() ? 28 : 0);
  bytes.append(10, '\0');  // comment, disk, attributes
  put<uint32_t>(bytes, member.is_large() ? kIn64Bits : member.offset);
  bytes += member.name;
  if (!member.is_large()) return bytes;
  put<uint16_t>(bytes, 1);
  put<uint16_t>(bytes, 24);
  for (const uint64_t value : {member.bytes, member.bytes, member.offset}) {
    put<uint64_t>(bytes, value);
  }
  return bytes;
}

std::string end_records(uint64_t members, uint64_t begin, uint64_t bytes,
                        const std::string& comment) {
  std::string end;
  const bool is_large = begin + bytes >= kIn64Bits;
  if (is_large) {
    put<uint32_t>(end, 0x06064b50);
    put<uint64_t>(end, 44);
    for (int i = 0; i < 2; ++i) put<uint16_t>(end, kZip64Version);
    end.append(8, '\0');
    for (const uint64_t value : {members, members, bytes, begin}) put<uint64_t>(end, value);
    put<uint32_t>(end, 0x07064b50);
    put<uint32_t>(end, 0);
    put<uint64_t>(end, begin + bytes);
    put<uint32_t>(end, 1);
  }
  put<uint32_t>(end, 0x06054b50);
  end.append(4, '\0');
  for (int i = 0; i < 2; ++i) put<uint16_t>(end, members);
  put<uint32_t>(end, is_large ? kIn64Bits : bytes);
  put<uint32_t>(end, is_large ? kIn64Bits : begin);
  put<uint16_t>(end, comment.size());
  return end + comment;
}

template <typename... Parts>
[[noreturn]] void fail(const FileReader& file, const std::string& member, const Parts&... parts) {
  throw FormatError(cat(file.label(), ": ", quoted(member), " ", parts...,
                        ". Write it with ebb sample or numpy.savez()."));
}

// The text behind 'key': in a header, without leading blanks.
std::string_view value_of(std::string_view header, std::string_view key) {
  const size_t at = header.find(cat("'", key, "':"));
  if (at == std::string_view::npos) return {};
  header.remove_prefix(at + key.size() + 3);
  header.remove_prefix(std::min(header.find_first_not_of(' '), header.size()));
  return header;
}

// "(100, 28, 28, 3), }" -> its numbers; nullopt when they are none.
std::optional<std::vector<uint64_t>> parse_shape(std::string_view text) {
  if (!text.starts_with('(')) return std::nullopt;
  text = text.substr(1, text.find(')') - 1);
  std::vector<uint64_t> shape;
  while (!text.empty()) {
    uint64_t dim = 0;
    const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), dim);
    if (error != std::errc()) return std::nullopt;
    shape.push_back(dim);
    text.remove_prefix(static_cast<size_t>(rest - text.data()));
    text.remove_prefix(std::min(text.find_first_not_of(", "), text.size()));
  }
  return shape;
}

// The place where the elements of a member begin, and what its header says.
std::pair<NpyArray, uint64_t> read_header(const FileReader& file, const ZipMember& member) {
  std::string start(std::min<uint64_t>(member.bytes(), 12), '\0');
  file.read_at(member.begin, start.data(), start.size());
  const bool is_npy =
      start.size() == 12 && start.starts_with(kMagic) && start[6] >= 1 && start[6] <= 3;
  if (!is_npy) fail(file, member.name, "is no array of NumPy");
  uint64_t length = 0;
  const uint64_t length_bytes = start[6] == 1 ? 2 : 4;
  std::memcpy(&length, start.data() + 8, length_bytes);
  const uint64_t data = member.begin + 8 + length_bytes + length;
  if (length > kMaxHeader || data > member.end) fail(file, member.name, "has a damaged header");
  std::string header(length, '\0');
  file.read_at(data - length, header.data(), length);
  const std::string_view descr = value_of(header, "descr");
  const auto shape = parse_shape(value_of(header, "shape"));
  const size_t quote = descr.find('\'', 1);
  if (!descr.starts_with('\'') || quote == std::string_view::npos || !shape) {
    fail(file, member.name, "has a header that is not understood");
  }
  if (!value_of(header, "fortran_order").starts_with("False")) {
    fail(file, member.name, "is in Fortran order, expected C order");
  }
  NpyArray array{.name = member.name.substr(0, member.name.size() - kEnding.size()),
                 .descr = std::string(descr.substr(1, quote - 1)),
                 .shape = *shape};
  return {std::move(array), data};
}

}  // namespace

void save_npz(const std::string& path, std::span<const NpyToSave> arrays,
              const std::string& comment, Overwrite overwrite) {
  std::vector<Member> members;
  std::string directory;
  uint64_t offset = 0;
  for (const NpyToSave& saved : arrays) {
    members.push_back(measure(saved));
    members.back().offset = offset;
    offset += local_header(members.back()).size() + members.back().bytes;
    directory += directory_entry(members.back());
  }
  const std::string end = end_records(members.size(), offset, directory.size(),
                                      comment.size() > kMaxComment ? "" : comment);
  AtomicFile file(path, offset + directory.size() + end.size(), overwrite);
  for (size_t i = 0; i < members.size(); ++i) {
    const std::string head = local_header(members[i]) + members[i].header;
    file.write(head.data(), head.size());
    arrays[i].stream(
        [&](std::span<const std::byte> piece) { file.write(piece.data(), piece.size()); });
  }
  directory += end;
  file.write(directory.data(), directory.size());
  file.commit();
}

NpzFile::NpzFile(const std::string& path) : file_(path) {
  for (const ZipMember& member : read_zip_directory(file_)) {
    if (!member.name.ends_with(kEnding)) continue;
    auto [array, data] = read_header(file_, member);
    const uint64_t bytes = member.end - data;
    const auto expected = byte_count(array);
    if (expected && *expected > 0 && *expected != bytes) {
      fail(file_, member.name, "holds ", bytes, " bytes, its header asks for ", *expected);
    }
    arrays_.push_back(std::move(array));
    places_.push_back({member.begin, data, member.end, member.crc});
  }
}

const NpyArray* NpzFile::find(std::string_view name) const {
  const auto found = std::find_if(arrays_.begin(), arrays_.end(),
                                  [&](const NpyArray& array) { return array.name == name; });
  return found == arrays_.end() ? nullptr : &*found;
}

std::string NpzFile::comment() const {
  constexpr uint64_t kEndBytes = 22;
  std::string tail(std::min(file_.size(), kEndBytes + kMaxComment), '\0');
  file_.read_at(file_.size() - tail.size(), tail.data(), tail.size());
  for (uint64_t at = tail.size() - kEndBytes + 1; at-- > 0;) {
    uint16_t length = 0;
    std::memcpy(&length, tail.data() + at + 20, sizeof length);
    const bool is_end = tail.compare(at, 4, "PK\x05\x06") == 0;
    if (is_end && at + kEndBytes + length == tail.size()) return tail.substr(at + kEndBytes);
  }
  return "";
}

std::vector<std::byte> NpzFile::read(const NpyArray& array) const {
  const Place& place = places_[static_cast<size_t>(&array - arrays_.data())];
  std::vector<std::byte> member(place.end - place.begin);
  file_.read_at(place.begin, member.data(), member.size());
  const auto crc = ::crc32_z(0, reinterpret_cast<const Bytef*>(member.data()), member.size());
  if (crc != place.crc) fail(file_, array.name, "has another CRC-32 than the archive says");
  member.erase(member.begin(), member.begin() + static_cast<int64_t>(place.data - place.begin));
  return member;
}

}  // namespace ebb
