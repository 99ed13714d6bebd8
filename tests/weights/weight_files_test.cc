#include "weights/weight_files.h"

#include <filesystem>

#include "base/error.h"
#include "testing/catch.h"
#include "testing/errors.h"
#include "testing/temp_dir.h"

namespace ebb {
namespace {

using Catch::Matchers::Contains;
using test::message_of;
using test::TempDir;

const std::string kStem = "diffusion_pytorch_model";

// The name of the file that is chosen among these.
std::string chosen(const std::vector<std::string>& names, const std::string& variant = "") {
  const TempDir dir;
  for (const std::string& name : names) test::put_file(dir / name, "x");
  return std::filesystem::path(find_weight_files(dir.path(), variant).path).filename().string();
}

TEST_CASE("plain safetensors come first, then the only variant, then pickles") {
  const std::string plain = kStem + ".safetensors", half = kStem + ".fp16.safetensors";
  const std::string bin = kStem + ".bin", half_bin = kStem + ".fp16.bin";
  CHECK(chosen({half_bin, bin, half, plain}) == plain);
  CHECK(chosen({half_bin, bin, half}) == half);
  CHECK(chosen({half_bin, bin}) == bin);
  CHECK(chosen({half_bin}) == half_bin);
  CHECK(chosen({plain, half}, "fp16") == half);
  CHECK(chosen({plain, half_bin}, "fp16") == half_bin);
  CHECK(chosen({plain}, "fp16") == plain);
  CHECK(chosen({"model.safetensors"}) == "model.safetensors");
  CHECK(chosen({"pytorch_model.bin", "model.safetensors"}) == "model.safetensors");
  CHECK(chosen({"pytorch_model.bin"}) == "pytorch_model.bin");
}

TEST_CASE("the index of a variant is found under all three names, and that of pickles") {
  for (const std::string name :
       {".safetensors.index.json", ".safetensors.index.fp16.json", ".safetensors.fp16.index.json",
        ".fp16.safetensors.index.json", ".bin.index.json", ".bin.index.fp16.json"}) {
    CHECK(chosen({kStem + name, kStem + "-00001-of-00002.safetensors",
                  kStem + ".fp16-00001-of-00002.safetensors"}) == kStem + name);
  }
}

TEST_CASE("a choice that is not plain is told") {
  const TempDir dir;
  test::put_file(dir / (kStem + ".safetensors"), "x");
  CHECK(find_weight_files(dir.path()).notes.empty());
  test::put_file(dir / (kStem + ".safetensors.index.json"), "{}");
  const WeightFiles both = find_weight_files(dir.path());
  CHECK(both.path == dir / (kStem + ".safetensors"));
  REQUIRE(both.notes.size() == 1);
  CHECK_THAT(both.notes[0], Contains("index.json\", reads the first"));
  std::filesystem::remove(dir / (kStem + ".safetensors"));
  std::filesystem::remove(dir / (kStem + ".safetensors.index.json"));
  test::put_file(dir / (kStem + ".fp16.safetensors"), "x");
  const WeightFiles half = find_weight_files(dir.path());
  CHECK(half.variant == "fp16");
  REQUIRE(half.notes.size() == 1);
  CHECK_THAT(half.notes[0], Contains("reads the variant fp16, there is no plain file"));
}

TEST_CASE("several variants without a plain file need --variant") {
  const auto message = [](const std::string& variant) {
    return message_of<UsageError>([&] {
      chosen({kStem + ".fp16.safetensors", kStem + ".bf16.safetensors"}, variant);
    });
  };
  CHECK_THAT(message(""), Contains("holds the variants bf16, fp16 and no plain file. Choose one"));
  CHECK_THAT(message("ema"), Contains("but no ema. Choose one with --variant"));
  CHECK(chosen({kStem + ".fp16.safetensors", kStem + ".bf16.safetensors"}, "bf16") ==
        kStem + ".bf16.safetensors");
}

TEST_CASE("what lies there instead of weights is named") {
  const auto message = [](const std::vector<std::string>& names) {
    return message_of<FormatError>([&] { chosen(names); });
  };
  CHECK_THAT(message({}), Contains("no weights, looked for diffusion_pytorch_model.safetensors"));
  CHECK_THAT(message({kStem + "-00001-of-00002.safetensors"}), Contains("without their index"));
  CHECK_THAT(message({"x.incomplete"}), Contains("unfinished download"));
  CHECK_THAT(message({"model.onnx"}), Contains("of another framework"));
  CHECK_THAT(message({kStem + ".a.b.safetensors", "other.safetensors"}), Contains("no weights"));
  const TempDir dir;
  std::filesystem::create_symlink("nowhere", dir / (kStem + ".safetensors"));
  CHECK_THAT(message_of<FormatError>([&] { find_weight_files(dir.path()); }),
             Contains("is a link to a file that is not there"));
  CHECK_THAT(message_of<IoError>([&] { find_weight_files(dir / "none"); }),
             Contains("cannot be read"));
}

}  // namespace
}  // namespace ebb
