#include "weights/torch_state_dict.h"

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <tuple>

#include "base/error.h"
#include "base/text.h"

namespace ebb {
namespace {

constexpr size_t kMaxRank = 16;
constexpr const char* kDamaged = " The file is damaged; fetch it again.";
constexpr size_t kMaxListed = 5;
// Keys under which training programs keep the weights, the likeliest first.
constexpr std::array<std::string_view, 7> kContainers = {
    "state_dict", "model", "model_state_dict", "ema", "ema_model", "module", "params"};
constexpr std::string_view kDataParallel = "module.";

// A dict with a tensor under a name.
bool holds_tensors(const Pickle& pickle, Pickle::Id dict) {
  if (pickle.kind(dict) != PickleKind::kDict) return false;
  const auto& items = pickle.items(dict);
  for (size_t i = 0; i < items.size(); i += 2) {
    if (pickle.kind(items[i]) == PickleKind::kString &&
        pickle.kind(items[i + 1]) == PickleKind::kTensor) {
      return true;
    }
  }
  return false;
}

// The value of a key; the last of several, as in Python.
const Pickle::Id* find(const Pickle& pickle, Pickle::Id dict, std::string_view key) {
  const auto& items = pickle.items(dict);
  for (size_t i = items.size(); i >= 2; i -= 2) {
    const Pickle::Id name = items[i - 2];
    if (pickle.kind(name) == PickleKind::kString && pickle.text(name) == key) return &items[i - 1];
  }
  return nullptr;
}

class StateDictReader {
 public:
  StateDictReader(const Pickle& pickle, const FindStorage& find_storage, const std::string& label,
                  const LoadLimits& limits)
      : pickle_(pickle), find_storage_(find_storage), label_(label), limits_(limits) {}

  TorchFile read();

 private:
  Pickle::Id find_dict();
  [[noreturn]] void refuse_without_tensors() const;
  void add_tensor(std::string_view name, Pickle::Id tensor);
  std::vector<uint64_t> sizes(Pickle::Id tuple, const std::string& where, const char* what) const;
  void check_view(const TorchTensor& tensor, uint64_t offset, uint64_t storage_elements,
                  const std::string& where) const;
  void strip_data_parallel();

  const Pickle& pickle_;
  const FindStorage& find_storage_;
  const std::string& label_;
  const LoadLimits& limits_;
  TorchFile result_;
  std::set<std::string_view> names_;
  std::map<std::string_view, StDType> storage_types_;
  uint64_t total_bytes_ = 0;
};

TorchFile StateDictReader::read() {
  const Pickle::Id dict = find_dict();
  const auto& items = pickle_.items(dict);
  for (size_t i = 0; i < items.size(); i += 2) {
    const bool is_weight = pickle_.kind(items[i]) == PickleKind::kString &&
                           pickle_.kind(items[i + 1]) == PickleKind::kTensor;
    if (is_weight) add_tensor(pickle_.text(items[i]), items[i + 1]);
  }
  strip_data_parallel();
  std::sort(result_.tensors.begin(), result_.tensors.end(),
            [](const TorchTensor& a, const TorchTensor& b) {
              return std::tie(a.begin, a.name) < std::tie(b.begin, b.name);
            });
  return std::move(result_);
}

// The dict of the weights. A usual key comes first: next to it a tensor is a loss or a counter.
Pickle::Id StateDictReader::find_dict() {
  const Pickle::Id top = pickle_.root();
  EBB_CHECK(pickle_.kind(top) == PickleKind::kDict, FormatError, label_, ": holds ",
            describe(pickle_.kind(top)),
            ", expected a dict of tensors. Save it with torch.save(model.state_dict(), ...).");
  const Pickle::Id* found = nullptr;
  for (const std::string_view key : kContainers) {
    const Pickle::Id* candidate = find(pickle_, top, key);
    if (candidate == nullptr || !holds_tensors(pickle_, *candidate)) continue;
    if (found == nullptr) {
      found = candidate;
      result_.container = key;
    } else {
      result_.warnings.push_back(cat(label_, ": holds weights under ", quoted(result_.container),
                                     " and under ", quoted(key), ". The first is read."));
    }
  }
  if (found != nullptr) return *found;
  if (!holds_tensors(pickle_, top)) refuse_without_tensors();
  return top;
}

void StateDictReader::refuse_without_tensors() const {
  const auto& items = pickle_.items(pickle_.root());
  std::string keys;
  for (size_t i = 0; i < items.size() && i < 2 * kMaxListed; i += 2) {
    if (pickle_.kind(items[i]) != PickleKind::kString) continue;
    keys += (keys.empty() ? "" : ", ") + quoted(pickle_.text(items[i]));
  }
  throw FormatError(cat(label_, ": holds no tensors", keys.empty() ? "" : "; its keys are ", keys,
                        items.size() > 2 * kMaxListed ? ", ..." : "",
                        ". Expected a state_dict, by itself or under state_dict, model, ema, "
                        "ema_model, module or params."));
}

void StateDictReader::add_tensor(std::string_view name, Pickle::Id id) {
  const std::string where = cat(label_, ": tensor ", quoted(name));
  EBB_CHECK(names_.insert(name).second, FormatError, where,
            " occurs twice. The file is damaged or its writer is faulty.");
  const auto& parts = pickle_.items(id);
  const auto& storage = pickle_.items(parts[0]);
  TorchTensor tensor;
  tensor.name = name;
  tensor.dtype = pickle_.storage_dtype(parts[0]);
  tensor.shape = sizes(parts[2], where, "size");
  tensor.stride = sizes(parts[3], where, "stride");
  const std::string_view key = pickle_.text(storage[1]);
  const int64_t count = pickle_.integer(storage[2]), offset = pickle_.integer(parts[1]);
  EBB_CHECK(count >= 0 && offset >= 0, FormatError, where, ": ", count,
            " elements of storage from number ", offset, ", expected none below 0.", kDamaged);
  const auto type = storage_types_.emplace(key, tensor.dtype).first;
  EBB_CHECK(type->second == tensor.dtype, FormatError, where, ": storage ", quoted(key), " is ",
            to_string(tensor.dtype), " here and ", to_string(type->second), " elsewhere.",
            kDamaged);

  const auto item = static_cast<uint64_t>(bits_of(tensor.dtype)) / 8;
  const StoredBytes stored = find_storage_(key, where);
  EBB_CHECK(stored.bytes % item == 0 && stored.bytes / item == static_cast<uint64_t>(count),
            FormatError, where, ": storage ", quoted(key), " holds ", stored.bytes,
            " bytes, expected ", count, " elements of ", to_string(tensor.dtype),
            ". The file is damaged; fetch it again.");
  check_view(tensor, static_cast<uint64_t>(offset), static_cast<uint64_t>(count), where);
  tensor.begin = stored.begin + static_cast<uint64_t>(offset) * item;
  total_bytes_ += tensor.elements() * item;  // each at most the file, and few enough of them
  EBB_CHECK(total_bytes_ <= limits_.max_model_bytes, FormatError, label_, ": the tensors take ",
            format_bytes(total_bytes_), " or more, allowed are ",
            format_bytes(limits_.max_model_bytes),
            ". Raise --max-model-bytes if the memory is there.");
  tensor.index = result_.tensors.size();
  result_.tensors.push_back(std::move(tensor));
}

std::vector<uint64_t> StateDictReader::sizes(Pickle::Id tuple, const std::string& where,
                                             const char* what) const {
  const auto& items = pickle_.items(tuple);
  EBB_CHECK(items.size() <= kMaxRank, FormatError, where, ": its ", what, " has ", items.size(),
            " numbers, expected at most ", kMaxRank, ".", kDamaged);
  std::vector<uint64_t> result;
  for (const Pickle::Id item : items) {
    const int64_t value = pickle_.integer(item);
    EBB_CHECK(value >= 0, FormatError, where, ": its ", what, " holds ", value,
              ", expected none below 0.", kDamaged);
    result.push_back(static_cast<uint64_t>(value));
  }
  return result;
}

// The view lies in its storage and has no more elements than it.
void StateDictReader::check_view(const TorchTensor& tensor, uint64_t offset,
                                 uint64_t storage_elements, const std::string& where) const {
  EBB_CHECK(tensor.shape.size() == tensor.stride.size(), FormatError, where, ": ",
            tensor.shape.size(), " sizes and ", tensor.stride.size(), " strides.", kDamaged);
  const bool empty = std::count(tensor.shape.begin(), tensor.shape.end(), 0) > 0;
  uint64_t elements = 1, last = offset;
  bool overflow = false;
  for (size_t i = 0; i < tensor.shape.size() && !empty; ++i) {
    uint64_t reach = 0;
    overflow = __builtin_mul_overflow(elements, tensor.shape[i], &elements) || overflow;
    overflow = __builtin_mul_overflow(tensor.shape[i] - 1, tensor.stride[i], &reach) || overflow;
    overflow = __builtin_add_overflow(last, reach, &last) || overflow;
  }
  const bool fits = empty ? offset <= storage_elements
                          : !overflow && last < storage_elements && elements <= storage_elements;
  EBB_CHECK(fits, FormatError, where, ": its offset, size and stride reach beyond the ",
            storage_elements, " elements of its storage. The file is damaged; fetch it again.");
}

// DataParallel puts its own name before every other.
void StateDictReader::strip_data_parallel() {
  auto& tensors = result_.tensors;
  const bool all = std::all_of(tensors.begin(), tensors.end(), [](const TorchTensor& tensor) {
    return tensor.name.starts_with(kDataParallel);
  });
  if (!all) return;
  for (TorchTensor& tensor : tensors) tensor.name.erase(0, kDataParallel.size());
}

}  // namespace

TorchFile read_state_dict(const Pickle& pickle, const FindStorage& find_storage,
                          const std::string& label, const LoadLimits& limits) {
  return StateDictReader(pickle, find_storage, label, limits).read();
}

}  // namespace ebb
