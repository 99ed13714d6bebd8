#include "diffusion/bind_params.h"

#include <algorithm>
#include <map>
#include <memory>

#include "base/text.h"
#include "diffusion/model_file.h"

namespace ebb {
namespace {

constexpr size_t kMaxListed = 5;  // tensors of one sort in a message

std::string shape_text(const std::vector<uint64_t>& shape) {
  std::string text;
  for (const uint64_t dim : shape) text += (text.empty() ? "" : ", ") + std::to_string(dim);
  return "[" + text + "]";
}

std::vector<uint64_t> dims_of(const Shape& shape) { return {shape.begin(), shape.end()}; }

// "; 2 missing: "a" [4], "b" [8]"
std::string listing(const char* sort, const std::vector<std::string>& tensors) {
  if (tensors.empty()) return "";
  std::string text = cat("; ", tensors.size(), " ", sort, ": ");
  for (size_t i = 0; i < std::min(tensors.size(), kMaxListed); ++i) {
    text += (i == 0 ? "" : ", ") + tensors[i];
  }
  if (tensors.size() > kMaxListed) text += cat(" and ", tensors.size() - kMaxListed, " more");
  return text;
}

using TensorsByName = std::map<std::string, const TensorInfo*>;  // by the network's names

TensorsByName renamed(const WeightSource& source, const NameMap& names) {
  TensorsByName tensors;
  for (const TensorInfo& tensor : source.tensors()) {
    const std::optional<std::string> name = names(tensor.name);
    if (!name) continue;
    const auto [other, is_new] = tensors.emplace(*name, &tensor);
    EBB_CHECK(is_new, FormatError, source.label(), ": tensors ", quoted(other->second->name),
              " and ", quoted(tensor.name), " are both parameter ", quoted(*name),
              ". Remove one of them.");
  }
  return tensors;
}

void check_fit(const std::vector<ParamSpec>& specs, const TensorsByName& tensors,
               const WeightSource& source) {
  std::vector<std::string> missing, misshaped, unexpected;
  TensorsByName others = tensors;
  for (const ParamSpec& spec : specs) {
    const std::vector<uint64_t> expected = dims_of(torch_shape(spec));
    const auto found = tensors.find(spec.name);
    if (found == tensors.end()) {
      missing.push_back(quoted(spec.name) + " " + shape_text(expected));
    } else if (found->second->shape != expected) {
      misshaped.push_back(cat(quoted(spec.name), " is ", shape_text(found->second->shape),
                              ", expected ", shape_text(expected)));
    }
    others.erase(spec.name);
  }
  for (const auto& [name, tensor] : others) {
    unexpected.push_back(quoted(tensor->name) + " " + shape_text(tensor->shape));
  }
  EBB_CHECK(missing.empty() && misshaped.empty() && unexpected.empty(), FormatError, source.label(),
            ": its tensors are not those of the model that its config describes",
            listing("missing", missing), listing("of another shape", misshaped),
            listing("unexpected", unexpected),
            source.metadata().contains(kModelKey)
                ? ". Correct \"ebb.model\" in the file's metadata or the tensors."
                : ". Use the config.json that came with them.");
}

DType check_type(const TensorInfo& tensor, const std::string& where) {
  const bool fits = tensor.dtype == StDType::kF32 || tensor.dtype == StDType::kF16 ||
                    tensor.dtype == StDType::kBF16;
  EBB_CHECK(fits, FormatError, where, ": tensor ", quoted(tensor.name), " is ",
            to_string(tensor.dtype),
            ", expected F32, F16 or BF16. Save the model in one of these.");
  return *to_engine_dtype(tensor.dtype);
}

// A parameter and where it comes from.
struct Binding {
  const ParamSpec* spec;
  const TensorInfo* tensor;
  DType dtype;

  size_t bytes() const { return static_cast<size_t>(spec->shape.elements() * size_of(dtype)); }
};

// In the source's order.
std::vector<Binding> bindings(const std::vector<ParamSpec>& specs, const WeightSource& source,
                              const NameMap& names) {
  const TensorsByName tensors = renamed(source, names);
  check_fit(specs, tensors, source);
  std::vector<Binding> result;
  for (const ParamSpec& spec : specs) {
    const TensorInfo* tensor = tensors.at(spec.name);
    result.push_back({&spec, tensor, check_type(*tensor, source.label())});
  }
  std::sort(result.begin(), result.end(),
            [](const Binding& a, const Binding& b) { return a.tensor < b.tensor; });
  return result;
}

template <typename Bits>
void reorder(const Binding& binding, const std::byte* torch, std::byte* engine) {
  const size_t count = binding.bytes() / sizeof(Bits);
  torch_to_engine(*binding.spec, std::span(reinterpret_cast<const Bits*>(torch), count),
                  std::span(reinterpret_cast<Bits*>(engine), count));
}

}  // namespace

std::optional<std::string> state_dict_name(std::string_view stored) {
  if (stored.ends_with("num_batches_tracked")) return std::nullopt;
  return std::string(stored);
}

BoundParams bind_params(Context& context, const std::vector<ParamSpec>& specs, WeightSource& source,
                        const NameMap& names, const BeforeReading& before_reading) {
  const std::vector<Binding> all = bindings(specs, source, names);
  std::map<std::string, DType> types;
  for (const Binding& binding : all) types[binding.spec->name] = binding.dtype;
  if (before_reading != nullptr) before_reading(types);
  size_t largest = 0;
  for (const Binding& binding : all) largest = std::max(largest, binding.bytes());
  // Not initialized: pages that are not written cost nothing.
  const std::unique_ptr<std::byte[]> torch(new std::byte[largest]), engine(new std::byte[largest]);

  BoundParams bound;
  std::map<std::string, NonFinite> non_finite;
  for (const Binding& binding : all) {
    const std::span<std::byte> stored(torch.get(), binding.bytes());
    const NonFinite found = source.read(binding.tensor->name, binding.dtype, stored);
    if (found.any()) non_finite[binding.spec->name] = found;
    const bool is_plain = binding.spec->info.layout == ParamLayout::kPlain;
    if (!is_plain && binding.dtype == DType::kF32) {
      reorder<float>(binding, torch.get(), engine.get());
    } else if (!is_plain) {
      reorder<uint16_t>(binding, torch.get(), engine.get());
    }
    bound.params[binding.spec->name] =
        Tensor::from_host(context, binding.spec->shape, binding.dtype,
                          {is_plain ? torch.get() : engine.get(), binding.bytes()});
  }
  for (const ParamSpec& spec : specs) {
    const auto found = non_finite.find(spec.name);
    if (found == non_finite.end()) continue;
    bound.warnings.push_back(non_finite_warning(source.label(), spec.name, found->second));
  }
  return bound;
}

}  // namespace ebb
