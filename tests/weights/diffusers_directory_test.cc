#include "weights/diffusers_directory.h"

#include <filesystem>

#include "base/error.h"
#include "testing/catch.h"
#include "testing/errors.h"
#include "testing/temp_dir.h"

namespace ebb {
namespace {

namespace fs = std::filesystem;

using Catch::Matchers::Contains;
using test::message_of;
using test::TempDir;

const std::string kUNet = R"({"_class_name": "UNet2DModel"})";
const std::string kScheduler = R"({"_class_name": "DDPMScheduler"})";
const std::string kPipeline = R"({
  "_class_name": "DDPMPipeline",
  "_diffusers_version": "0.42.1",
  "scheduler": ["diffusers", "DDPMScheduler"],
  "unet": ["diffusers", "UNet2DModel"],
  "safety_checker": [null, null]
})";

struct Model {
  TempDir dir;

  void put(const std::string& name, const std::string& content) const {
    fs::create_directories(fs::path(dir / name).parent_path());
    test::put_file(dir / name, content);
  }
  DiffusersDirectory read() const { return read_diffusers_directory(dir.path()); }
  std::string refusal() const {
    return message_of<FormatError>([&] { read(); });
  }
};

TEST_CASE("components lie in directories of their own") {
  const Model model;
  model.put("model_index.json", kPipeline);
  model.put("unet/config.json", kUNet);
  model.put("scheduler/scheduler_config.json", R"({"_class_name": "DDIMScheduler"})");
  const DiffusersDirectory directory = model.read();
  CHECK(directory.pipeline_class == "DDPMPipeline");
  CHECK(directory.components.size() == 2);
  CHECK(directory.require("unet").directory == model.dir / "unet");
  CHECK(directory.require("unet").config_path == model.dir / "unet/config.json");
  CHECK(directory.require("scheduler").class_name == "DDIMScheduler");  // the file's own
  CHECK(directory.find("safety_checker") == nullptr);
  CHECK_THAT(message_of<FormatError>([&] { directory.require("text_encoder"); }),
             Contains("has no text_encoder, DDPMPipeline has none"));
}

TEST_CASE("all files may lie side by side") {
  const Model model;
  model.put("model_index.json", kPipeline);
  model.put("config.json", kUNet);
  model.put("scheduler_config.json", kScheduler);
  const DiffusersDirectory directory = model.read();
  CHECK(directory.require("unet").directory == model.dir.path());
  CHECK(directory.require("scheduler").config_path == model.dir / "scheduler_config.json");
}

TEST_CASE("a component may come by itself, with a scheduler beside it") {
  const Model model;
  model.put("unet/config.json", kUNet);
  model.put("scheduler/scheduler_config.json", kScheduler);
  const DiffusersDirectory directory = read_diffusers_directory(model.dir / "unet");
  CHECK(directory.pipeline_class.empty());
  CHECK(directory.require("unet").class_name == "UNet2DModel");
  CHECK(directory.require("scheduler").class_name == "DDPMScheduler");
  CHECK(read_diffusers_directory(model.dir / "unet/").find("scheduler") != nullptr);
}

TEST_CASE("transformers names the class in a list") {
  const Model model;
  model.put("config.json", R"({"architectures": ["T5EncoderModel"], "d_model": 8})");
  CHECK(model.read().require("text_encoder").class_name == "T5EncoderModel");
}

TEST_CASE("what is missing is named with the places that were looked at") {
  const Model model;
  CHECK_THAT(model.refusal(), Contains("no model_index.json and no config.json"));
  CHECK_THAT(message_of<IoError>([&] { read_diffusers_directory(model.dir / "none"); }),
             Contains("/none: no such directory"));
  model.put("model_index.json", kPipeline);
  model.put("scheduler/scheduler_config.json", kScheduler);
  CHECK_THAT(
      message_of<FormatError>([&] { model.read().require("unet"); }),
      Contains("unet (UNet2DModel) is missing, looked for unet/config.json and config.json"));
  fs::create_directory(model.dir / "unet");
  CHECK_THAT(message_of<FormatError>([&] { model.read().require("unet"); }),
             Contains("unet (UNet2DModel) is missing"));
  // Beside the index, but of another component.
  fs::remove(model.dir / "unet");
  model.put("config.json", R"({"_class_name": "AutoencoderKL"})");
  CHECK_FALSE(model.read().find("unet")->is_present());
}

TEST_CASE("damaged configs are refused by name") {
  const Model model;
  model.put("model_index.json", "{");
  CHECK_THAT(model.refusal(), Contains("model_index.json: is not valid JSON"));
  model.put("model_index.json", "[1]");
  CHECK_THAT(model.refusal(), Contains("model_index.json: holds array, expected a JSON object"));
  model.put("model_index.json", "version https://git-lfs.github.com/spec/v1\nsize 7\n");
  CHECK_THAT(model.refusal(), Contains("Git LFS pointer"));
  model.put("model_index.json", "<html><body>403</body></html>");
  CHECK_THAT(model.refusal(), Contains("HTML"));
  model.put("model_index.json", R"({"../x": ["diffusers", "UNet2DModel"]})");
  CHECK_THAT(model.refusal(), Contains("component \"../x\" is no name of a directory"));
}

TEST_CASE("what diffusers saved is understood") {
  const DiffusersDirectory directory = read_diffusers_directory("tests/golden/checkpoints/ddpm");
  CHECK(directory.pipeline_class == "DDPMPipeline");
  CHECK(directory.require("unet").class_name == "UNet2DModel");
  CHECK(directory.require("scheduler").class_name == "DDPMScheduler");
}

}  // namespace
}  // namespace ebb
