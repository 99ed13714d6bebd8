#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <sstream>

#include "apps/cli/cli.h"
#include "apps/ebb/commands.h"
#include "base/error.h"
#include "image/png.h"
#include "testing/catch.h"
#include "testing/errors.h"
#include "testing/temp_dir.h"
#include "weights/safetensors.h"

namespace ebb {
namespace {

using Catch::Matchers::Contains;
using test::put_file;
using test::TempDir;

struct Output {
  std::string text;      // of standard output
  std::string warnings;  // of standard error
  int code = 0;
};

Output inspect(std::vector<std::string> arguments) {
  std::ostringstream out, err;
  arguments.insert(arguments.begin(), {"ebb", "inspect"});
  int code = 0;
  try {
    run_command({.arguments = arguments, .out = out, .err = err});
  } catch (const ExitWith& exit) {
    code = exit.code;
  }
  return {out.str(), err.str(), code};
}

// The error of a file that is damaged or of no use.
std::string refusal(const std::vector<std::string>& arguments) {
  const Output output = inspect(arguments);
  CHECK(output.code == 3);
  const size_t start = output.warnings.find("error: ");
  return start == std::string::npos ? "" : output.warnings.substr(start);
}

std::string labels_file(std::string_view values) {
  return std::string("\0\0\x08\x01\0\0\0", 7) + static_cast<char>(values.size()) +
         std::string(values);
}

std::string images_file(char count) {
  const std::string header("\0\0\x08\x03\0\0\0\0\0\0\0\x1c\0\0\0\x1c", 16);
  std::string bytes = header + std::string(static_cast<size_t>(count) * 784, 'x');
  bytes[7] = count;
  return bytes;
}

TEST_CASE("inspect lists the tensors, metadata and digests of a safetensors file") {
  const TempDir dir;
  const std::vector<float> values = {1.0f, std::nanf(""), INFINITY, -INFINITY};
  save_safetensors(dir / "m.safetensors",
                   {{"a.weight", StDType::kF32, {2, 2}, values.data()},
                    {"bell\a", StDType::kU8, {3}, values.data()}},
                   {{"model", "test"}});
  const Output output = inspect({dir / "m.safetensors"});
  CHECK_THAT(output.text, Contains("/m.safetensors: safetensors, 2 tensors, file of "));
  CHECK_THAT(output.text, Contains("its own digest: verified\n"));
  CHECK_THAT(output.text, Contains("    model: test\n"));
  CHECK_THAT(output.text, Contains("a.weight  F32       [2,2]  16 bytes  sha256 "));
  CHECK_THAT(output.text, Contains("bell\\x07"));
  CHECK_THAT(output.text, Contains("  1 NaN  2 infinite\n"));
  CHECK_THAT(output.warnings, Contains("tensor \"a.weight\" holds 1 NaN and 2 infinite values"));

  const auto json = nlohmann::json::parse(inspect({"--json", dir / "m.safetensors"}).text);
  const auto& file = json["files"][0];
  CHECK(file["kind"] == "safetensors");
  CHECK(file["digest"] == "verified");
  CHECK(file["metadata"]["model"] == "test");
  CHECK(file["tensors"][0]["name"] == "a.weight");
  CHECK(file["tensors"][0]["shape"] == nlohmann::json({2, 2}));
  CHECK(file["tensors"][0]["nan"] == 1);
  CHECK(file["tensors"][1]["sha256"].get<std::string>().size() == 64);
}

TEST_CASE("inspect reads all the data, not only the header") {
  const TempDir dir;
  const std::vector<float> values(4);
  save_safetensors(dir / "m", {{"t", StDType::kF32, {4}, values.data()}}, {});
  std::string bytes = test::get_file(dir / "m");
  bytes.back() ^= 1;
  put_file(dir / "m", bytes);
  CHECK_THAT(refusal({dir / "m"}), Contains("/m: SHA-256 is "));
}

TEST_CASE("inspect honours the limit on the size of a model") {
  const TempDir dir;
  const std::vector<char> values(3000);
  save_safetensors(dir / "m", {{"t", StDType::kU8, {3000}, values.data()}}, {});
  CHECK_THAT(refusal({dir / "m", "--max-model-bytes", "2KiB"}), Contains("allowed are 2048 bytes"));
  CHECK_NOTHROW(inspect({dir / "m", "--max-model-bytes", "3KiB"}));
}

TEST_CASE("inspect counts labels and finds them beside their images") {
  const TempDir dir;
  const std::string images = dir / "t10k-images-idx3-ubyte";
  const std::string labels = dir / "t10k-labels-idx1-ubyte";
  put_file(images, images_file(3));
  CHECK_THAT(inspect({images}).text,
             Contains("3 IDX images of 28 x 28 pixels, file of 2368 bytes"));
  put_file(labels, labels_file("\1\2\1"));
  CHECK_THAT(inspect({images}).text, Contains("as many labels in " + labels));
  CHECK_THAT(inspect({labels}).text, Contains("3 IDX labels") && Contains("  label 1: 2\n"));
  put_file(labels, labels_file("\1\2"));
  CHECK_THAT(refusal({images}), Contains("ubyte: holds 3 images, but " + labels + " holds 2"));
  put_file(labels, "no labels");
  CHECK_THAT(refusal({images}), Contains(images + ": its labels cannot be used: " + labels));
}

TEST_CASE("one image file and one label file on the command line are a pair") {
  const TempDir dir;
  put_file(dir / "a", images_file(3));
  put_file(dir / "b", labels_file("\1\2"));
  CHECK_NOTHROW(inspect({dir / "a"}));
  CHECK_THAT(refusal({dir / "b", dir / "a"}), Contains("/a: holds 3 images, but "));
}

TEST_CASE("inspect goes by the contents of a file, and says when its name is another's") {
  const TempDir dir;
  put_file(dir / "x-images-idx3-ubyte", labels_file("\1"));
  const Output labels = inspect({dir / "x-images-idx3-ubyte"});
  CHECK_THAT(labels.text, Contains("1 IDX labels"));
  CHECK_THAT(labels.warnings, Contains("this is an IDX label file, its name is that of"));
  write_png(dir / "photo.jpg", make_image(12, 9, 3));
  const Output photo = inspect({dir / "photo.jpg"});
  CHECK(photo.code == 0);
  CHECK_THAT(photo.text, Contains("PNG image, 12 x 9 pixels"));
  CHECK_THAT(photo.warnings,
             Contains("/photo.jpg: this is a PNG image, its name is that of a JPEG image."));
  // Contents that say nothing: the reader that the name promises says what is missing.
  put_file(dir / "x.png", "x");
  CHECK_THAT(refusal({dir / "x.png"}), Contains("not a PNG image"));
  put_file(dir / "m.safetensors", "PK\3\4");
  CHECK_THAT(refusal({dir / "m.safetensors"}), Contains("ZIP archive"));
}

TEST_CASE("inspect describes images and refuses what it does not know") {
  const TempDir dir;
  write_png(dir / "x.png", make_image(12, 9, 3));
  CHECK_THAT(inspect({dir / "x.png"}).text, Contains("12 x 9 pixels, 8-bit RGB"));
  put_file(dir / "x.gif", "GIF89a");
  CHECK_THAT(refusal({dir / "x.gif"}), Contains("/x.gif: ends at byte 6"));
  put_file(dir / "x.pgm", "P5 2 1 255\nab");
  CHECK_THAT(inspect({dir / "x.pgm"}).text, Contains("PNM image, 2 x 1 pixels, 8-bit gray, 13 b"));
  put_file(dir / "x", "\x12\x34");
  CHECK_THAT(refusal({dir / "x"}), Contains("/x: unknown kind of file, expected weights"));
  CHECK_THAT(refusal({dir / "x"}), Contains("weights (safetensors or PyTorch's)"));
}

TEST_CASE("inspect lists a file of torch.save() and says where its tensors are") {
  const std::string path = "tests/golden/checkpoints/training.pt";
  const Output output = inspect({path});
  CHECK(output.code == 0);
  CHECK_THAT(output.text, Contains("PyTorch weights, 13 tensors under \"model_state_dict\""));
  CHECK_THAT(output.text, Contains("transposed     F32       [6,4]  96 bytes  sha256 "));
  const auto json = nlohmann::json::parse(inspect({"--json", path}).text)["files"][0];
  CHECK(json["kind"] == "torch");
  CHECK(json["container"] == "model_state_dict");
  CHECK(json["sha256"].get<std::string>().size() == 64);
  CHECK_THAT(refusal({"tests/golden/checkpoints/whole_module.pth"}),
             Contains("this is a whole pickled module"));
}

TEST_CASE("inspect checks an index with its shards, and the config of a network") {
  const std::string dir = "tests/golden/checkpoints/fp16_shards/";
  const Output index = inspect({dir + "diffusion_pytorch_model.safetensors.index.fp16.json"});
  CHECK(index.code == 0);
  CHECK_THAT(index.text, Contains("index of shards, "));
  CHECK_THAT(index.text, Contains("  shard diffusion_pytorch_model.fp16-00001-of-00004"));
  const Output config = inspect({dir + "config.json"});
  CHECK_THAT(config.text, Contains("UNet2DModel, file of ") &&
                              Contains("2 levels of 8, 16 channels, 3 in, 3 out, for 8 x 8"));
  const TempDir empty;
  put_file(empty / "config.json", R"({"_class_name": "AutoencoderKL"})");
  CHECK_THAT(refusal({empty / "config.json"}), Contains("\"AutoencoderKL\""));
  put_file(empty / "m.safetensors.index.json", R"({"weight_map": {"a": "none"}})");
  CHECK_THAT(refusal({empty / "m.safetensors.index.json"}), Contains("\"none\", is missing"));
}

TEST_CASE("inspect says what would be loaded from a directory") {
  const std::string root = "tests/golden/checkpoints/";
  const Output pipeline = inspect({root + "ddpm"});
  CHECK(pipeline.code == 0);
  CHECK_THAT(pipeline.text, Contains("checkpoints/ddpm: DDPMPipeline\n"));
  CHECK_THAT(pipeline.text, Contains("unet            UNet2DModel, 2 levels of 8, 16 channels"));
  CHECK_THAT(pipeline.text, Contains("    unet/diffusion_pytorch_model.safetensors: 1"));
  CHECK_THAT(pipeline.text, Contains("scheduler       DDPMScheduler\n"));

  const Output shards = inspect({root + "fp16_shards"});
  CHECK_THAT(shards.text, Contains("variant fp16"));
  CHECK_THAT(shards.warnings, Contains("reads the variant fp16, there is no plain file"));
  const auto json = nlohmann::json::parse(inspect({"--json", root + "bin"}).text)["files"][0];
  CHECK(json["kind"] == "directory");
  CHECK(json["components"][0]["weights"] == root + "bin/diffusion_pytorch_model.bin");

  const TempDir dir;
  CHECK_THAT(refusal({dir.path()}), Contains("no weights, looked for"));
  put_file(dir / "model.safetensors", "<html></html>");
  CHECK_THAT(refusal({dir.path()}), Contains("HTML"));
}

TEST_CASE("inspect finds a name in the Hugging Face cache") {
  const TempDir cache;
  const std::string commit(40, 'a');
  const std::string repository = cache / "models--owner--name";
  namespace fs = std::filesystem;
  fs::create_directories(repository + "/refs");
  fs::create_directories(repository + "/snapshots");
  put_file(repository + "/refs/main", commit);
  fs::copy("tests/golden/checkpoints/ddpm", repository + "/snapshots/" + commit,
           fs::copy_options::recursive);
  ::setenv("HF_HUB_CACHE", cache.path().c_str(), 1);
  const Output found = inspect({"owner/name"});
  const Output missing = inspect({"owner/other"});
  ::unsetenv("HF_HUB_CACHE");
  CHECK(found.code == 0);
  CHECK_THAT(found.text, Contains("DDPMPipeline"));
  CHECK(missing.code == 4);
  CHECK_THAT(missing.warnings, Contains("hf download owner/other"));
}

TEST_CASE("inspect reports every file and ends with the code of the first bad one") {
  const TempDir dir;
  write_png(dir / "a.png", make_image(3, 3, 1));
  put_file(dir / "b.png", "x");
  write_png(dir / "c.png", make_image(5, 5, 1));
  const std::vector<std::string> files = {dir / "a.png", dir / "b.png", dir / "none.png",
                                          dir / "c.png"};
  const Output text = inspect(files);
  CHECK(text.code == 3);
  CHECK_THAT(text.text, Contains("/a.png: ") && Contains("/c.png: "));
  CHECK_THAT(text.warnings, Contains("/b.png: not a PNG") && Contains("/none.png: no such file"));
  std::vector<std::string> arguments = {"--json"};
  arguments.insert(arguments.end(), files.begin(), files.end());
  const auto json = nlohmann::json::parse(inspect(arguments).text);
  REQUIRE(json["files"].size() == 4);
  CHECK(json["files"][0]["kind"] == "png");
  CHECK(json["files"][1]["error"]["code"] == 3);
  CHECK(json["files"][2]["error"]["kind"] == "io");
  CHECK(json["files"][3]["kind"] == "png");
  CHECK(json["error"] == json["files"][1]["error"]);
  CHECK(inspect({dir / "none.png", dir / "b.png"}).code == 4);
}

}  // namespace
}  // namespace ebb
