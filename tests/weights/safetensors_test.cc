#include "weights/safetensors.h"

#include <unistd.h>

#include <cmath>
#include <cstring>
#include <limits>

#include "testing/catch.h"
#include "testing/errors.h"
#include "testing/temp_dir.h"
#include "weights/digest.h"

namespace ebb {
namespace {

using Catch::Matchers::Contains;
using test::get_file;
using test::message_of;
using test::put_file;
using test::TempDir;

std::string file_bytes(uint64_t length, std::string_view json, std::string_view data) {
  std::string bytes(8, '\0');
  std::memcpy(bytes.data(), &length, 8);
  return bytes.append(json).append(data);
}

std::string file_bytes(std::string_view json, std::string_view data) {
  return file_bytes(json.size(), json, data);
}

constexpr const char* kOneTensor = R"({"t":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]}})";

std::string refusal(const std::string& path) {
  return message_of<FormatError>([&] { SafetensorsFile::open(path).verify_digest(); });
}

// A file with every element size, in an order that the writer has to change.
void save_example(const std::string& path) {
  static const std::vector<float> f32 = {1.0f, -2.5f, 3.0f, 0.0f, 5.0f, 6.0f};
  static const std::vector<uint16_t> f16 = {0x3c00, 0xc100, 0x7bff};
  static const std::vector<int64_t> i64 = {-1, int64_t{1} << 40};
  static const std::vector<uint8_t> u8 = {0, 127, 255};
  save_safetensors(path,
                   {{"z.u8", StDType::kU8, {3}, u8.data()},
                    {"b.f16", StDType::kF16, {3}, f16.data()},
                    {"c.bf16", StDType::kBF16, {1, 3}, f16.data()},
                    {"y.i64", StDType::kI64, {2}, i64.data()},
                    {"w.f32", StDType::kF32, {2, 3}, f32.data()},
                    {"a.f32", StDType::kF32, {}, f32.data()},
                    {"none", StDType::kF32, {0, 3}, nullptr}},
                   {{"model", "test \"quoted\" \u00e9\n"}, {"format", "pt"}});
}

TEST_CASE("what is saved is read back") {
  const TempDir dir;
  save_example(dir / "m.safetensors");
  const SafetensorsFile file = SafetensorsFile::open(dir / "m.safetensors");
  CHECK(file.verify_digest());
  CHECK(file.metadata().at("model") == "test \"quoted\" \u00e9\n");
  CHECK(file.metadata().at("format") == "pt");

  std::vector<std::string> names;
  for (const TensorEntry& entry : file.entries()) {
    names.push_back(entry.name);
    CHECK((file.data_start() + entry.begin) * 8 % static_cast<uint64_t>(bits_of(entry.dtype)) == 0);
  }
  CHECK(names ==
        std::vector<std::string>{"y.i64", "a.f32", "none", "w.f32", "b.f16", "c.bf16", "z.u8"});
  CHECK(file.data_start() % 8 == 0);

  const TensorEntry* w = file.find("w.f32");
  REQUIRE(w != nullptr);
  CHECK(file.dtype_of(*w) == DType::kF32);
  CHECK(w->shape == std::vector<uint64_t>{2, 3});
  std::vector<float> values(6);
  CHECK_FALSE(file.read(*w, values.data()).any());
  CHECK(values == std::vector<float>{1.0f, -2.5f, 3.0f, 0.0f, 5.0f, 6.0f});
  std::vector<int64_t> integers(2);
  file.read(*file.find("y.i64"), integers.data());
  CHECK(integers == std::vector<int64_t>{-1, int64_t{1} << 40});
  CHECK(file.find("z") == nullptr);
}

TEST_CASE("the same content gives the same bytes") {
  const TempDir dir;
  save_example(dir / "a");
  save_example(dir / "b");
  CHECK(get_file(dir / "a") == get_file(dir / "b"));
}

TEST_CASE("a file of the Python library is read") {
  const SafetensorsFile file = SafetensorsFile::open("tests/golden/gelu.safetensors");
  CHECK_FALSE(file.entries().empty());
  CHECK_FALSE(file.verify_digest());
}

TEST_CASE("the digest finds every flipped bit of a file") {
  const TempDir dir;
  const std::string path = dir / "m.safetensors";
  save_example(path);
  const std::string good = get_file(path);
  std::vector<size_t> missed;
  for (size_t bit = 0; bit < good.size() * 8; ++bit) {
    std::string bad = good;
    bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ (1 << bit % 8));
    put_file(path, bad);
    if (refusal(path) == "(nothing was thrown)") missed.push_back(bit);
  }
  CHECK(missed.empty());
}

TEST_CASE("a file that is cut anywhere is refused") {
  const TempDir dir;
  const std::string path = dir / "m.safetensors";
  save_example(path);
  const std::string good = get_file(path);
  for (size_t length = 0; length < good.size(); ++length) {
    put_file(path, good.substr(0, length));
    CHECK_THAT(refusal(path), Contains("/m.safetensors: "));
  }
}

TEST_CASE("a wrong digest says what it is and what to do") {
  const TempDir dir;
  save_example(dir / "m");
  std::string bytes = get_file(dir / "m");
  bytes.back() = '\1';
  put_file(dir / "m", bytes);
  const std::string message = refusal(dir / "m");
  CHECK_THAT(message, Contains("/m: SHA-256 is "));
  CHECK_THAT(message, Contains("use another copy"));
  CHECK_THAT(message, Contains("remove ebb.sha256 and ebb.sha256.of"));
}

TEST_CASE("the digest can be checked with nothing but SHA-256") {
  const TempDir dir;
  save_example(dir / "m");
  const std::string stored = SafetensorsFile::open(dir / "m").metadata().at(kDigestKey);
  std::string bytes = get_file(dir / "m");
  bytes.replace(bytes.find(stored), stored.size(), std::string(64, '0'));
  CHECK(sha256_hex(bytes.data(), bytes.size()) == stored);
}

TEST_CASE("the frame around the header is checked before memory is taken") {
  const TempDir dir;
  const std::string path = dir / "f";
  const auto refuse = [&](const std::string& bytes) {
    put_file(path, bytes);
    return refusal(path);
  };
  CHECK_THAT(refuse(""), Contains("/f: this is an empty file"));
  CHECK_THAT(refuse("1234567"), Contains("holds 7 bytes, expected a safetensors file"));
  CHECK_THAT(refuse(file_bytes(60, "", "")), Contains("length is 60 bytes, but only 0 follow"));
  CHECK_THAT(refuse(file_bytes(0xffffff000000003c, kOneTensor, "")), Contains("allowed are 1000"));
  CHECK_THAT(refuse(file_bytes(100'000'001, kOneTensor, "")), Contains("allowed are 100000000"));
  CHECK_THAT(refuse(file_bytes(100'000'000, kOneTensor, "")), Contains("but only 57 follow"));
  CHECK_THAT(refuse(file_bytes(kOneTensor, "15 bytes of data")).substr(0, 7), Contains("(nothin"));
  CHECK_THAT(refuse(file_bytes(kOneTensor, "15 bytes of dat")), Contains("file holds 15"));
}

TEST_CASE("a huge declared tensor costs no memory") {
  const TempDir dir;
  const std::string json = R"({"t":{"dtype":"F32","shape":[8053063680],)"
                           R"("data_offsets":[0,32212254720]}})";
  put_file(dir / "f", file_bytes(json, ""));
  REQUIRE(::truncate((dir / "f").c_str(), static_cast<off_t>(8 + json.size() + 32212254720)) == 0);
  CHECK_THAT(refusal(dir / "f"),
             Contains("32212254720 bytes (30.0 GiB), allowed are 25769803776 bytes (24.0 GiB)"));
  LoadLimits limits;
  limits.max_model_bytes = uint64_t{32} << 30;
  CHECK(SafetensorsFile::open(dir / "f", limits).entries().size() == 1);
}

TEST_CASE("other kinds of files are recognized") {
  const TempDir dir;
  put_file(dir / "m.safetensors",
           "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 3438167540\n");
  CHECK_THAT(refusal(dir / "m.safetensors"), Contains("is a Git LFS pointer of 73 bytes"));
  CHECK_THAT(refusal(dir / "m.safetensors"), Contains("has 3438167540 bytes. Run: git lfs pull"));
}

TEST_CASE("values that are no numbers are counted") {
  const TempDir dir;
  const float inf = std::numeric_limits<float>::infinity();
  const std::vector<float> values = {std::nanf(""), inf, -inf, 1.0f};
  save_safetensors(dir / "m", {{"t", StDType::kF32, {4}, values.data()}}, {});
  const SafetensorsFile file = SafetensorsFile::open(dir / "m");
  std::vector<float> read(4);
  const NonFinite found = file.read(file.entries()[0], read.data());
  CHECK(found.nan == 1);
  CHECK(found.infinite == 2);
  CHECK_THAT(non_finite_warning(file.label(), "t", found),
             Contains("/m: tensor \"t\" holds 1 NaN and 2 infinite values"));
}

TEST_CASE("a type that ebb does not load is named, with those it loads") {
  const TempDir dir;
  const std::vector<double> values = {1.0};
  save_safetensors(dir / "m", {{"t", StDType::kF64, {1}, values.data()}}, {});
  const SafetensorsFile file = SafetensorsFile::open(dir / "m");
  CHECK_THAT(message_of<FormatError>([&] { file.dtype_of(file.entries()[0]); }),
             Contains("tensor \"t\" is F64, ebb loads F32"));
}

TEST_CASE("a file that is cut while it is open gives an error") {
  const TempDir dir;
  save_example(dir / "m");
  const SafetensorsFile file = SafetensorsFile::open(dir / "m");
  REQUIRE(::truncate((dir / "m").c_str(), static_cast<off_t>(file.data_start())) == 0);
  std::vector<float> values(6);
  CHECK_THAT(message_of<FormatError>([&] { file.read(*file.find("w.f32"), values.data()); }),
             Contains("/m: ends at byte "));
}

TEST_CASE("what cannot be a safetensors file is not written") {
  const TempDir dir;
  const float value = 1.0f;
  const auto failure = [&](std::vector<TensorToSave> tensors,
                           const std::map<std::string, std::string>& metadata) {
    return message_of<Error>([&] { save_safetensors(dir / "m", std::move(tensors), metadata); });
  };
  const TensorToSave t{"t", StDType::kF32, {1}, &value};
  CHECK_THAT(failure({t, t}, {}), Contains("two tensors named \"t\""));
  CHECK_THAT(failure({{"__metadata__", StDType::kF32, {1}, &value}}, {}), Contains("named __meta"));
  CHECK_THAT(failure({{"\xff", StDType::kF32, {1}, &value}}, {}), Contains("not UTF-8"));
  CHECK_THAT(failure({t}, {{"k", "\xff"}}), Contains("not UTF-8"));
  CHECK_THAT(failure({t}, {{"ebb.sha256", "x"}}), Contains("is set by the writer"));
  CHECK_THAT(failure({{"t", StDType::kF4, {1}, &value}}, {}), Contains("4 bits"));
  CHECK_THAT(failure({{"t", StDType::kF4, {1u << 31, 1u << 31, 8}, &value}}, {}), Contains("2^64"));
  CHECK(dir.count() == 0);
}

TEST_CASE("SHA-256 gives the published digests") {
  CHECK(sha256_hex("", 0) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  CHECK(sha256_hex("abc", 3) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  Sha256 sha;
  sha.update("a", 1);
  sha.update("bc", 2);
  CHECK(sha.finish() == sha256_hex("abc", 3));
}

}  // namespace
}  // namespace ebb
