#include "weights/pickle.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#include <utility>

#include "base/error.h"
#include "base/text.h"
#include "weights/pickle_names.h"
#include "weights/unpickler.h"

namespace ebb {
namespace {

constexpr size_t kMaxObjects = size_t{1} << 20;
constexpr uint64_t kMaxOpcodes = uint64_t{1} << 22;
constexpr int kMaxDepth = 1000;
constexpr Pickle::Id kUnset = ~Pickle::Id{0};

}  // namespace

Unpickler::Unpickler(std::string_view bytes, uint64_t begin, const std::string& label)
    : label_(label), at_(begin), opcode_at_(begin) {
  pickle_.bytes_ = bytes;
}

Unpickler::Handler Unpickler::handler(uint8_t opcode) {
  using U = Unpickler;
  switch (opcode) {
    // clang-format off
    case '(': return &U::mark;
    case 'N': return &U::none;
    case 0x88: return &U::new_true;
    case 0x89: return &U::new_false;
    case 'J': return &U::bin_int;
    case 'K': return &U::bin_int1;
    case 'M': return &U::bin_int2;
    case 0x8a: return &U::long1;
    case 'G': return &U::bin_float;
    case 'X': return &U::bin_unicode;
    case '}': return &U::empty_dict;
    case ']': return &U::empty_list;
    case ')': return &U::empty_tuple;
    case 't': return &U::tuple;
    case 0x85: return &U::tuple_of<1>;
    case 0x86: return &U::tuple_of<2>;
    case 0x87: return &U::tuple_of<3>;
    case 'a': return &U::append_one;
    case 'e': return &U::append_all;
    case 's': return &U::set_item;
    case 'u': return &U::set_items;
    case 'q': return &U::bin_put;
    case 'r': return &U::long_bin_put;
    case 'h': return &U::bin_get;
    case 'j': return &U::long_bin_get;
    case 'c': return &U::global;
    case 'R': return &U::reduce;
    case 'b': return &U::build;
    case 'Q': return &U::bin_pers_id;
    default: return nullptr;
      // clang-format on
  }
}

Pickle Unpickler::run() {
  constexpr uint8_t kProto = 0x80, kStop = '.', kProtocol = 2;
  if (take_number<uint8_t>() != kProto) fail("does not start with a protocol, expected a pickle");
  if (const auto protocol = take_number<uint8_t>(); protocol != kProtocol) {
    refuse("protocol ", unsigned{protocol},
           ", expected 2. Save the file with torch.save() and its own pickle_protocol");
  }
  for (;; ++opcodes_) {
    opcode_at_ = at_;
    if (opcodes_ == kMaxOpcodes) fail("more than ", kMaxOpcodes, " opcodes, expected a state_dict");
    const auto opcode = take_number<uint8_t>();
    if (opcode == kStop) break;
    const Handler handle = handler(opcode);
    if (handle == nullptr) refuse_opcode(opcode);
    (this->*handle)();
  }
  if (stack_.size() != 1 || !marks_.empty()) {
    fail("ends with ", stack_.size(), " objects, expected one");
  }
  pickle_.root_ = stack_[0];
  pickle_.end_ = at_;
  return std::move(pickle_);
}

void Unpickler::refuse_opcode(uint8_t opcode) const {
  refuse("opcode ", pickle_opcode_name(opcode), " (", unsigned{opcode},
         "), which torch.save() does not write for a state_dict. Save it with "
         "torch.save(model.state_dict(), ...) or safetensors.torch.save_file()");
}

void Unpickler::refuse_global(std::string_view module, std::string_view name) const {
  const std::string full = terminal_safe(cat(module, ".", name));
  if (module == "__main__" || module.starts_with("torch.nn")) {
    refuse("names ", full, ": this is a whole pickled module, whose code ebb does not run. Save ",
           "its weights: torch.save(model.state_dict(), ...)");
  }
  refuse("names ", full,
         ", which ebb does not run: only tensors, numbers, strings, lists and dicts ",
         "are read. Save torch.save(model.state_dict(), ...), or distrust the file");
}

std::string_view Unpickler::take(uint64_t bytes) {
  if (bytes > pickle_.bytes_.size() - at_) throw CutShort();
  const std::string_view taken = pickle_.bytes_.substr(at_, bytes);
  at_ += bytes;
  return taken;
}

std::string_view Unpickler::take_line() {
  const size_t end = pickle_.bytes_.find('\n', at_);
  if (end == std::string_view::npos) throw CutShort();
  const std::string_view line = take(end - at_);
  ++at_;
  return line;
}

template <typename T>
T Unpickler::take_number() {
  T value = 0;
  std::memcpy(&value, take(sizeof value).data(), sizeof value);
  return value;
}

Pickle::Id Unpickler::add(PickleKind kind, int64_t integer) {
  if (pickle_.objects_.size() == kMaxObjects) {
    fail("more than ", kMaxObjects, " objects, expected a state_dict");
  }
  pickle_.objects_.push_back({.kind = kind, .depth = 1, .integer = integer});
  return static_cast<Id>(pickle_.objects_.size() - 1);
}

Pickle::Id Unpickler::add_list(PickleKind kind, std::vector<Id> items) {
  const Id id = add(kind);
  pickle_.objects_[id].items = static_cast<uint32_t>(pickle_.lists_.size());
  pickle_.lists_.emplace_back();
  append(id, items.data(), items.size());
  return id;
}

void Unpickler::append(Id container, const Id* first, size_t count) {
  auto& object = pickle_.objects_[container];
  for (size_t i = 0; i < count; ++i) {
    const int depth = 1 + pickle_.objects_[first[i]].depth;
    if (depth > kMaxDepth) fail("nests deeper than ", kMaxDepth, " levels");
    object.depth = std::max(object.depth, static_cast<uint16_t>(depth));
  }
  items(container).insert(items(container).end(), first, first + count);
}

void Unpickler::push(Id id) {
  if (stack_.size() == kMaxObjects) fail("its stack holds more than ", kMaxObjects, " objects");
  stack_.push_back(id);
}

Pickle::Id Unpickler::pop() {
  const size_t floor = marks_.empty() ? 0 : marks_.back();
  if (stack_.size() <= floor) fail("takes an object from an empty stack");
  const Id id = stack_.back();
  stack_.pop_back();
  return id;
}

std::vector<Pickle::Id> Unpickler::pop_to_mark() {
  if (marks_.empty()) fail("takes objects up to a mark that is not there");
  const auto first = stack_.begin() + static_cast<std::ptrdiff_t>(marks_.back());
  std::vector<Id> items(first, stack_.end());
  stack_.erase(first, stack_.end());
  marks_.pop_back();
  return items;
}

void Unpickler::expect(Id id, PickleKind expected, const char* what) const {
  if (kind(id) != expected)
    fail(what, " is ", describe(kind(id)), ", expected ", describe(expected));
}

void Unpickler::mark() {
  if (marks_.size() == kMaxObjects) fail("more than ", kMaxObjects, " marks");
  marks_.push_back(stack_.size());
}

void Unpickler::long1() {
  const std::string_view bytes = take(take_number<uint8_t>());
  if (bytes.size() > sizeof(int64_t)) return push(add(PickleKind::kLargeInt));
  const bool negative = !bytes.empty() && static_cast<signed char>(bytes.back()) < 0;
  int64_t value = negative ? -1 : 0;  // two's complement, little-endian
  std::memcpy(&value, bytes.data(), bytes.size());
  push(add(PickleKind::kInt, value));
}

void Unpickler::bin_float() {
  take(sizeof(double));  // a learning rate or a loss: nothing that weights need
  push(add(PickleKind::kFloat));
}

void Unpickler::bin_unicode() {
  const std::string_view text = take(take_number<uint32_t>());
  const Id id = add(PickleKind::kString);
  pickle_.objects_[id].text = {static_cast<uint32_t>(text.data() - pickle_.bytes_.data()),
                               static_cast<uint32_t>(text.size())};
  push(id);
}

template <size_t N>
void Unpickler::tuple_of() {
  std::vector<Id> items(N);
  for (size_t i = N; i-- > 0;) items[i] = pop();
  push(add_list(PickleKind::kTuple, std::move(items)));
}

void Unpickler::append_one() {
  const Id item = pop(), list = pop();
  expect(list, PickleKind::kList, "APPEND: the container");
  append(list, &item, 1);
  push(list);
}

void Unpickler::append_all() {
  const std::vector<Id> added = pop_to_mark();
  const Id list = pop();
  expect(list, PickleKind::kList, "APPENDS: the container");
  append(list, added.data(), added.size());
  push(list);
}

void Unpickler::set_item() {
  const Id value = pop(), key = pop(), dict = pop();
  expect(dict, PickleKind::kDict, "SETITEM: the container");
  const std::array<Id, 2> pair = {key, value};
  append(dict, pair.data(), pair.size());
  push(dict);
}

void Unpickler::set_items() {
  const std::vector<Id> pairs = pop_to_mark();
  const Id dict = pop();
  expect(dict, PickleKind::kDict, "SETITEMS: the container");
  if (pairs.size() % 2 != 0) fail("SETITEMS: ", pairs.size(), " keys and values, expected pairs");
  append(dict, pairs.data(), pairs.size());
  push(dict);
}

void Unpickler::put(uint64_t index) {
  if (index > opcodes_) fail("memo slot ", index, " before there are as many objects");
  if (index >= memo_.size()) memo_.resize(index + 1, kUnset);
  const Id id = pop();
  memo_[index] = id;
  push(id);
}

void Unpickler::get(uint64_t index) {
  if (index >= memo_.size() || memo_[index] == kUnset) fail("memo slot ", index, " is not set");
  push(memo_[index]);
}

void Unpickler::global() {
  const std::string_view module = take_line();
  const std::string_view name = take_line();
  const std::optional<int64_t> found = find_pickle_name(module, name);
  if (!found) refuse_global(module, name);
  push(add(PickleKind::kGlobal, *found));
}

void Unpickler::reduce() {
  const Id arguments = pop(), callable = pop();
  expect(callable, PickleKind::kGlobal, "REDUCE: what is called");
  expect(arguments, PickleKind::kTuple, "REDUCE: the arguments");
  const std::vector<Id> values = items(arguments);
  switch (pickle_.integer(callable)) {
    case kOrderedDict:
      return push(make_dict(values));
    case kRebuildTensor:
      return push(make_tensor(values));
    case kRebuildParameter:
      return push(make_parameter(values));
    case kTorchSize:
      if (values.size() != 1) fail("torch.Size of ", values.size(), " values, expected a tuple");
      check_sizes(values[0], "torch.Size");
      return push(values[0]);
    default:
      fail("REDUCE calls a type of storage, expected a function");
  }
}

Pickle::Id Unpickler::make_dict(const std::vector<Id>& arguments) {
  std::vector<Id> pairs;
  if (arguments.size() > 1) fail("OrderedDict of ", arguments.size(), " arguments");
  if (arguments.size() == 1) {
    expect(arguments[0], PickleKind::kList, "OrderedDict: the argument");
    for (const Id pair : items(arguments[0])) {
      const bool holds_two =
          (kind(pair) == PickleKind::kList || kind(pair) == PickleKind::kTuple) &&
          items(pair).size() == 2;
      if (!holds_two) fail("OrderedDict: an item is ", describe(kind(pair)), ", expected pairs");
      pairs.insert(pairs.end(), items(pair).begin(), items(pair).end());
    }
  }
  return add_list(PickleKind::kDict, std::move(pairs));
}

void Unpickler::check_sizes(Id tuple, const char* what) const {
  expect(tuple, PickleKind::kTuple, what);
  for (const Id item : pickle_.items(tuple)) expect(item, PickleKind::kInt, what);
}

// _rebuild_tensor_v2(storage, offset, size, stride, requires_grad, hooks[, metadata])
Pickle::Id Unpickler::make_tensor(const std::vector<Id>& arguments) {
  if (arguments.size() != 6 && arguments.size() != 7) {
    fail("_rebuild_tensor_v2 of ", arguments.size(), " arguments, expected 6 or 7");
  }
  expect(arguments[0], PickleKind::kStorage, "tensor: the storage");
  expect(arguments[1], PickleKind::kInt, "tensor: the offset");
  check_sizes(arguments[2], "tensor: the size");
  check_sizes(arguments[3], "tensor: the stride");
  expect(arguments[4], PickleKind::kBool, "tensor: requires_grad");
  expect(arguments[5], PickleKind::kDict, "tensor: the hooks");
  const bool plain = arguments.size() == 6 || kind(arguments[6]) == PickleKind::kNone ||
                     (kind(arguments[6]) == PickleKind::kDict && items(arguments[6]).empty());
  if (!plain)
    refuse(
        "a tensor that is conjugated or negated on the fly. Save it with "
        ".resolve_conj().resolve_neg()");
  return add_list(PickleKind::kTensor, {arguments[0], arguments[1], arguments[2], arguments[3]});
}

// _rebuild_parameter(tensor, requires_grad, hooks)
Pickle::Id Unpickler::make_parameter(const std::vector<Id>& arguments) {
  if (arguments.size() != 3) fail("_rebuild_parameter of ", arguments.size(), " arguments");
  expect(arguments[0], PickleKind::kTensor, "parameter: the data");
  expect(arguments[1], PickleKind::kBool, "parameter: requires_grad");
  expect(arguments[2], PickleKind::kDict, "parameter: the hooks");
  return arguments[0];
}

// The state that nn.Module.state_dict() leaves on its dict (_metadata) is read and dropped.
void Unpickler::build() {
  const Id state = pop(), object = pop();
  expect(object, PickleKind::kDict, "BUILD: the object");
  expect(state, PickleKind::kDict, "BUILD: the state");
  push(object);
}

// ('storage', type, key, location, elements[, view])
void Unpickler::bin_pers_id() {
  const Id id = pop();
  expect(id, PickleKind::kTuple, "persistent id");
  const std::vector<Id> parts = items(id);
  const bool is_storage = (parts.size() == 5 || parts.size() == 6) &&
                          kind(parts[0]) == PickleKind::kString &&
                          pickle_.text(parts[0]) == "storage";
  if (!is_storage) fail("a persistent id that is no storage");
  expect(parts[1], PickleKind::kGlobal, "storage: the type");
  const int64_t type = pickle_.integer(parts[1]);
  if (!is_storage_name(type)) fail("storage: the type is a function, expected torch.FloatStorage");
  expect(parts[2], PickleKind::kString, "storage: the key");
  expect(parts[3], PickleKind::kString, "storage: the location");
  expect(parts[4], PickleKind::kInt, "storage: the number of elements");
  if (parts.size() == 6) expect(parts[5], PickleKind::kNone, "storage: the view");
  const Id dtype_id = add(PickleKind::kInt, static_cast<int64_t>(storage_dtype(type)));
  push(add_list(PickleKind::kStorage, {dtype_id, parts[2], parts[4]}));
}

Pickle read_pickle(std::string_view bytes, uint64_t begin, const std::string& label, bool* cut) {
  try {
    return Unpickler(bytes, begin, label).run();
  } catch (const CutShort&) {
    if (cut == nullptr) {
      throw FormatError(cat(label, ": its pickle ends at byte ", bytes.size(),
                            ", within an object. The file is damaged; fetch it again."));
    }
    *cut = true;
    return {};
  }
}

}  // namespace ebb
