#include "weights/pickle_names.h"

#include <algorithm>
#include <array>

#include "weights/pickle.h"

namespace ebb {
namespace {

struct NamedStorage {
  std::string_view name;
  StDType dtype;
};
constexpr std::array<NamedStorage, 10> kStorages = {{{"FloatStorage", StDType::kF32},
                                                     {"DoubleStorage", StDType::kF64},
                                                     {"HalfStorage", StDType::kF16},
                                                     {"BFloat16Storage", StDType::kBF16},
                                                     {"LongStorage", StDType::kI64},
                                                     {"IntStorage", StDType::kI32},
                                                     {"ShortStorage", StDType::kI16},
                                                     {"CharStorage", StDType::kI8},
                                                     {"ByteStorage", StDType::kU8},
                                                     {"BoolStorage", StDType::kBool}}};

struct OpcodeName {
  uint8_t opcode;
  const char* name;
};

constexpr OpcodeName kNames[] = {{'0', "POP"},
                                 {'1', "POP_MARK"},
                                 {'2', "DUP"},
                                 {'B', "BINBYTES"},
                                 {'C', "SHORT_BINBYTES"},
                                 {'F', "FLOAT"},
                                 {'I', "INT"},
                                 {'L', "LONG"},
                                 {'P', "PERSID"},
                                 {'S', "STRING"},
                                 {'T', "BINSTRING"},
                                 {'U', "SHORT_BINSTRING"},
                                 {'V', "UNICODE"},
                                 {'d', "DICT"},
                                 {'g', "GET"},
                                 {'i', "INST"},
                                 {'l', "LIST"},
                                 {'o', "OBJ"},
                                 {'p', "PUT"},
                                 {0x80, "PROTO"},
                                 {0x81, "NEWOBJ"},
                                 {0x82, "EXT1"},
                                 {0x83, "EXT2"},
                                 {0x84, "EXT4"},
                                 {0x8b, "LONG4"},
                                 {0x8c, "SHORT_BINUNICODE"},
                                 {0x8d, "BINUNICODE8"},
                                 {0x8e, "BINBYTES8"},
                                 {0x8f, "EMPTY_SET"},
                                 {0x90, "ADDITEMS"},
                                 {0x91, "FROZENSET"},
                                 {0x92, "NEWOBJ_EX"},
                                 {0x93, "STACK_GLOBAL"},
                                 {0x94, "MEMOIZE"},
                                 {0x95, "FRAME"},
                                 {0x96, "BYTEARRAY8"},
                                 {0x97, "NEXT_BUFFER"},
                                 {0x98, "READONLY_BUFFER"}};

}  // namespace

std::optional<int64_t> find_pickle_name(std::string_view module, std::string_view name) {
  if (module == "collections" && name == "OrderedDict") return kOrderedDict;
  if (module == "torch._utils" && name == "_rebuild_tensor_v2") return kRebuildTensor;
  if (module == "torch._utils" && name == "_rebuild_parameter") return kRebuildParameter;
  if (module != "torch") return std::nullopt;
  if (name == "Size") return kTorchSize;
  for (size_t i = 0; i < kStorages.size(); ++i) {
    if (name == kStorages[i].name) return kFirstStorage + static_cast<int64_t>(i);
  }
  return std::nullopt;
}

bool is_storage_name(int64_t name) { return name >= kFirstStorage; }

StDType storage_dtype(int64_t name) {
  return kStorages[static_cast<size_t>(name - kFirstStorage)].dtype;
}

const char* pickle_opcode_name(uint8_t opcode) {
  const auto* found = std::find_if(std::begin(kNames), std::end(kNames),
                                   [&](const OpcodeName& entry) { return entry.opcode == opcode; });
  return found == std::end(kNames) ? "unknown" : found->name;
}

const char* describe(PickleKind kind) {
  constexpr std::array kWords = {"None",    "a bool",   "an integer", "an integer beyond 64 bits",
                                 "a float", "a string", "a tuple",    "a list",
                                 "a dict",  "a name",   "a storage",  "a tensor"};
  return kWords[static_cast<size_t>(kind)];
}

std::string_view Pickle::text(Id id) const {
  return bytes_.substr(objects_[id].text.begin, objects_[id].text.bytes);
}

const std::vector<Pickle::Id>& Pickle::items(Id id) const { return lists_[objects_[id].items]; }

StDType Pickle::storage_dtype(Id storage) const {
  return static_cast<StDType>(integer(items(storage)[0]));
}

}  // namespace ebb
