#include "nn/bind.h"

#include <algorithm>
#include <set>

#include "base/text.h"

namespace ebb {
namespace {

constexpr size_t kMaxListed = 12;  // tensors of one sort in a message

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

void check_fit(const std::vector<ParamSpec>& specs,
               const std::map<std::string, TorchTensor>& tensors, const std::string& where) {
  std::vector<std::string> missing, misshaped, unexpected;
  std::set<std::string> known;
  for (const ParamSpec& spec : specs) {
    known.insert(spec.name);
    const std::vector<uint64_t> expected = dims_of(torch_shape(spec));
    const auto found = tensors.find(spec.name);
    if (found == tensors.end()) {
      missing.push_back(quoted(spec.name) + " " + shape_text(expected));
    } else if (found->second.shape != expected) {
      misshaped.push_back(cat(quoted(spec.name), " is ", shape_text(found->second.shape),
                              ", expected ", shape_text(expected)));
    }
  }
  for (const auto& [name, tensor] : tensors) {
    if (known.contains(name) || name.ends_with("num_batches_tracked")) continue;
    unexpected.push_back(quoted(name) + " " + shape_text(tensor.shape));
  }
  EBB_CHECK(missing.empty() && misshaped.empty() && unexpected.empty(), FormatError, where,
            ": its tensors are not those of the model that its config describes",
            listing("missing", missing), listing("of another shape", misshaped),
            listing("unexpected", unexpected),
            ". Correct \"ebb.model\" in the file's metadata or the tensors.");
}

}  // namespace

TensorMap bind_params(Context& context, const std::vector<ParamSpec>& specs,
                      const std::map<std::string, TorchTensor>& tensors, const std::string& where) {
  check_fit(specs, tensors, where);
  TensorMap params;
  for (const ParamSpec& spec : specs) {
    std::vector<float> torch(static_cast<size_t>(spec.shape.elements()));
    std::vector<float> engine(torch.size());
    tensors.at(spec.name).read(torch);
    torch_to_engine(spec, torch, engine);
    params[spec.name] = Tensor::from_host(context, spec.shape, std::span<const float>(engine));
  }
  return params;
}

}  // namespace ebb
