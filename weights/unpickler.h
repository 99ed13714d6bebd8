#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "weights/pickle.h"

namespace ebb {

struct CutShort {};  // thrown where the bytes end within the pickle

// The machine of the pickle format: a stack of objects, marks in it, and a memo.
class Unpickler {
 public:
  Unpickler(std::string_view bytes, uint64_t begin, const std::string& label);
  Pickle run();

 private:
  using Id = Pickle::Id;
  using Handler = void (Unpickler::*)();
  static Handler handler(uint8_t opcode);

  template <typename... Parts>
  [[noreturn]] void refuse(const Parts&... parts) const {
    throw FormatError(cat(label_, ": pickle byte ", opcode_at_, ": ", parts..., "."));
  }
  template <typename... Parts>
  [[noreturn]] void fail(const Parts&... parts) const {
    refuse(parts..., ". The file is damaged or no state_dict; fetch it again");
  }
  [[noreturn]] void refuse_opcode(uint8_t opcode) const;
  [[noreturn]] void refuse_global(std::string_view module, std::string_view name) const;

  std::string_view take(uint64_t bytes);
  std::string_view take_line();
  template <typename T>
  T take_number();

  Id add(PickleKind kind, int64_t integer = 0);
  Id add_list(PickleKind kind, std::vector<Id> items);
  std::vector<Id>& items(Id id) { return pickle_.lists_[pickle_.objects_[id].items]; }
  PickleKind kind(Id id) const { return pickle_.kind(id); }
  void append(Id container, const Id* first, size_t count);

  void push(Id id);
  Id pop();
  std::vector<Id> pop_to_mark();
  void expect(Id id, PickleKind kind, const char* what) const;

  void mark();
  void none() { push(add(PickleKind::kNone)); }
  void new_true() { push(add(PickleKind::kBool, 1)); }
  void new_false() { push(add(PickleKind::kBool, 0)); }
  void bin_int() { push(add(PickleKind::kInt, take_number<int32_t>())); }
  void bin_int1() { push(add(PickleKind::kInt, take_number<uint8_t>())); }
  void bin_int2() { push(add(PickleKind::kInt, take_number<uint16_t>())); }
  void long1();
  void bin_float();
  void bin_unicode();
  void empty_dict() { push(add_list(PickleKind::kDict, {})); }
  void empty_list() { push(add_list(PickleKind::kList, {})); }
  void empty_tuple() { push(add_list(PickleKind::kTuple, {})); }
  void tuple() { push(add_list(PickleKind::kTuple, pop_to_mark())); }
  template <size_t N>
  void tuple_of();
  void append_one();
  void append_all();
  void set_item();
  void set_items();
  void put(uint64_t index);
  void bin_put() { put(take_number<uint8_t>()); }
  void long_bin_put() { put(take_number<uint32_t>()); }
  void get(uint64_t index);
  void bin_get() { get(take_number<uint8_t>()); }
  void long_bin_get() { get(take_number<uint32_t>()); }
  void global();
  void reduce();
  void build();
  void bin_pers_id();

  Id make_dict(const std::vector<Id>& arguments);
  Id make_tensor(const std::vector<Id>& arguments);
  Id make_parameter(const std::vector<Id>& arguments);
  void check_sizes(Id tuple, const char* what) const;

  const std::string& label_;
  Pickle pickle_;
  uint64_t at_;
  uint64_t opcode_at_;
  uint64_t opcodes_ = 0;
  std::vector<Id> stack_;
  std::vector<size_t> marks_;
  std::vector<Id> memo_;
};

}  // namespace ebb
