#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/dtype.h"
#include "weights/non_finite.h"
#include "weights/safetensors_header.h"
#include "weights/st_dtype.h"

namespace ebb {

// A tensor that a source holds.
struct TensorInfo {
  std::string name;  // as it is stored, any UTF-8: print it with quoted()
  StDType dtype = StDType::kU8;
  std::vector<uint64_t> shape;  // PyTorch's order
  uint64_t index = 0;           // in the dict that was saved, where the format keeps its order
};

// The weights of one network, wherever they are stored: names, shapes and types are known at once,
// elements are read tensor by tensor. Bytes are hashed and checked as they are read, so a source is
// read once. Not thread-safe.
class WeightSource {
 public:
  virtual ~WeightSource() = default;

  virtual const std::string& path() const = 0;   // of the file or directory
  virtual const std::string& label() const = 0;  // the path, for messages
  // Empty where the format has none.
  virtual const std::map<std::string, std::string>& metadata() const = 0;
  // In the order in which they are stored. Reading them in this order reads each byte once.
  virtual const std::vector<TensorInfo>& tensors() const = 0;

  // Hands out the elements of a tensor as they are stored, row-major, in pieces of whole elements
  // and at most kChunkBytes. Counts the values that are no numbers; they are legal, warn with
  // non_finite_warning().
  using Sink = std::function<void(std::span<const std::byte> piece)>;
  static constexpr uint64_t kChunkBytes = uint64_t{1} << 16;  // fits a cache, and next to no memory
  virtual NonFinite stream(std::string_view name, const Sink& sink) = 0;

  // Fills dst with the elements of a tensor, row-major, as `dtype`: the type it is stored in, or
  // among f32, f16 and bf16 any other (rounded to nearest even). FormatError for another type.
  // Counts as stream() does.
  virtual NonFinite read(std::string_view name, DType dtype, std::span<std::byte> dst);

  // Reads the tensors that were not requested and returns the SHA-256 of the file, as 64
  // hexadecimal digits. FormatError when the source carries a digest of its own and a byte differs.
  // For several files: the SHA-256 of the list that sha256sum prints for them.
  virtual std::string finish() = 0;

  // Facts about the files that the user should know, each a line of the form of an error.
  virtual std::vector<std::string> warnings() const { return {}; }

 protected:
  const TensorInfo& tensor(std::string_view name) const;  // Error when there is none
};

// The source for what a path holds, by its content: a safetensors file, a file of torch.save(), the
// index of several such files, or a directory with one of these (weights/weight_files.h).
// FormatError when it is damaged or of another kind, IoError when it cannot be read.
std::unique_ptr<WeightSource> open_weights(const std::string& path, const LoadLimits& limits = {});

}  // namespace ebb
