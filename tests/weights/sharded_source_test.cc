#include "weights/sharded_source.h"

#include "testing/catch.h"
#include "testing/errors.h"
#include "testing/temp_dir.h"
#include "weights/digest.h"
#include "weights/safetensors.h"
#include "weights/safetensors_source.h"

namespace ebb {
namespace {

using Catch::Matchers::Contains;
using test::get_file;
using test::message_of;
using test::put_file;
using test::TempDir;

const std::string kIndex = "m.safetensors.index.json";
const std::string kFirst = "m-00001-of-00002.safetensors";
const std::string kSecond = "m-00002-of-00002.safetensors";

struct Shards {
  TempDir dir;
  std::vector<float> values = {1, 2, 3, 4};

  Shards() {
    save(kFirst, {"a"});
    save(kSecond, {"b", "c"});
  }
  void save(const std::string& file, const std::vector<std::string>& names) {
    std::vector<TensorToSave> tensors;
    for (const auto& name : names) tensors.push_back({name, StDType::kF32, {4}, values.data()});
    save_safetensors(dir / file, std::move(tensors), {});
  }
  ShardedSource open(const std::string& index) const {
    put_file(dir / kIndex, index);
    return {FileReader(dir / kIndex), {}};
  }
  std::string refusal(const std::string& index) const {
    return message_of<FormatError>([&] { open(index); });
  }
};

const std::string kMap = R"("a":")" + kFirst + R"(","b":")" + kSecond + R"(")";
const std::string kGood = R"({"metadata":{"total_size":32},"weight_map":{)" + kMap + "}}";

TEST_CASE("the tensors of an index are one source, in the order of the shards") {
  const Shards shards;
  ShardedSource source = shards.open(kGood);
  REQUIRE(source.tensors().size() == 2);  // "c" is not in the index
  CHECK(source.tensors()[1].name == "b");
  std::vector<float> values(4);
  source.read("b", DType::kF32, std::as_writable_bytes(std::span(values)));
  CHECK(values == shards.values);
  CHECK(source.warnings().empty());
  std::string list;
  for (const std::string& name : {kFirst, kSecond, kIndex}) {
    list += sha256_hex(FileReader(shards.dir / name)) + "  " + name + "\n";
  }
  CHECK(source.finish() == sha256_hex(list.data(), list.size()));
}

TEST_CASE("a wrong total size is a warning") {
  const Shards shards;
  const auto source = shards.open(R"({"metadata":{"total_size":5},"weight_map":{)" + kMap + "}}");
  REQUIRE(source.warnings().size() == 1);
  CHECK_THAT(source.warnings()[0], Contains("total_size is 5 bytes, the tensors take 32"));
}

TEST_CASE("shards that are missing, cut or of another model are named") {
  Shards shards;
  CHECK_THAT(shards.refusal(R"({"weight_map":{"a":"none.safetensors"}})"),
             Contains(kIndex + ": shard 1 of 1, \"none.safetensors\", is missing"));
  CHECK_THAT(shards.refusal(R"({"weight_map":{)" + kMap + R"(,"z":")" + kFirst + R"("}})"),
             Contains("1 tensors are not in the shard that the index names: \"z\" in \"" + kFirst));
  CHECK_THAT(shards.refusal(R"({"weight_map":{"b":")" + kFirst + R"(","c":")" + kSecond + R"("}})"),
             Contains("\"b\" in \"" + kFirst + "\" (it is in \"" + kSecond + "\")"));
  const std::string whole = get_file(shards.dir / kSecond);
  put_file(shards.dir / kSecond, whole.substr(0, whole.size() - 3));
  CHECK_THAT(shards.refusal(kGood), Contains("shard 2 of 2 cannot be used: ") && Contains(kSecond));
  put_file(shards.dir / kSecond, "version https://git-lfs.github.com/spec/v1\nsize 7\n");
  CHECK_THAT(shards.refusal(kGood), Contains("Git LFS pointer"));
}

TEST_CASE("the tensors of all shards together keep the limit") {
  const Shards shards;
  put_file(shards.dir / kIndex, R"({"weight_map":{"c":")" + kSecond + "\"," + kMap + "}}");
  const auto open = [&](uint64_t limit) {
    ShardedSource(FileReader(shards.dir / kIndex), LoadLimits{.max_model_bytes = limit});
  };
  CHECK_NOTHROW(open(48));
  CHECK_THAT(message_of<FormatError>([&] { open(47); }), Contains("allowed are 47 bytes"));
}

std::string parse_error(const std::string& json) {
  return message_of<FormatError>([&] { parse_shard_index(json, "i.json"); });
}

TEST_CASE("an index that breaks a rule is refused") {
  CHECK_THAT(parse_error(R"({"metadata":{}})"), Contains("i.json: has no weight_map"));
  CHECK_THAT(parse_error(R"({"weight_map":{}})"), Contains("is empty"));
  CHECK_THAT(parse_error(R"({"weight_map":["a"]})"), Contains("weight_map is an array"));
  CHECK_THAT(parse_error(R"({"weight_map":{"a":1}})"), Contains("says a number for tensor \"a\""));
  CHECK_THAT(parse_error(R"({"weight_map":{"a":{}}})"), Contains("says an object"));
  CHECK_THAT(parse_error(R"({"weight_map":{"a":"f","a":"f"}})"), Contains("duplicate name \"a\""));
  CHECK_THAT(parse_error(R"({"weight_map":{"a":"f"},"weight_map":{}})"), Contains("duplicate"));
  CHECK_THAT(parse_error("[]"), Contains("holds an array"));
  CHECK_THAT(parse_error("{"), Contains("is not valid JSON at byte "));
  CHECK_THAT(parse_error("\xef\xbb\xbf{}"), Contains("byte order mark"));
  CHECK_THAT(parse_error(std::string("{}\0", 3)), Contains("NUL at byte 2"));
  CHECK_THAT(parse_error(R"({"x":)" + std::string(1000, '[') + std::string(1000, ']') + "}"),
             Contains("deeper than 128"));
}

TEST_CASE("shards are plain names of files beside the index") {
  for (const std::string name : {"../x", "/x", "a/b", "..", ".", "", "a\\\\b", "a\\u0000b"}) {
    INFO(name);
    CHECK_THAT(parse_error(R"({"weight_map":{"t":")" + name + R"("}})"),
               Contains("expected a file name without directories"));
  }
  CHECK(parse_shard_index(R"({"weight_map":{"t":"..."}})", "i").shards[0] == "...");
}

TEST_CASE("shards that diffusers wrote hold the model in half precision") {
  const std::string goldens = "tests/golden/checkpoints/";
  const std::unique_ptr<WeightSource> shards = open_weights(goldens + "fp16_shards");
  const std::unique_ptr<WeightSource> plain = open_weights(goldens + "ddpm/unet");
  const std::unique_ptr<WeightSource> pickle = open_weights(goldens + "bin");
  CHECK(shards->path().ends_with("diffusion_pytorch_model.safetensors.index.fp16.json"));
  REQUIRE(shards->tensors().size() == plain->tensors().size());
  for (const TensorInfo& tensor : plain->tensors()) {
    uint64_t elements = 1;
    for (const uint64_t dim : tensor.shape) elements *= dim;
    std::vector<uint16_t> half(elements), expected(elements), pickled(elements);
    shards->read(tensor.name, DType::kF16, std::as_writable_bytes(std::span(half)));
    plain->read(tensor.name, DType::kF16, std::as_writable_bytes(std::span(expected)));
    pickle->read(tensor.name, DType::kF16, std::as_writable_bytes(std::span(pickled)));
    INFO(tensor.name);
    CHECK(half == expected);
    CHECK(pickled == expected);
  }
}

}  // namespace
}  // namespace ebb
