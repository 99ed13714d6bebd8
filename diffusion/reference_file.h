#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "engine/tensor.h"
#include "weights/safetensors.h"

namespace ebb {

// The work of another program with a model: inputs, input.<name>, and results under names of their
// own; safetensors, in PyTorch's layout.
class ReferenceFile {
 public:
  // Errors as of SafetensorsFile::open().
  explicit ReferenceFile(const std::string& path) : file_(SafetensorsFile::open(path)) {}

  const std::string& label() const { return file_.label(); }
  const std::map<std::string, std::string>& metadata() const { return file_.metadata(); }

  bool has_input(std::string_view name) const { return find_input(name) != nullptr; }
  std::vector<std::string> inputs() const;   // names without "input."
  std::vector<std::string> outputs() const;  // all other names

  // The shape of an input or output in PyTorch's order. FormatError when there is no such input.
  const std::vector<uint64_t>& input_shape(std::string_view name) const;
  const std::vector<uint64_t>& output_shape(std::string_view name) const;

  // Numbers of an input of any type, and of an output, which must be floating-point: in the file's
  // order. FormatError for other types.
  std::vector<double> input_numbers(std::string_view name) const;
  std::vector<float> output_values(std::string_view name) const;

  // An input as the engine has it, [N, H, W, C] for [N, C, H, W], in f32. FormatError when its
  // shape is another than `shape`, the engine's.
  Tensor input_tensor(const Context& context, std::string_view name, const Shape& shape) const;
  // An input [S, N, C, H, W] of S such tensors, as [S N, H, W, C].
  Tensor stacked_input(const Context& context, std::string_view name, const Shape& shape) const;
  // An output's values, of a tensor with the engine's shape. FormatError when the shape is another.
  std::vector<float> output_values(std::string_view name, const Shape& shape) const;

 private:
  const TensorEntry* find_input(std::string_view name) const;
  const TensorEntry& input(std::string_view name) const;
  const TensorEntry& output(std::string_view name) const;
  void check_shape(const TensorEntry& entry, const Shape& shape) const;
  template <typename T>
  std::vector<T> read(const TensorEntry& entry, bool integers_too) const;

  SafetensorsFile file_;
};

// NHWC -> NCHW; other shapes stay.
std::vector<uint64_t> torch_order(const Shape& shape);
// "[2, 3, 8, 8]".
std::string shape_text(const std::vector<uint64_t>& shape);
// `"a", "b" and 3 more`: at most `most` names, quoted.
std::string name_list(const std::vector<std::string>& names, size_t most);

// Elements of [N, C, ...] as [N, ..., C]; rows [N, C] stay as they are. shape: the engine's.
std::vector<float> channels_last(const std::vector<float>& torch, const Shape& shape);
// The element of PyTorch's order at `offset` of the engine's.
int64_t torch_offset(const Shape& shape, int64_t offset);

}  // namespace ebb
