#include "weights/safetensors_source.h"

#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <iostream>
#include <limits>

#include "testing/catch.h"
#include "testing/errors.h"
#include "testing/temp_dir.h"
#include "weights/digest.h"

namespace ebb {
namespace {

using Catch::Matchers::Contains;
using test::message_of;
using test::TempDir;

constexpr size_t kLarge = (size_t{3} << 18) + 7;  // f32 elements: three chunks of reading and some

// The file that most cases read: every float type, another one, and a tensor of several chunks.
struct Saved {
  TempDir dir;
  std::string path = dir / "m.safetensors";
  std::vector<float> large = std::vector<float>(kLarge);
  std::vector<uint16_t> f16 = {0x3c00, 0xc100, 0x7bff};   // 1, -2.5, 65504
  std::vector<uint16_t> bf16 = {0x3f80, 0xc020, 0x7f7f};  // 1, -2.5, the largest
  std::vector<int64_t> i64 = {-1, int64_t{1} << 40};

  Saved() {
    for (size_t i = 0; i < kLarge; ++i) large[i] = static_cast<float>(i) / 8;
    save_safetensors(path,
                     {{"large", StDType::kF32, {kLarge}, large.data()},
                      {"f16", StDType::kF16, {3}, f16.data()},
                      {"bf16", StDType::kBF16, {1, 3}, bf16.data()},
                      {"i64", StDType::kI64, {2}, i64.data()}},
                     {{"key", "value"}});
  }
  SafetensorsSource open() const { return SafetensorsSource(SafetensorsFile::open(path)); }
  std::string sha256() const { return sha256_hex(FileReader(path)); }
  // The file again without its digest.
  void remove_digest() {
    std::string bytes = test::get_file(path);
    for (const char* key : {kDigestKey, kDigestScopeKey}) {
      const size_t at = bytes.find(std::string("\"") + key + "\"");
      bytes.replace(at + 1, 3, "abc");
    }
    test::put_file(path, bytes);
  }
};

template <typename T>
std::span<std::byte> bytes_of(std::vector<T>& values) {
  return std::as_writable_bytes(std::span(values));
}

std::vector<float> read_f32(SafetensorsSource& source, const std::string& name, size_t count) {
  std::vector<float> values(count);
  source.read(name, DType::kF32, bytes_of(values));
  return values;
}

TEST_CASE("a source lists what the file holds, in the file's order") {
  const Saved saved;
  const SafetensorsSource source = saved.open();
  CHECK(source.path() == saved.path);
  CHECK(source.metadata().at("key") == "value");
  std::vector<std::string> names;
  for (const TensorInfo& tensor : source.tensors()) names.push_back(tensor.name);
  CHECK(names == std::vector<std::string>{"i64", "large", "bf16", "f16"});
  CHECK(source.tensors()[2].dtype == StDType::kBF16);
  CHECK(source.tensors()[2].shape == std::vector<uint64_t>{1, 3});
}

TEST_CASE("tensors are read in the requested type") {
  Saved saved;
  SafetensorsSource source = saved.open();
  CHECK(read_f32(source, "large", kLarge) == saved.large);
  CHECK(read_f32(source, "f16", 3) == std::vector<float>{1, -2.5f, 65504});
  CHECK(read_f32(source, "bf16", 3) == std::vector<float>{1, -2.5f, bf16_to_f32(0x7f7f)});
  std::vector<uint16_t> narrow(3);
  source.read("f16", DType::kF16, bytes_of(narrow));
  CHECK(narrow == saved.f16);
  source.read("f16", DType::kBF16, bytes_of(narrow));
  CHECK(narrow == std::vector<uint16_t>{0x3f80, 0xc020, f32_to_bf16(65504)});
  std::vector<uint16_t> rounded(kLarge), expected(kLarge);
  source.read("large", DType::kF16, bytes_of(rounded));
  std::transform(saved.large.begin(), saved.large.end(), expected.begin(), f32_to_f16);
  CHECK(rounded == expected);
  std::vector<int64_t> integers(2);
  source.read("i64", DType::kI64, bytes_of(integers));
  CHECK(integers == saved.i64);
}

TEST_CASE("a read that cannot be is refused") {
  const Saved saved;
  SafetensorsSource source = saved.open();
  std::vector<float> values(2);
  CHECK_THAT(message_of<FormatError>([&] { source.read("i64", DType::kF32, bytes_of(values)); }),
             Contains("/m.safetensors: tensor \"i64\" is I64, expected F32"));
  CHECK_THAT(message_of<Error>([&] { source.read("none", DType::kF32, bytes_of(values)); }),
             Contains("no tensor \"none\""));
  CHECK_THAT(message_of<Error>([&] { source.read("f16", DType::kF32, bytes_of(values)); }),
             Contains("takes 12 bytes, got 8"));
}

TEST_CASE("the hash is the file's, in whatever order tensors are read") {
  const bool has_digest = GENERATE(true, false);
  CAPTURE(has_digest);
  Saved saved;
  if (!has_digest) saved.remove_digest();
  const std::vector<std::vector<std::string>> orders = {
      {}, {"large", "bf16", "f16"}, {"f16", "large", "bf16"}, {"bf16"}, {"large", "large"}};
  for (const auto& order : orders) {
    SafetensorsSource source = saved.open();
    for (const std::string& name : order) read_f32(source, name, name == "large" ? kLarge : 3);
    CHECK(source.finish() == saved.sha256());
  }
}

TEST_CASE("damage is found at the end, wherever it is") {
  const Saved saved;
  const std::string good = test::get_file(saved.path);
  const size_t data = SafetensorsFile::open(saved.path).data_start();
  for (const size_t place : {data, data + 16, data + 16 + (size_t{1} << 20), good.size() - 1}) {
    std::string bad = good;
    bad[place] = static_cast<char>(bad[place] ^ 1);
    test::put_file(saved.path, bad);
    SafetensorsSource source = saved.open();
    if (place % 2 == 0) read_f32(source, "large", kLarge);
    CHECK_THAT(message_of<FormatError>([&] { source.finish(); }), Contains(": SHA-256 is "));
  }
}

TEST_CASE("values that are no numbers are counted in the type of the file") {
  const TempDir dir;
  std::vector<float> values(kLarge);
  values[1] = std::nanf("");
  values[(size_t{1} << 18) - 1] = std::numeric_limits<float>::infinity();  // ends a chunk
  values[size_t{1} << 18] = -values[(size_t{1} << 18) - 1];                // begins one
  values[kLarge - 1] = std::nanf("");
  values[5] = 1e30f;  // infinite only as f16
  save_safetensors(dir / "m", {{"t", StDType::kF32, {kLarge}, values.data()}}, {});
  for (const DType dtype : {DType::kF32, DType::kF16}) {
    SafetensorsSource source(SafetensorsFile::open(dir / "m"));
    std::vector<std::byte> read(kLarge * static_cast<size_t>(size_of(dtype)));
    const NonFinite found = source.read("t", dtype, read);
    CHECK(found.nan == 2);
    CHECK(found.infinite == 2);
  }
}

TEST_CASE("a file that is cut while it is read gives an error") {
  const Saved saved;
  SafetensorsSource source = saved.open();
  REQUIRE(::truncate(saved.path.c_str(), 2'000'000) == 0);
  CHECK_THAT(message_of<FormatError>([&] { read_f32(source, "large", kLarge); }),
             Contains("/m.safetensors: ends at byte 2000000"));
  CHECK_THAT(message_of<FormatError>([&] { source.finish(); }), Contains("ends at byte"));
}

// Bytes that this process has read through system calls.
uint64_t bytes_read() {
  std::ifstream io("/proc/self/io");
  std::string key;
  uint64_t value = 0;
  io >> key >> value;
  return key == "rchar:" ? value : 0;
}

TEST_CASE("each byte of a file is read once") {
  if (bytes_read() == 0) {
    std::cout << "skipped: bytes read from a file (no /proc/self/io)\n";
    return;
  }
  const Saved saved;
  const uint64_t size = FileReader(saved.path).size();
  const uint64_t start = bytes_read();
  {
    SafetensorsSource source(SafetensorsFile::open(saved.path));
    for (const TensorInfo& tensor : source.tensors()) {
      if (tensor.name != "i64") read_f32(source, tensor.name, tensor.name == "large" ? kLarge : 3);
    }
    source.finish();
  }
  const uint64_t read = bytes_read() - start;
  CHECK(read >= size);
  CHECK(read < size + 2048);  // the kind of file follows from its first 512 bytes; /proc/self/io
}

}  // namespace
}  // namespace ebb
