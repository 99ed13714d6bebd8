#pragma once

#include <set>
#include <string>
#include <vector>

#include "nn/param.h"
#include "testing/tensors.h"
#include "weights/safetensors.h"

namespace ebb::test {

// A file of tests/golden (see its README.md); tests run from the repository root.
class Golden {
 public:
  explicit Golden(const std::string& name)
      : file_(SafetensorsFile::open("tests/golden/" + name + ".safetensors")) {}

  const std::string& model_config() const { return metadata("ebb.model"); }
  const std::string& metadata(const std::string& key) const { return file_.metadata().at(key); }
  bool contains(const std::string& name) const { return file_.find(name) != nullptr; }

  // The remainders of the names that start with `prefix`.
  std::set<std::string> names_after(const std::string& prefix) const {
    std::set<std::string> names;
    for (const TensorEntry& entry : file_.entries()) {
      if (entry.name.starts_with(prefix)) names.insert(entry.name.substr(prefix.size()));
    }
    return names;
  }

  Shape shape(const std::string& name) const {
    const TensorEntry& e = entry(name);
    return {e.shape.begin(), e.shape.end()};
  }

  // In the file's order of elements, PyTorch's.
  std::vector<float> values(const std::string& name) const {
    return read<float>(name, StDType::kF32);
  }
  std::vector<double> doubles(const std::string& name) const {
    return read<double>(name, StDType::kF64);
  }
  std::vector<int32_t> integers(const std::string& name) const {
    return read<int32_t>(name, StDType::kI32);
  }
  std::vector<uint8_t> bytes(const std::string& name) const {
    return read<uint8_t>(name, StDType::kU8);
  }

  // An activation: [N, C, H, W] in the file becomes [N, H, W, C]; [N, C] stays.
  Tensor activation(const Context& context, const std::string& name) const {
    const Shape s = shape(name);
    const std::vector<float> torch = values(name);
    if (s.rank() != 4) return tensor_of(context, s, torch);
    const int64_t pixels = s[2] * s[3];
    std::vector<float> nhwc(torch.size());
    for (int64_t n = 0; n < s[0]; ++n) {
      for (int64_t c = 0; c < s[1]; ++c) {
        for (int64_t p = 0; p < pixels; ++p) {
          nhwc[(n * pixels + p) * s[1] + c] = torch[(n * s[1] + c) * pixels + p];
        }
      }
    }
    return tensor_of(context, {s[0], s[2], s[3], s[1]}, nhwc);
  }

  // "<prefix><parameter>" in the engine's layout.
  Tensor param(const Context& context, const std::string& prefix, const ParamSpec& spec) const {
    const std::vector<float> torch = values(prefix + spec.name);
    std::vector<float> engine(torch.size());
    torch_to_engine(spec, torch, engine);
    return tensor_of(context, spec.shape, engine);
  }

 private:
  const TensorEntry& entry(const std::string& name) const {
    const TensorEntry* found = file_.find(name);
    EBB_CHECK(found != nullptr, FormatError, file_.label(), ": no tensor ", name);
    return *found;
  }

  template <typename T>
  std::vector<T> read(const std::string& name, StDType dtype) const {
    const TensorEntry& e = entry(name);
    EBB_CHECK(e.dtype == dtype, FormatError, file_.label(), ": ", name, " has another type");
    std::vector<T> values(e.bytes() / sizeof(T));
    file_.read(e, values.data());
    return values;
  }

  SafetensorsFile file_;
};

}  // namespace ebb::test
