#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "weights/st_dtype.h"

namespace ebb {

// The pickle that torch.save() writes for a state_dict, read without running anything: an
// allow-list of 31 opcodes of protocol 2 and of 14 names. A name is only a token; REDUCE is a
// switch over them.
enum class PickleKind : uint8_t {
  kNone,
  kBool,
  kInt,
  kLargeInt,  // beyond 64 bits: its value is not kept
  kFloat,
  kString,
  kTuple,
  kList,
  kDict,     // items: key, value, key, value, ..., in the order of insertion
  kGlobal,   // a name that nothing has been made of
  kStorage,  // items: dtype as an integer, key, number of elements
  kTensor,   // items: storage, offset, size, stride; offsets and strides in elements
};

// The objects of one pickle. They are found by number, so a pickle that nests deeply or holds
// itself costs no stack.
class Pickle {
 public:
  using Id = uint32_t;

  Id root() const { return root_; }
  Id size() const { return static_cast<Id>(objects_.size()); }  // its objects are 0 .. size - 1
  PickleKind kind(Id id) const { return objects_[id].kind; }
  int64_t integer(Id id) const { return objects_[id].integer; }  // of kInt and kBool
  std::string_view text(Id id) const;                            // of kString
  const std::vector<Id>& items(Id id) const;                     // of what holds others
  StDType storage_dtype(Id storage) const;
  uint64_t end() const { return end_; }  // the byte behind the pickle

 private:
  friend class Unpickler;
  struct Object {
    PickleKind kind;
    uint16_t depth;  // 1 + that of the deepest item
    union {
      int64_t integer;
      double real;
      struct {
        uint32_t begin, bytes;
      } text;
      uint32_t items;  // index into lists_
    };
  };

  std::string_view bytes_;
  std::vector<Object> objects_;
  std::vector<std::vector<Id>> lists_;
  Id root_ = 0;
  uint64_t end_ = 0;
};

// "a tensor"
const char* describe(PickleKind kind);

inline constexpr uint64_t kMaxPickleBytes = uint64_t{16} << 20;  // without the tensors' data

// Reads the pickle that starts at `begin`; `bytes` must outlive it. `cut`: where not null, set when
// the bytes end too early, instead of an error. FormatError, with `label`, when the pickle breaks
// a rule of weights/README.md.
Pickle read_pickle(std::string_view bytes, uint64_t begin, const std::string& label,
                   bool* cut = nullptr);

}  // namespace ebb
