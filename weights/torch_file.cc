#include "weights/torch_file.h"

#include <zlib.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <string_view>

#include "base/error.h"
#include "base/text.h"
#include "weights/file_kind.h"
#include "weights/pickle.h"
#include "weights/torch_state_dict.h"
#include "weights/zip_archive.h"

namespace ebb {
namespace {

using std::literals::string_view_literals::operator""sv;

constexpr std::string_view kPickleMember = "data.pkl";
constexpr std::string_view kDataPrefix = "data/";

// The first two pickles of the old form: a magic number and the version of its protocol.
constexpr std::string_view kLegacyStart =
    "\x80\x02\x8a\x0al\xfc\x9c\x46\xf9 j\xa8P\x19.\x80\x02M\xe9\x03."sv;

std::string read_member(const FileReader& file, const ZipMember& member) {
  EBB_CHECK(member.bytes() <= kMaxPickleBytes, FormatError, file.label(), ": ", quoted(member.name),
            " holds ", format_bytes(member.bytes()), ", expected at most ",
            format_bytes(kMaxPickleBytes), " for the names of the tensors.");
  std::string bytes(member.bytes(), '\0');
  file.read_at(member.begin, bytes.data(), bytes.size());
  const auto crc =
      ::crc32(0, reinterpret_cast<const Bytef*>(bytes.data()), static_cast<uInt>(bytes.size()));
  EBB_CHECK(member.crc == 0 || member.crc == crc, FormatError, file.label(), ": ",
            quoted(member.name), " has another CRC-32 than the archive says. The file is damaged; ",
            "fetch it again.");
  return bytes;
}

// The members of the archive by their names behind its one top directory.
class Members {
 public:
  explicit Members(const FileReader& file) : file_(file), all_(read_zip_directory(file)) {
    const std::string root = find_root();
    for (const ZipMember& member : all_) {
      EBB_CHECK(member.name.starts_with(root), FormatError, file.label(), ": member ",
                quoted(member.name), " is not in the archive's directory ", quoted(root),
                ", where torch.save() puts everything. The file is damaged.");
      by_name_[std::string_view(member.name).substr(root.size())] = &member;
    }
  }

  const std::vector<ZipMember>& all() const { return all_; }
  const ZipMember* find(std::string_view name) const {
    const auto found = by_name_.find(name);
    return found == by_name_.end() ? nullptr : found->second;
  }

 private:
  // The directory of the only data.pkl, with its '/'.
  std::string find_root() const {
    std::string root;
    for (const ZipMember& member : all_) {
      const size_t slash = member.name.find('/');
      if (slash == std::string::npos || member.name.substr(slash + 1) != kPickleMember) continue;
      EBB_CHECK(root.empty(), FormatError, file_.label(), ": holds more than one ", kPickleMember,
                ", expected one. The file is no archive of torch.save().");
      root = member.name.substr(0, slash + 1);
    }
    EBB_CHECK(!root.empty(), FormatError, file_.label(), ": this is a ZIP archive without ",
              kPickleMember, ", expected what torch.save() writes. Name another file.");
    return root;
  }

  const FileReader& file_;
  std::vector<ZipMember> all_;
  std::map<std::string_view, const ZipMember*> by_name_;
};

// Refuses archives of TorchScript and of big-endian machines.
void check_archive(const FileReader& file, const Members& members) {
  EBB_CHECK(members.find("constants.pkl") == nullptr, FormatError, file.label(),
            ": this is a TorchScript archive, which holds a program; expected weights. Save "
            "torch.save(model.state_dict(), ...).");
  const ZipMember* order = members.find("byteorder");
  if (order == nullptr) return;
  const std::string text = read_member(file, *order);
  EBB_CHECK(text == "little", FormatError, file.label(), ": its byte order is ", quoted(text),
            ", expected \"little\". Save it on a machine of that order.");
}

TorchFile read_archive(const FileReader& file, const LoadLimits& limits) {
  const Members members(file);
  check_archive(file, members);
  const std::string bytes = read_member(file, *members.find(kPickleMember));
  const Pickle pickle = read_pickle(bytes, 0, file.label());
  EBB_CHECK(pickle.end() == bytes.size(), FormatError, file.label(), ": ",
            bytes.size() - pickle.end(), " bytes follow its pickle. The file is damaged.");
  const auto find_storage = [&](std::string_view key, const std::string& where) {
    const ZipMember* member = members.find(cat(kDataPrefix, key));
    EBB_CHECK(member != nullptr, FormatError, where, ": storage ", quoted(key),
              " is not in the archive. The file is damaged; fetch it again.");
    return StoredBytes{member->begin, member->bytes()};
  };
  TorchFile result = read_state_dict(pickle, find_storage, file.label(), limits);
  uint64_t unknown = 0;
  for (const ZipMember& member : members.all()) {
    result.checksums.push_back({member.name, member.begin, member.end, member.crc});
    if (member.crc == 0 && member.bytes() > 0) ++unknown;
  }
  if (unknown > 0) {
    result.warnings.push_back(cat(file.label(), ": ", unknown,
                                  " members carry no CRC-32, so damage in them goes unnoticed."));
  }
  return result;
}

// The pickles at the start of the old form, and where each ends. The window grows until they fit.
struct LegacyHead {
  std::string bytes;
  Pickle sizes, object, keys;
};

LegacyHead read_legacy_head(const FileReader& file) {
  constexpr uint64_t kFirstWindow = uint64_t{1} << 18;
  for (uint64_t window = kFirstWindow;; window *= 8) {
    const uint64_t bytes = std::min({file.size(), window, 3 * kMaxPickleBytes});
    const bool is_last = bytes < window || bytes == file.size();
    LegacyHead head;
    head.bytes.resize(bytes);
    file.read_at(0, head.bytes.data(), bytes);
    bool cut = false;
    bool* const may_be_cut = is_last ? nullptr : &cut;
    head.sizes = read_pickle(head.bytes, kLegacyStart.size(), file.label(), may_be_cut);
    if (!cut) head.object = read_pickle(head.bytes, head.sizes.end(), file.label(), may_be_cut);
    if (!cut) head.keys = read_pickle(head.bytes, head.object.end(), file.label(), may_be_cut);
    if (!cut) return head;
  }
}

void check_little_endian(const FileReader& file, const Pickle& sizes) {
  const bool is_dict = sizes.kind(sizes.root()) == PickleKind::kDict;
  EBB_CHECK(is_dict, FormatError, file.label(),
            ": its third pickle is no dict, so this is no file ", "of torch.save().");
  const auto& items = sizes.items(sizes.root());
  for (size_t i = 0; i < items.size(); i += 2) {
    const bool is_order =
        sizes.kind(items[i]) == PickleKind::kString && sizes.text(items[i]) == "little_endian";
    if (!is_order) continue;
    EBB_CHECK(sizes.kind(items[i + 1]) == PickleKind::kBool && sizes.integer(items[i + 1]) == 1,
              FormatError, file.label(), ": its byte order is not little-endian. Save it on a ",
              "machine of that order.");
  }
}

// Bytes of an element of every storage of the object, by key.
std::map<std::string_view, uint64_t> item_sizes(const Pickle& object, const FileReader& file) {
  std::map<std::string_view, uint64_t> sizes;
  for (Pickle::Id id = 0; id < object.size(); ++id) {
    if (object.kind(id) != PickleKind::kStorage) continue;
    const auto bytes = static_cast<uint64_t>(bits_of(object.storage_dtype(id))) / 8;
    const auto [other, is_new] = sizes.emplace(object.text(object.items(id)[1]), bytes);
    EBB_CHECK(is_new || other->second == bytes, FormatError, file.label(), ": storage ",
              quoted(other->first), " has two types. The file is damaged.");
  }
  return sizes;
}

// Places of the storages behind the pickles: for every key a count of 8 bytes and the elements.
std::map<std::string_view, StoredBytes> legacy_storages(const FileReader& file,
                                                        const LegacyHead& head) {
  const Pickle& keys = head.keys;
  EBB_CHECK(keys.kind(keys.root()) == PickleKind::kList, FormatError, file.label(),
            ": its last pickle is no list of storages. The file is damaged.");
  const auto items = item_sizes(head.object, file);
  std::map<std::string_view, StoredBytes> storages;
  uint64_t at = keys.end();
  for (const Pickle::Id id : keys.items(keys.root())) {
    const bool is_key = keys.kind(id) == PickleKind::kString && items.contains(keys.text(id));
    EBB_CHECK(is_key, FormatError, file.label(), ": its list names a storage that no tensor uses.");
    const std::string_view key = keys.text(id);
    uint64_t count = 0, bytes = 0;
    const bool has_count = file.size() - at >= sizeof count;
    if (has_count) file.read_at(at, &count, sizeof count);
    at += sizeof count;
    const bool overflow = __builtin_mul_overflow(count, items.at(key), &bytes);
    EBB_CHECK(has_count && !overflow && bytes <= file.size() - at, FormatError, file.label(),
              ": storage ", quoted(key), " ends behind the end of the file. It was cut; fetch it ",
              "again.");
    EBB_CHECK(storages.emplace(key, StoredBytes{at, bytes}).second, FormatError, file.label(),
              ": storage ", quoted(key), " is listed twice. The file is damaged.");
    at += bytes;
  }
  EBB_CHECK(at == file.size(), FormatError, file.label(), ": ", file.size() - at,
            " bytes follow the last storage. The file is damaged.");
  return storages;
}

TorchFile read_legacy(const FileReader& file, const LoadLimits& limits) {
  const LegacyHead head = read_legacy_head(file);
  check_little_endian(file, head.sizes);
  const auto storages = legacy_storages(file, head);
  const auto find_storage = [&](std::string_view key, const std::string& where) {
    const auto found = storages.find(key);
    EBB_CHECK(found != storages.end(), FormatError, where, ": storage ", quoted(key),
              " is not in the file. It is damaged; fetch it again.");
    return found->second;
  };
  return read_state_dict(head.object, find_storage, file.label(), limits);
}

}  // namespace

uint64_t TorchTensor::elements() const {
  if (std::count(shape.begin(), shape.end(), 0) > 0) return 0;
  uint64_t count = 1;
  for (const uint64_t dim : shape) count *= dim;
  return count;
}

bool TorchTensor::is_contiguous() const {
  uint64_t expected = 1;
  for (size_t i = shape.size(); i-- > 0;) {
    if (shape[i] != 1 && stride[i] != expected) return false;
    expected *= shape[i];
  }
  return true;
}

TorchFile read_torch_file(const FileReader& file, const LoadLimits& limits) {
  constexpr const char* kWanted = "weights saved by PyTorch";
  const FileKind kind = file_kind(file);
  if (kind == FileKind::kZip) return read_archive(file, limits);
  if (kind != FileKind::kPickle) {
    refuse_other_kinds(file, kWanted, {});
    throw FormatError(cat(file.label(), ": unknown kind of file, expected ", kWanted,
                          ". Fetch it again, or name another file."));
  }
  std::string start(std::min<uint64_t>(file.size(), kLegacyStart.size()), '\0');
  file.read_at(0, start.data(), start.size());
  EBB_CHECK(start == kLegacyStart, FormatError, file.label(),
            ": this is a pickle that torch.save() did not write. Save the weights as safetensors: "
            "safetensors.torch.save_file(model.state_dict(), ...).");
  return read_legacy(file, limits);
}

}  // namespace ebb
