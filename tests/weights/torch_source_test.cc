#include "weights/torch_source.h"

#include "testing/catch.h"
#include "testing/errors.h"
#include "testing/temp_dir.h"
#include "testing/torch_files.h"
#include "weights/safetensors_source.h"

namespace ebb {
namespace {

using Catch::Matchers::Contains;
using test::message_of;
using test::pickled;
using test::pickled_dict;
using test::PickledTensor;
using test::six_floats;
using test::TempDir;
using test::torch_archive;
using Floats = std::vector<float>;

const std::string kGoldens = "tests/golden/checkpoints/";

Floats read_f32(WeightSource& source, const std::string& name) {
  for (const TensorInfo& tensor : source.tensors()) {
    if (tensor.name != name) continue;
    size_t elements = 1;
    for (const uint64_t dim : tensor.shape) elements *= dim;
    Floats values(elements);
    source.read(name, DType::kF32, std::as_writable_bytes(std::span(values)));
    return values;
  }
  FAIL("no tensor " << name);
  return {};
}

TorchSource open(const std::string& path) { return {FileReader(path), {}}; }

struct Written {
  TempDir dir;
  std::string path = dir / "m.pth";

  TorchSource source(const std::string& bytes) const {
    test::put_file(path, bytes);
    return open(path);
  }
  TorchSource source(const PickledTensor& tensor) const {
    return source(torch_archive(pickled_dict({{"w", tensor.bytes()}}), {{"0", six_floats()}}));
  }
  std::string refusal(const std::string& bytes) const {
    return message_of<FormatError>([&] { source(bytes); });
  }
  std::string refusal(const PickledTensor& tensor) const {
    return message_of<FormatError>([&] { source(tensor); });
  }
};

// The same tensors in both forms and nested.
TEST_CASE("files of torch.save() hold what PyTorch put there") {
  SafetensorsSource expected(SafetensorsFile::open("tests/golden/checkpoints.safetensors"));
  for (const char* file : {"state_dict.pth", "state_dict_legacy.pt", "training.pt"}) {
    INFO(file);
    TorchSource source = open(kGoldens + file);
    CHECK(source.tensors().size() == 13);
    for (const TensorInfo& tensor : expected.tensors()) {
      if (tensor.name == "double") continue;
      INFO(tensor.name);
      CHECK(read_f32(source, tensor.name) == read_f32(expected, tensor.name));
    }
    std::vector<int64_t> steps(3);
    source.read("steps", DType::kI64, std::as_writable_bytes(std::span(steps)));
    CHECK(steps == std::vector<int64_t>{3, -4, int64_t{1} << 40});
    CHECK(source.finish() == sha256_hex(FileReader(kGoldens + file)));
  }
  CHECK(open(kGoldens + "state_dict.pth").container().empty());
  CHECK(open(kGoldens + "training.pt").container() == "model_state_dict");
}

TEST_CASE("tensors keep their types and shapes") {
  const TorchSource source = open(kGoldens + "state_dict.pth");
  std::map<std::string, const TensorInfo*> by_name;
  for (const TensorInfo& tensor : source.tensors()) by_name[tensor.name] = &tensor;
  CHECK(by_name.at("half")->dtype == StDType::kF16);
  CHECK(by_name.at("bf16")->dtype == StDType::kBF16);
  CHECK(by_name.at("flags")->dtype == StDType::kBool);
  CHECK(by_name.at("double")->dtype == StDType::kF64);
  CHECK(by_name.at("scalar")->shape.empty());
  CHECK(by_name.at("empty")->shape == std::vector<uint64_t>{0, 3});
  CHECK(by_name.at("transposed")->shape == std::vector<uint64_t>{6, 4});
}

TEST_CASE("a dict of prompts and embeddings is read, the empty prompt too") {
  TorchSource source = open(kGoldens + "prompt_embeds_dict.pth");
  REQUIRE(source.tensors().size() == 2);
  CHECK(source.tensors()[0].shape == std::vector<uint64_t>{1, 2, 3});
  CHECK(read_f32(source, "") == Floats(6, 0));
  CHECK(read_f32(source, "a lithograph") == Floats(6, 1));
}

TEST_CASE("a module that was pickled whole is refused") {
  CHECK_THAT(message_of<FormatError>([] { open(kGoldens + "whole_module.pth"); }),
             Contains("torch.save(model.state_dict()"));
}

TEST_CASE("views with any strides are copied in logical order") {
  const Written written;
  const auto read = [&](const PickledTensor& tensor) {
    TorchSource source = written.source(tensor);
    return read_f32(source, "w");
  };
  CHECK(read({}) == Floats{0, 1, 2, 3, 4, 5});
  CHECK(read({.size = {3, 2}, .stride = {1, 3}}) == Floats{0, 3, 1, 4, 2, 5});
  CHECK(read({.offset = 1, .size = {2, 2}, .stride = {3, 1}}) == Floats{1, 2, 4, 5});
  CHECK(read({.size = {2, 3}, .stride = {0, 2}}) == Floats{0, 2, 4, 0, 2, 4});
  CHECK(read({.offset = 5, .size = {}, .stride = {}}) == Floats{5});
  CHECK(read({.size = {0, 9}, .stride = {9, 1}}).empty());
}

TEST_CASE("a view of far apart elements reads no more than pages of the file") {
  const Written written;
  constexpr size_t kCount = 1 << 20;
  Floats values(kCount);
  for (size_t i = 0; i < kCount; ++i) values[i] = static_cast<float>(i);
  const PickledTensor tensor{
      .storage_elements = kCount, .size = {7, 3}, .stride = {100'001, 20'000}};
  TorchSource source = written.source(
      torch_archive(pickled_dict({{"w", tensor.bytes()}}), {{"0", test::bytes_of_values(values)}}));
  const Floats read = read_f32(source, "w");
  CHECK(read[0] == 0);
  CHECK(read[4] == 120'001);
  CHECK(read[20] == 640'006);
}

TEST_CASE("views that leave their storage are refused") {
  const Written written;
  CHECK_THAT(written.refusal(PickledTensor{.offset = 1}), Contains("tensor \"w\": its offset"));
  CHECK_THAT(written.refusal(PickledTensor{.size = {2, 2}, .stride = {3, 3}}),
             Contains("reach beyond the 6 elements"));
  CHECK_THAT(written.refusal(PickledTensor{.size = {-2, 3}}), Contains("its size holds -2"));
  CHECK_THAT(written.refusal(PickledTensor{.stride = {-3, 1}}), Contains("its stride holds -3"));
  CHECK_THAT(written.refusal(PickledTensor{.offset = -1}), Contains("number -1"));
  CHECK_THAT(written.refusal(PickledTensor{.stride = {1}}), Contains("2 sizes and 1 strides"));
  CHECK_THAT(written.refusal(PickledTensor{.size = {7, 1}, .stride = {0, 0}}),
             Contains("beyond the 6"));  // more elements than the storage
  const int64_t large = (int64_t{1} << 32) + 1;
  CHECK_THAT(written.refusal(PickledTensor{.size = {large, 2}, .stride = {large, 1}}),
             Contains("beyond the 6"));
}

TEST_CASE("storages that are missing, cut or of two types are refused") {
  const Written written;
  CHECK_THAT(written.refusal(PickledTensor{.key = "7"}), Contains("storage \"7\" is not in the"));
  CHECK_THAT(written.refusal(PickledTensor{.storage_elements = 8}),
             Contains("tensor \"w\": storage \"0\" holds 24 bytes, expected 8 elements of F32"));
  const std::string both = pickled_dict(
      {{"a", PickledTensor{}.bytes()}, {"b", PickledTensor{.storage = "IntStorage"}.bytes()}});
  CHECK_THAT(written.refusal(torch_archive(both, {{"0", six_floats()}})),
             Contains("storage \"0\" is I32 here and F32 elsewhere"));
}

TEST_CASE("the tensors may lie under a usual key, and other values are ignored") {
  const Written written;
  const std::string weights = pickled_dict({{"w", PickledTensor{}.bytes()}});
  const TorchSource nested = written.source(
      torch_archive(pickled_dict({{"epoch", "K\3"}, {"ema", weights}, {"model", weights}}),
                    {{"0", six_floats()}}));
  CHECK(nested.container() == "model");
  REQUIRE(nested.warnings().size() == 1);
  CHECK_THAT(nested.warnings()[0], Contains("under \"model\" and under \"ema\""));
  const TorchSource mixed = written.source(torch_archive(
      pickled_dict({{"w", PickledTensor{}.bytes()}, {"epoch", "K\3"}}), {{"0", six_floats()}}));
  CHECK(mixed.tensors().size() == 1);
  CHECK_THAT(written.refusal(torch_archive(pickled_dict({{"epoch", "K\3"}}), {})),
             Contains("holds no tensors; its keys are \"epoch\""));
  CHECK_THAT(written.refusal(torch_archive("]", {})), Contains("holds a list, expected a dict"));
  const std::string twice =
      pickled_dict({{"w", PickledTensor{}.bytes()}, {"w", PickledTensor{}.bytes()}});
  CHECK_THAT(written.refusal(torch_archive(twice, {{"0", six_floats()}})),
             Contains("tensor \"w\" occurs twice"));
}

TEST_CASE("module. is stripped when every name has it") {
  const Written written;
  const auto first_name = [&](const std::string& second) {
    const TorchSource source = written.source(torch_archive(
        pickled_dict({{"module.a", PickledTensor{}.bytes()}, {second, PickledTensor{}.bytes()}}),
        {{"0", six_floats()}}));
    return source.tensors()[0].name;
  };
  CHECK(first_name("module.b") == "a");
  CHECK(first_name("z") == "module.a");
}

TEST_CASE("a changed byte of a storage is found while reading, whatever is read") {
  const Written written;
  std::string bytes =
      torch_archive(pickled_dict({{"w", PickledTensor{}.bytes()}}), {{"0", six_floats()}});
  bytes[bytes.find(six_floats()) + 9] ^= 1;
  TorchSource source = written.source(bytes);
  CHECK_THAT(message_of<FormatError>([&] { source.finish(); }),
             Contains("\"archive/data/0\" has another CRC-32"));
}

TEST_CASE("members without a CRC are read with a warning") {
  const Written written;
  const std::string object = test::whole_pickle(pickled_dict({{"w", PickledTensor{}.bytes()}}));
  TorchSource source =
      written.source(test::zip_archive({{"a/data.pkl", object, 0x808, 0, "a/data.pkl", false},
                                        {"a/data/0", six_floats(), 0x808, 0, "a/data/0", false}}));
  CHECK(read_f32(source, "w") == Floats{0, 1, 2, 3, 4, 5});
  CHECK_NOTHROW(source.finish());
  REQUIRE(source.warnings().size() == 1);
  CHECK_THAT(source.warnings()[0], Contains("2 members carry no CRC-32"));
}

TEST_CASE("archives of another kind are named") {
  const Written written;
  const std::string object = test::whole_pickle("}");
  CHECK_THAT(written.refusal(test::zip_archive({{"a/version", "3\n"}})),
             Contains("without data.pkl"));
  CHECK_THAT(written.refusal(test::zip_archive({{"a/data.pkl", object}, {"b/data.pkl", object}})),
             Contains("more than one data.pkl"));
  CHECK_THAT(written.refusal(test::zip_archive({{"a/data.pkl", object}, {"b/x", ""}})),
             Contains("\"b/x\" is not in the archive's directory"));
  CHECK_THAT(
      written.refusal(test::zip_archive({{"a/data.pkl", object}, {"a/constants.pkl", object}})),
      Contains("TorchScript"));
  CHECK_THAT(written.refusal(test::zip_archive({{"a/data.pkl", object}, {"a/byteorder", "big"}})),
             Contains("byte order is \"big\""));
  CHECK_THAT(written.refusal(test::zip_archive({{"a/data.pkl", object + "x"}})),
             Contains("1 bytes follow its pickle"));
  CHECK_THAT(written.refusal("<!DOCTYPE html><html></html>"), Contains("HTML"));
  CHECK_THAT(written.refusal("\x01\x02\x03"), Contains("unknown kind of file"));
  CHECK_THAT(written.refusal("\x80\x02N."), Contains("a pickle that torch.save() did not write"));
}

// The old form: magic, version, sizes, object, keys, and for each key a count and the elements.
std::string legacy_file(const std::string& object, const std::string& keys,
                        const std::string& data) {
  using std::literals::string_literals::operator""s;
  return "\x80\x02\x8a\x0al\xfc\x9c\x46\xf9 j\xa8P\x19.\x80\x02M\xe9\x03."s +
         test::whole_pickle(pickled_dict({{"little_endian", "\x88"}})) +
         test::whole_pickle(object) + test::whole_pickle(keys) + data;
}

TEST_CASE("the old form is read and checked to its last byte") {
  const Written written;
  const std::string object =
      pickled_dict({{"w", PickledTensor{.key = "94", .is_legacy = true}.bytes()}});
  const std::string keys = "](" + pickled("94") + "e";
  const std::string data = test::little_endian(uint64_t{6}) + six_floats();
  TorchSource source = written.source(legacy_file(object, keys, data));
  CHECK(read_f32(source, "w") == Floats{0, 1, 2, 3, 4, 5});
  CHECK_THAT(written.refusal(legacy_file(object, keys, data.substr(0, 31))),
             Contains("ends behind the end of the file"));
  CHECK_THAT(written.refusal(legacy_file(object, keys, data + "x")), Contains("1 bytes follow"));
  CHECK_THAT(written.refusal(legacy_file(object, "]", "")), Contains("\"94\" is not in the file"));
  CHECK_THAT(written.refusal(legacy_file(object, "](" + pickled("5") + "e", data)),
             Contains("a storage that no tensor uses"));
  CHECK_THAT(written.refusal(legacy_file(object, keys, std::string(8, '\xff'))),
             Contains("ends behind"));
  const std::string cut = legacy_file(object, keys, data);
  CHECK_THAT(written.refusal(cut.substr(0, 60)), Contains("within an object"));
}

TEST_CASE("more tensors than the limit are refused before they are read") {
  const Written written;
  test::put_file(written.path, torch_archive(pickled_dict({{"w", PickledTensor{}.bytes()}}),
                                             {{"0", six_floats()}}));
  const auto open_small = [&] { TorchSource(FileReader(written.path), {.max_model_bytes = 20}); };
  CHECK_THAT(message_of<FormatError>(open_small), Contains("allowed are 20 bytes"));
}

}  // namespace
}  // namespace ebb
