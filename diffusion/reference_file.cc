#include "diffusion/reference_file.h"

#include <algorithm>
#include <cstring>

#include "base/error.h"
#include "base/text.h"
#include "nn/param_collector.h"

namespace ebb {
namespace {

constexpr std::string_view kInputPrefix = "input.";

template <typename Stored, typename T>
std::vector<T> converted(const std::vector<std::byte>& bytes, T (*convert)(Stored)) {
  std::vector<T> values(bytes.size() / sizeof(Stored));
  for (size_t i = 0; i < values.size(); ++i) {
    Stored stored;
    std::memcpy(&stored, bytes.data() + i * sizeof(Stored), sizeof(Stored));
    values[i] = convert(stored);
  }
  return values;
}

template <typename Stored, typename T>
std::vector<T> cast(const std::vector<std::byte>& bytes) {
  return converted<Stored, T>(bytes, [](Stored stored) { return static_cast<T>(stored); });
}

bool is_integer(StDType dtype) {
  return dtype == StDType::kI32 || dtype == StDType::kI64 || dtype == StDType::kU8;
}

}  // namespace

std::vector<uint64_t> torch_order(const Shape& shape) {
  std::vector<uint64_t> dims(shape.begin(), shape.end());
  if (dims.size() == 4) std::rotate(dims.begin() + 1, dims.begin() + 3, dims.end());
  return dims;
}

std::string shape_text(const std::vector<uint64_t>& shape) {
  std::string text;
  for (const uint64_t side : shape) text += (text.empty() ? "" : ", ") + std::to_string(side);
  return cat("[", text, "]");
}

std::string name_list(const std::vector<std::string>& names, size_t most) {
  std::string text;
  for (size_t i = 0; i < std::min(names.size(), most); ++i) {
    text += cat(text.empty() ? "" : ", ", quoted(names[i]));
  }
  if (names.size() > most) text += cat(" and ", names.size() - most, " more");
  return text;
}

int64_t torch_offset(const Shape& shape, int64_t offset) {
  if (shape.rank() != 4) return offset;
  const int64_t channels = shape[3], pixels = shape[1] * shape[2];
  const int64_t c = offset % channels, p = offset / channels % pixels;
  const int64_t n = offset / (channels * pixels);
  return (n * channels + c) * pixels + p;
}

std::vector<float> channels_last(const std::vector<float>& torch, const Shape& shape) {
  std::vector<float> engine(torch.size());
  for (size_t i = 0; i < engine.size(); ++i) {
    engine[i] = torch[static_cast<size_t>(torch_offset(shape, static_cast<int64_t>(i)))];
  }
  return engine;
}

std::vector<std::string> ReferenceFile::inputs() const {
  std::vector<std::string> names;
  for (const TensorEntry& entry : file_.entries()) {
    if (entry.name.starts_with(kInputPrefix)) {
      names.push_back(entry.name.substr(kInputPrefix.size()));
    }
  }
  return names;
}

std::vector<std::string> ReferenceFile::outputs() const {
  std::vector<std::string> names;
  for (const TensorEntry& entry : file_.entries()) {
    if (!entry.name.starts_with(kInputPrefix)) names.push_back(entry.name);
  }
  return names;
}

const TensorEntry* ReferenceFile::find_input(std::string_view name) const {
  return file_.find(cat(kInputPrefix, name));
}

const TensorEntry& ReferenceFile::input(std::string_view name) const {
  const TensorEntry* entry = find_input(name);
  EBB_CHECK(entry != nullptr, FormatError, label(), ": no tensor \"", kInputPrefix, name,
            "\", which the model takes. Add it to the reference.");
  return *entry;
}

const TensorEntry& ReferenceFile::output(std::string_view name) const {
  const TensorEntry* entry = file_.find(name);
  EBB_CHECK(entry != nullptr, Error, label(), ": no tensor ", quoted(name));
  return *entry;
}

const std::vector<uint64_t>& ReferenceFile::input_shape(std::string_view name) const {
  return input(name).shape;
}

const std::vector<uint64_t>& ReferenceFile::output_shape(std::string_view name) const {
  return output(name).shape;
}

template <typename T>
std::vector<T> ReferenceFile::read(const TensorEntry& entry, bool integers_too) const {
  std::vector<std::byte> bytes(entry.bytes());
  if (integers_too || !is_integer(entry.dtype)) file_.read(entry, bytes.data());
  switch (entry.dtype) {
    case StDType::kF32:
      return cast<float, T>(bytes);
    case StDType::kF64:
      return cast<double, T>(bytes);
    case StDType::kF16:
      return converted<uint16_t, T>(bytes, [](uint16_t x) { return T{f16_to_f32(x)}; });
    case StDType::kBF16:
      return converted<uint16_t, T>(bytes, [](uint16_t x) { return T{bf16_to_f32(x)}; });
    case StDType::kI32:
      if (integers_too) return cast<int32_t, T>(bytes);
      break;
    case StDType::kI64:
      if (integers_too) return cast<int64_t, T>(bytes);
      break;
    case StDType::kU8:
      if (integers_too) return cast<uint8_t, T>(bytes);
      break;
    default:
      break;
  }
  throw FormatError(cat(label(), ": tensor ", quoted(entry.name), " is ", to_string(entry.dtype),
                        ", expected F32", integers_too ? " or I32" : "",
                        ". Convert it before saving."));
}

std::vector<double> ReferenceFile::input_numbers(std::string_view name) const {
  return read<double>(input(name), /*integers_too=*/true);
}

std::vector<float> ReferenceFile::output_values(std::string_view name) const {
  return read<float>(output(name), /*integers_too=*/false);
}

void ReferenceFile::check_shape(const TensorEntry& entry, const Shape& shape) const {
  EBB_CHECK(entry.shape == torch_order(shape), FormatError, label(), ": tensor ",
            quoted(entry.name), " is ", shape_text(entry.shape), ", expected ",
            shape_text(torch_order(shape)), ". Use a reference of this model.");
}

Tensor ReferenceFile::input_tensor(const Context& context, std::string_view name,
                                   const Shape& shape) const {
  const TensorEntry& entry = input(name);
  check_shape(entry, shape);
  const std::vector<float> engine = channels_last(read<float>(entry, /*integers_too=*/true), shape);
  return Tensor::from_host(context, shape, std::span<const float>(engine));
}

Tensor ReferenceFile::stacked_input(const Context& context, std::string_view name,
                                    const Shape& shape) const {
  const TensorEntry& entry = input(name);
  const std::vector<uint64_t> one = torch_order(shape);
  const bool fits = entry.shape.size() == one.size() + 1 &&
                    std::equal(one.begin(), one.end(), entry.shape.begin() + 1);
  EBB_CHECK(fits && entry.shape[0] > 0, FormatError, label(), ": tensor ", quoted(entry.name),
            " is ", shape_text(entry.shape), ", expected several of ", shape_text(one), ".");
  Shape all = shape;
  all[0] *= static_cast<int64_t>(entry.shape[0]);
  const std::vector<float> engine = channels_last(read<float>(entry, /*integers_too=*/true), all);
  return Tensor::from_host(context, all, std::span<const float>(engine));
}

std::vector<float> ReferenceFile::output_values(std::string_view name, const Shape& shape) const {
  check_shape(output(name), shape);
  return output_values(name);
}

}  // namespace ebb
