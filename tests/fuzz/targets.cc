#include "tests/fuzz/targets.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include "base/error.h"
#include "tests/fuzz/promises.h"
#include "weights/idx.h"
#include "weights/pickle.h"
#include "weights/safetensors.h"
#include "weights/safetensors_source.h"
#include "weights/shard_index.h"
#include "weights/torch_source.h"
#include "weights/torch_state_dict.h"
#include "weights/weight_source.h"

namespace ebb::test {
namespace {

// A file without a disk.
class MemoryFile {
 public:
  explicit MemoryFile(std::span<const uint8_t> bytes) : fd_(::memfd_create("fuzz", MFD_CLOEXEC)) {
    if (::write(fd_, bytes.data(), bytes.size()) != static_cast<ssize_t>(bytes.size())) {
      throw std::runtime_error("memfd_create or write failed");
    }
  }
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;
  ~MemoryFile() { ::close(fd_); }

  std::string path() const { return "/proc/self/fd/" + std::to_string(fd_); }

 private:
  int fd_;
};

void check_layout(const SafetensorsFile& file) {
  uint64_t end = 0;
  std::set<std::string> names;
  for (const TensorEntry& entry : file.entries()) {
    expect(names.insert(entry.name).second, "a name occurs twice");
    expect(entry.begin == end, "tensors do not follow each other");
    end = entry.end;
    // In double, which exceeds 2^64 where 64-bit integers would wrap around.
    double bits = bits_of(entry.dtype);
    for (const uint64_t dim : entry.shape) bits *= static_cast<double>(dim);
    expect(bits == static_cast<double>(entry.bytes()) * 8, "the bytes do not fit the shape");
  }
  expect(file.data_start() + end == file.file().size(), "the tensors do not fill the file");
}

template <typename Read>
void read_or_refuse(const Read& read) {
  try {
    read();
  } catch (const FormatError& error) {
    check_message(error.what(), "/proc/self/fd/", 4000);
  }
}

bool is_float(StDType dtype) {
  return dtype == StDType::kF32 || dtype == StDType::kF16 || dtype == StDType::kBF16;
}

// Every tensor, and the digest of the file.
void read_all(WeightSource& source, std::span<const uint8_t> bytes) {
  for (const TensorInfo& tensor : source.tensors()) {
    uint64_t elements = 1;
    for (const uint64_t dim : tensor.shape) elements *= dim;
    uint64_t seen = 0;
    if (is_float(tensor.dtype)) {
      std::vector<float> values(elements);
      source.read(tensor.name, DType::kF32, std::as_writable_bytes(std::span(values)));
    }
    source.stream(tensor.name, [&](std::span<const std::byte> piece) { seen += piece.size(); });
    expect(seen * 8 == elements * static_cast<uint64_t>(bits_of(tensor.dtype)),
           "bytes are missing");
  }
  expect(source.finish() == sha256_hex(bytes.data(), bytes.size()), "the hash is not the file's");
}

}  // namespace

void fuzz_safetensors(std::span<const uint8_t> bytes) {
  const MemoryFile memory(bytes);
  read_or_refuse([&] {
    const SafetensorsFile file = SafetensorsFile::open(memory.path());
    check_layout(file);
    for (const TensorEntry& entry : file.entries()) {
      std::vector<char> data(entry.bytes());
      file.read(entry, data.data());
    }
    file.verify_digest();
  });
  read_or_refuse([&] {
    SafetensorsSource source(SafetensorsFile::open(memory.path()));
    read_all(source, bytes);
  });
}

void fuzz_torch(std::span<const uint8_t> bytes) {
  const MemoryFile memory(bytes);
  read_or_refuse([&] {
    TorchSource source(FileReader(memory.path()), {});
    read_all(source, bytes);
  });
}

void fuzz_pickle(std::span<const uint8_t> bytes) {
  const std::string label = "/proc/self/fd/x";
  const std::string text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  read_or_refuse([&] {
    const Pickle pickle = read_pickle(text, 0, label);
    expect(pickle.root() < pickle.size() && pickle.end() <= text.size(), "no root");
    constexpr uint64_t kStorageBytes = 1024;
    const auto find_storage = [](std::string_view, const std::string&) {
      return StoredBytes{0, kStorageBytes};
    };
    for (const TorchTensor& tensor : read_state_dict(pickle, find_storage, label, {}).tensors) {
      const uint64_t item = static_cast<uint64_t>(bits_of(tensor.dtype)) / 8;
      uint64_t last = tensor.begin + item;
      for (size_t i = 0; i < tensor.shape.size() && tensor.elements() > 0; ++i) {
        last += (tensor.shape[i] - 1) * tensor.stride[i] * item;
      }
      expect(tensor.elements() == 0 || last <= kStorageBytes, "a view leaves its storage");
    }
  });
}

void fuzz_shard_index(std::span<const uint8_t> bytes) {
  const std::string text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  read_or_refuse([&] {
    const ShardIndex index = parse_shard_index(text, "/proc/self/fd/x");
    expect(!index.weight_map.empty(), "an empty map passed");
    for (const auto& [tensor, shard] : index.weight_map) {
      expect(shard < index.shards.size(), "a shard that is not listed");
      expect(index.shards[shard].find('/') == std::string::npos, "a shard in another directory");
    }
  });
}

void fuzz_idx(std::span<const uint8_t> bytes) {
  const MemoryFile memory(bytes);
  read_or_refuse([&] {
    const IdxImages images = read_idx_images(memory.path(), ImageSize{});
    expect(images.count >= 1 && images.rows == 28 && images.cols == 28, "a wrong size passed");
    expect(images.pixels.size() == static_cast<uint64_t>(images.count) * 784, "pixels are missing");
  });
  read_or_refuse([&] {
    const IdxLabels labels = read_idx_labels(memory.path(), 10);
    expect(!labels.values.empty(), "no labels passed");
    expect(*std::max_element(labels.values.begin(), labels.values.end()) <= 9, "a wrong label");
  });
}

}  // namespace ebb::test
