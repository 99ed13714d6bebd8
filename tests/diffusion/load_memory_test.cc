// Memory for loading a model, in a program of its own: it counts the bytes from operator new. The
// engine's tensors do not come from there (engine/allocator.h).

#include <malloc.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <new>

#include "diffusion/model.h"
#include "diffusion/model_file.h"
#include "testing/catch.h"
#include "testing/contexts.h"
#include "testing/networks.h"
#include "testing/temp_dir.h"
#include "weights/safetensors.h"

namespace {

std::atomic<int64_t> g_live{0}, g_peak{0};

}  // namespace

// Not inlined: the compiler would take free() for the wrong partner of operator new.
[[gnu::noinline]] void* operator new(size_t bytes) {
  void* data = std::malloc(bytes);
  if (data == nullptr) throw std::bad_alloc();
  g_live += static_cast<int64_t>(malloc_usable_size(data));
  g_peak = std::max(g_peak.load(), g_live.load());
  return data;
}
[[gnu::noinline]] void operator delete(void* data) noexcept {
  g_live -= static_cast<int64_t>(malloc_usable_size(data));
  std::free(data);
}
[[gnu::noinline]] void operator delete(void* data, size_t) noexcept { operator delete(data); }

namespace ebb {
namespace {

// Bytes that this process has read through system calls; 0 where the system does not say.
int64_t bytes_read() {
  std::ifstream io("/proc/self/io");
  std::string key;
  int64_t value = 0;
  io >> key >> value;
  return key == "rchar:" ? value : 0;
}

struct SavedModel {
  test::TempDir dir;
  std::string path = dir / "model.safetensors";
  int64_t file_bytes = 0, largest_tensor = 0;

  explicit SavedModel(DType storage) {
    const auto context = test::cpu_context();
    const Network network = make_network(test::mnist_config("class", "add", 48), "test");
    save_model(path, network, {}, test::random_params(*context, network, 1), {}, storage);
    const SafetensorsFile file = SafetensorsFile::open(path);
    file_bytes = static_cast<int64_t>(file.file().size());
    for (const TensorEntry& entry : file.entries()) {
      largest_tensor = std::max(largest_tensor, static_cast<int64_t>(entry.bytes()));
    }
  }
};

TEST_CASE("loading a model takes two host buffers and reads each byte once") {
  const DType storage = GENERATE(DType::kF32, DType::kF16);
  CAPTURE(to_string(storage));
  const SavedModel saved(storage);
  const auto context = test::cpu_context();
  constexpr int64_t kSlack = 192 << 10;  // header, names, shapes
  REQUIRE(saved.largest_tensor > kSlack);
  REQUIRE(saved.file_bytes > 2 * saved.largest_tensor + 2 * kSlack);

  const int64_t live = g_live, read = bytes_read();
  g_peak = live;
  const Model model = Model::load(*context, saved.path);
  const int64_t peak = g_peak - live, from_file = bytes_read() - read;
  CHECK(peak < 2 * saved.largest_tensor + kSlack);
  CHECK(peak > 2 * saved.largest_tensor);  // it does count them
  if (read == 0) {
    std::cout << "skipped: bytes read from a model file (no /proc/self/io)\n";
    return;
  }
  CHECK(from_file >= saved.file_bytes);
  // The kind of a file follows from its first 512 bytes, the memory that is left from /proc.
  constexpr int64_t kOtherReads = 16 << 10;
  CHECK(from_file < saved.file_bytes + kOtherReads);
}

TEST_CASE("a model takes as much memory as its file until it is packed") {
  const SavedModel saved(DType::kF16);
  const auto context = test::cpu_context();
  const Model model = Model::load(*context, saved.path);
  // A block is at least 64 bytes and up to 1/8 larger than requested.
  CHECK(context->allocator()->stats().bytes_in_use < saved.file_bytes * 9 / 8);
}

}  // namespace
}  // namespace ebb
