#include <cmath>
#include <nlohmann/json.hpp>
#include <sstream>

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
};

Output inspect(std::vector<std::string> arguments) {
  std::ostringstream out, err;
  arguments.insert(arguments.begin(), {"ebb", "inspect"});
  run_command({.arguments = arguments, .out = out, .err = err});
  return {out.str(), err.str()};
}

std::string refusal(const std::vector<std::string>& arguments) {
  return test::message_of<FormatError>([&] { inspect(arguments); });
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

TEST_CASE("inspect believes the name of a file that its content contradicts") {
  const TempDir dir;
  put_file(dir / "x-images-idx3-ubyte", labels_file("\1"));
  CHECK_THAT(refusal({dir / "x-images-idx3-ubyte"}), Contains("(an IDX label file), expected"));
  put_file(dir / "m.safetensors", images_file(1));
  CHECK_THAT(refusal({dir / "m.safetensors"}), Contains("is an IDX image file of 800 bytes"));
}

TEST_CASE("inspect describes images and refuses what it does not know") {
  const TempDir dir;
  write_png(dir / "x.png", make_image(12, 9, 3));
  CHECK_THAT(inspect({dir / "x.png"}).text, Contains("12 x 9 pixels, 8-bit RGB"));
  put_file(dir / "x.gif", "GIF89a");
  CHECK_THAT(refusal({dir / "x.gif"}), Contains("this is a GIF image of 6 bytes, expected a "));
  put_file(dir / "x", "\x12\x34");
  CHECK_THAT(refusal({dir / "x"}), Contains("/x: unknown kind of file, expected a safetensors"));
  CHECK_THAT(refusal({dir.path()}), Contains("is a directory"));
}

}  // namespace
}  // namespace ebb
