#pragma once

#include <zlib.h>

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// Files as torch.save() writes them, put together by hand: pickles of protocol 2 and ZIP archives
// of stored members.
namespace ebb::test {

template <typename T>
std::string little_endian(T value) {
  std::string bytes(sizeof value, '\0');
  std::memcpy(bytes.data(), &value, sizeof value);
  return bytes;
}

// Opcodes. Each function gives the bytes that push one object.
inline std::string pickled(std::string_view text) {
  return "X" + little_endian(static_cast<uint32_t>(text.size())) + std::string(text);
}
inline std::string pickled_int(int64_t value) {
  if (value >= 0 && value < 256) return std::string("K") + static_cast<char>(value);
  return "\x8a\x08" + little_endian(value);  // LONG1
}
inline std::string pickled_tuple(const std::vector<std::string>& items) {
  std::string bytes = "(";
  for (const std::string& item : items) bytes += item;
  return bytes + "t";
}
inline std::string pickled_sizes(const std::vector<int64_t>& sizes) {
  std::vector<std::string> items;
  for (const int64_t size : sizes) items.push_back(pickled_int(size));
  return pickled_tuple(items);
}
inline std::string pickled_name(const std::string& module, const std::string& name) {
  return "c" + module + "\n" + name + "\n";
}
inline std::string pickled_ordered_dict() {
  return pickled_name("collections", "OrderedDict") + ")R";
}

struct PickledTensor {
  std::string key = "0";
  int64_t storage_elements = 6;
  int64_t offset = 0;
  std::vector<int64_t> size = {2, 3};
  std::vector<int64_t> stride = {3, 1};
  std::string storage = "FloatStorage";
  bool is_legacy = false;  // the persistent id of the old form has a sixth member

  std::string bytes() const {
    std::vector<std::string> id = {pickled("storage"), pickled_name("torch", storage), pickled(key),
                                   pickled("cpu"), pickled_int(storage_elements)};
    if (is_legacy) id.push_back("N");
    return pickled_name("torch._utils", "_rebuild_tensor_v2") + "(" + pickled_tuple(id) + "Q" +
           pickled_int(offset) + pickled_sizes(size) + pickled_sizes(stride) + "\x89" +
           pickled_ordered_dict() + "tR";
  }
};

using PickledItems = std::vector<std::pair<std::string, std::string>>;  // key, pickled value

inline std::string pickled_dict(const PickledItems& items) {
  std::string bytes = "}(";
  for (const auto& [key, value] : items) bytes += pickled(key) + value;
  return bytes + "u";
}
inline std::string whole_pickle(const std::string& object) { return "\x80\x02" + object + "."; }

struct ZipPart {
  std::string name;
  std::string data;
  uint16_t flags = 0x808;
  uint16_t method = 0;
  std::string local_name = name;
  bool has_crc = true;
};

inline std::string zip_archive(const std::vector<ZipPart>& parts) {
  std::string bytes, directory;
  for (const ZipPart& part : parts) {
    const auto size = static_cast<uint32_t>(part.data.size());
    const auto crc =
        part.has_crc ? static_cast<uint32_t>(::crc32_z(
                           0, reinterpret_cast<const Bytef*>(part.data.data()), part.data.size()))
                     : 0;
    const auto at = static_cast<uint32_t>(bytes.size());
    const std::string kind = little_endian(part.flags) + little_endian(part.method);
    bytes += "PK\3\4" + std::string(2, '\0') + kind + std::string(16, '\0') +
             little_endian(static_cast<uint16_t>(part.local_name.size())) + std::string(2, '\0') +
             part.local_name + part.data;
    directory += "PK\1\2" + std::string(4, '\0') + kind + std::string(4, '\0') +
                 little_endian(crc) + little_endian(size) + little_endian(size) +
                 little_endian(static_cast<uint16_t>(part.name.size())) + std::string(12, '\0') +
                 little_endian(at) + part.name;
  }
  const auto count = little_endian(static_cast<uint16_t>(parts.size()));
  return bytes + directory + "PK\5\6" + std::string(4, '\0') + count + count +
         little_endian(static_cast<uint32_t>(directory.size())) +
         little_endian(static_cast<uint32_t>(bytes.size())) + std::string(2, '\0');
}

// An archive with this object and these storages, as bytes.
inline std::string torch_archive(const std::string& object,
                                 const std::vector<std::pair<std::string, std::string>>& storages) {
  std::vector<ZipPart> parts = {{"archive/data.pkl", whole_pickle(object)}};
  for (const auto& [key, data] : storages) parts.push_back({"archive/data/" + key, data});
  parts.push_back({"archive/version", "3\n"});
  return zip_archive(parts);
}

template <typename T>
std::string bytes_of_values(const std::vector<T>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)};
}

// Six floats, 0 to 5: what PickledTensor's defaults are a view of.
inline std::string six_floats() { return bytes_of_values<float>({0, 1, 2, 3, 4, 5}); }

}  // namespace ebb::test
