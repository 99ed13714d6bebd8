#include "diffusion/model_file.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <limits>

#include "diffusion/find_model.h"
#include "diffusion/model.h"
#include "engine/executor.h"
#include "nn/eager_ops.h"
#include "nn/graph_builder.h"
#include "testing/catch.h"
#include "testing/contexts.h"
#include "testing/errors.h"
#include "testing/networks.h"
#include "testing/temp_dir.h"
#include "weights/digest.h"
#include "weights/safetensors.h"

namespace ebb {
namespace {

using Catch::Matchers::Contains;
using Metadata = std::map<std::string, std::string>;

struct Saved {
  test::TempDir dir;
  std::unique_ptr<Context> context = test::cpu_context();
  Network network = make_network(test::mnist_config("class", "add", 4), "test");
  TensorMap params = test::random_params(*context, network, 1);
  Objective objective;
  std::string path = dir / "model.safetensors";

  void save(DType storage = DType::kF32, const Metadata& extra = {}) {
    save_model(path, network, objective, params, extra, storage);
  }
  std::string load_error() {
    return test::message_of<FormatError>([&] { Model::load(*context, path); });
  }

  // The saved file again, with its metadata or tensors changed.
  template <typename Change>
  void rewrite(const Change& change) {
    std::vector<TensorToSave> tensors;
    std::vector<std::vector<char>> data;
    Metadata metadata;
    {
      const SafetensorsFile file = SafetensorsFile::open(path);
      metadata = file.metadata();
      for (const TensorEntry& entry : file.entries()) {
        data.emplace_back(entry.bytes());
        file.read(entry, data.back().data());
        tensors.push_back({entry.name, entry.dtype, entry.shape, data.back().data()});
      }
    }
    metadata.erase(kDigestKey);
    metadata.erase(kDigestScopeKey);
    change(metadata, tensors);
    save_safetensors(path, tensors, metadata);
  }
};

TEST_CASE("a saved model comes back bit for bit with everything that goes with it") {
  Saved model;
  model.objective = {.type = ObjectiveType::kDdpm, .timesteps = 200};
  model.save(DType::kF32, {{"ebb.command", "train_mnist"}, {"ebb.seed", "7"}});
  const Model loaded = Model::load(*model.context, model.path);
  CHECK(loaded.network.config == model.network.config);
  CHECK(loaded.objective == model.objective);
  CHECK(loaded.metadata.at("format") == "pt");
  CHECK(loaded.metadata.at("ebb.format") == "1");
  CHECK(loaded.metadata.at("ebb.command") == "train_mnist");
  CHECK(loaded.metadata.at("ebb.seed") == "7");
  CHECK(loaded.sha256 == sha256_hex(FileReader(model.path)));
  CHECK(loaded.warnings.empty());
  REQUIRE(loaded.params.size() == model.params.size());
  for (const auto& [name, value] : model.params) {
    INFO(name);
    CHECK(test::compare_bits(loaded.params.at(name), value) == "");
  }
}

TEST_CASE("the file holds PyTorch's shapes and the running statistics") {
  Saved model;
  model.save();
  const SafetensorsFile file = SafetensorsFile::open(model.path);
  const auto shape = [&](const char* name) { return file.find(name)->shape; };
  CHECK(shape("down2.down.conv.weight") == std::vector<uint64_t>{8, 4, 3, 3});
  CHECK(shape("up1.up.conv.weight") == std::vector<uint64_t>{16, 4, 4, 4});  // [in, out, k, k]
  CHECK(shape("time1.fc1.weight") == std::vector<uint64_t>{8, 1});
  CHECK(shape("unflatten.bn.running_var") == std::vector<uint64_t>{8});
  CHECK(file.entries().size() == list_params(model.network).size());
}

TEST_CASE("f16 storage rounds the weights and keeps the vectors") {
  Saved model;
  model.save(DType::kF16);
  const SafetensorsFile file = SafetensorsFile::open(model.path);
  const Model loaded = Model::load(*model.context, model.path);
  for (const ParamSpec& spec : list_params(model.network)) {
    INFO(spec.name);
    const Tensor &actual = loaded.params.at(spec.name), &exact = model.params.at(spec.name);
    const StDType stored = file.find(spec.name)->dtype;
    if (spec.shape.rank() == 1) {
      CHECK(stored == StDType::kF32);
      CHECK(test::compare_bits(actual, exact) == "");
    } else {
      CHECK(stored == StDType::kF16);
      CHECK(test::compare(actual.to_host(), test::to_double(exact.to_host()),
                          {.absolute = 0x1p-25, .relative = 0x1p-11}) == "");
    }
  }
}

// The file again with its weights in another type.
void store_weights_as_bf16(Saved& model) {
  std::vector<std::vector<uint16_t>> narrow;
  model.rewrite([&](Metadata&, std::vector<TensorToSave>& tensors) {
    for (TensorToSave& tensor : tensors) {
      if (tensor.shape.size() < 2) continue;
      uint64_t count = 1;
      for (const uint64_t dim : tensor.shape) count *= dim;
      const auto* values = static_cast<const float*>(tensor.data);
      narrow.emplace_back(count);
      std::transform(values, values + count, narrow.back().begin(), f32_to_bf16);
      tensor.dtype = StDType::kBF16;
      tensor.data = narrow.back().data();
    }
  });
}

TEST_CASE("a model keeps the type of its file and computes with the same bits") {
  Saved saved;
  const DType dtype = GENERATE(DType::kF32, DType::kF16, DType::kBF16);
  CAPTURE(to_string(dtype));
  saved.save(dtype == DType::kF16 ? DType::kF16 : DType::kF32);
  if (dtype == DType::kBF16) store_weights_as_bf16(saved);
  Context& context = *saved.context;
  Model model = Model::load(context, saved.path);
  TensorMap wide;
  for (const auto& [name, tensor] : model.params) {
    CHECK(tensor.dtype() == (tensor.shape().rank() > 1 ? dtype : DType::kF32));
    wide[name] = test::tensor_of(context, tensor.shape(), tensor.to_host());
  }
  const auto run = [&](TensorMap params) {
    Executor executor(context, inference_graph(model.network, 2, context), std::move(params));
    for (const auto& [name, value] : test::random_inputs(context, model.network, 2, 3)) {
      executor.set_input(name, value);
    }
    return executor.run();
  };
  const Tensor expected = run(wide);
  CHECK(test::compare_bits(run(model.params), expected) == "");
  EagerOps ops(context, model.params);
  const TensorMap inputs = test::random_inputs(context, model.network, 2, 3);
  const Tensor eager = ops.tensor(test::forward(ops, model.network, inputs));
  EagerOps wide_ops(context, wide);
  CHECK(test::compare_bits(eager,
                           wide_ops.tensor(test::forward(wide_ops, model.network, inputs))) == "");
  CHECK(test::compare_bits(run(std::move(model.params)), expected) == "");
}

TEST_CASE("a weight beyond f16 is an error, and no file appears") {
  Saved model;
  model.params.at("out.weight").data<float>()[0] = 1e6f;
  const std::string message = test::message_of<UsageError>([&] { model.save(DType::kF16); });
  CHECK_THAT(message, Contains("out.weight") && Contains("65504"));
  CHECK(model.dir.count() == 0);
}

TEST_CASE("a state dict with batch counters, as PyTorch writes it, loads") {
  Saved model;
  model.save();
  const int64_t batches = 12;
  model.rewrite([&](Metadata&, std::vector<TensorToSave>& tensors) {
    tensors.push_back({"unflatten.bn.num_batches_tracked", StDType::kI64, {}, &batches});
  });
  const Model loaded = Model::load(*model.context, model.path);
  CHECK(loaded.params.size() == model.params.size());
}

TEST_CASE("the prefixes of PyTorch's wrappers are taken off when every name has them") {
  for (const char* prefix : {"module.", "_orig_mod.", "module._orig_mod.", "_orig_mod.module."}) {
    Saved model;
    model.save();
    const int64_t averaged = 3;
    model.rewrite([&](Metadata&, std::vector<TensorToSave>& tensors) {
      for (TensorToSave& tensor : tensors) tensor.name.insert(0, prefix);
      tensors.push_back({"n_averaged", StDType::kI64, {}, &averaged});  // AveragedModel
    });
    const Model loaded = Model::load(*model.context, model.path);
    for (const auto& [name, value] : model.params) {
      CHECK(test::compare_bits(loaded.params.at(name), value) == "");
    }
  }
  Saved model;
  model.save();
  model.rewrite([](Metadata&, std::vector<TensorToSave>& tensors) {
    tensors.front().name.insert(0, "module.");
  });
  CHECK_THAT(model.load_error(), Contains("unexpected: \"module."));
}

TEST_CASE("a training checkpoint is the model that it would become") {
  for (const bool averages : {false, true}) {
    Saved model;
    model.objective = {.type = ObjectiveType::kFlow};
    model.save();
    std::vector<std::vector<float>> others;
    model.rewrite([&](Metadata& metadata, std::vector<TensorToSave>& tensors) {
      const std::vector<TensorToSave> params = tensors;
      for (const TensorToSave& param : params) {
        size_t elements = 1;
        for (const uint64_t dim : param.shape) elements *= dim;
        others.emplace_back(elements, 7.0f);
        if (averages) {
          tensors.push_back(param);
          tensors.back().name.insert(0, "ema.");
        }
        for (const char* moment : {"adam_m.", "adam_v."}) {
          tensors.push_back({moment + param.name, param.dtype, param.shape, others.back().data()});
        }
        if (!averages) continue;
        const auto weights = std::find_if(tensors.begin(), tensors.end(), [&](const auto& tensor) {
          return tensor.name == param.name;
        });
        weights->data = others.back().data();
      }
      metadata["ebb.kind"] = "training checkpoint";
      metadata["ebb.config"] = R"({"objective": {"type": "flow"}, "hidden": 4})";
      metadata["ebb.progress"] = R"({"step": 12})";
      metadata.erase("ebb.objective");
    });
    const Model loaded = Model::load(*model.context, model.path);
    CHECK(loaded.objective == model.objective);
    CHECK(loaded.metadata.at("ebb.note") == "checkpoint of step 12");
    CHECK_FALSE(loaded.metadata.contains("ebb.kind"));
    REQUIRE(loaded.params.size() == model.params.size());
    for (const auto& [name, value] : model.params) {
      CHECK(test::compare_bits(loaded.params.at(name), value) == "");
    }
    model.rewrite([](Metadata& metadata, std::vector<TensorToSave>&) {
      metadata["ebb.config"] = R"({"objective": [[]]})";
    });
    CHECK_THAT(model.load_error(), Contains("training checkpoint whose config"));
  }
}

TEST_CASE("a directory of a run is its model, else its newest checkpoint") {
  const test::TempDir dir;
  const std::string run = dir / "run";
  std::filesystem::create_directory(run);
  CHECK_THAT(test::message_of<IoError>([&] { find_model(run); }),
             Contains("is a directory without model.safetensors"));
  for (const char* name : {"checkpoint-00000009.safetensors", "checkpoint-00000100.safetensors",
                           "checkpoint-best.safetensors"}) {
    test::put_file(run + "/" + name, "x");
  }
  CHECK(find_model(run) == run + "/checkpoint-00000100.safetensors");
  test::put_file(run + "/model.safetensors", "x");
  CHECK(find_model(run) == run + "/model.safetensors");
}

TEST_CASE("values that are no numbers load with a warning") {
  Saved model;
  model.params.at("out.bias").data<float>()[0] = std::numeric_limits<float>::quiet_NaN();
  model.save();
  const Model loaded = Model::load(*model.context, model.path);
  REQUIRE(loaded.warnings.size() == 1);
  CHECK_THAT(loaded.warnings[0], Contains("out.bias") && Contains("1 NaN"));
}

TEST_CASE("a file without ebb's metadata is refused with what is missing") {
  for (const char* key : {"ebb.format", "ebb.model", "ebb.objective"}) {
    Saved model;
    model.save();
    model.rewrite([&](Metadata& metadata, std::vector<TensorToSave>&) { metadata.erase(key); });
    CHECK_THAT(model.load_error(), Contains(model.path) && Contains(key));
  }
}

TEST_CASE("a later format, another network and another objective are refused") {
  struct Bad {
    const char* key;
    const char* value;
    const char* message;
  };
  const std::vector<Bad> bad = {
      {"ebb.format", "2", "model format \"2\""},
      {"ebb.model", "{}", "\"name\""},
      {"ebb.model", R"({"name": "mnist_unet", "conditioning": "class", "hidden": 5})", "expected"},
      {"ebb.model", R"({"name": "mnist_unet", "conditioning": "time", "time_fusion": "add",
                        "hidden": 4})",
       "unexpected: \"class1.fc1.bias\""},
      {"ebb.objective", R"({"type": "denoise", "sigma": 0.5})", "takes it"},
      {"ebb.objective", R"({"type": "ddpm", "timesteps": -1})", "\"timesteps\" is -1"}};
  for (const Bad& b : bad) {
    Saved model;
    model.save();
    model.rewrite(
        [&](Metadata& metadata, std::vector<TensorToSave>&) { metadata[b.key] = b.value; });
    INFO(b.value);
    CHECK_THAT(model.load_error(), Contains(model.path) && Contains(b.message));
  }
}

TEST_CASE("integer weights are refused by name and type") {
  Saved model;
  model.save();
  const std::vector<int32_t> zeros(4);
  model.rewrite([&](Metadata&, std::vector<TensorToSave>& tensors) {
    for (TensorToSave& tensor : tensors) {
      if (tensor.name == "init_conv.conv1.conv.bias") {
        tensor.dtype = StDType::kI32;
        tensor.data = zeros.data();
      }
    }
  });
  CHECK_THAT(model.load_error(), Contains("init_conv.conv1.conv.bias") && Contains("I32"));
}

TEST_CASE("damage is reported before its effects on the config") {
  for (const bool has_digest : {true, false}) {
    Saved model;
    model.save();
    std::string bytes = test::get_file(model.path);
    const std::string hidden = R"(\"hidden\":)";
    REQUIRE(bytes.find(hidden) != std::string::npos);
    const size_t place = bytes.find_first_not_of(' ', bytes.find(hidden) + hidden.size());
    REQUIRE(bytes[place] == '4');
    bytes[place] = '5';
    for (const char* key : {kDigestKey, kDigestScopeKey}) {
      if (!has_digest) bytes.replace(bytes.find(std::string("\"") + key + '"') + 1, 3, "abc");
    }
    test::put_file(model.path, bytes);
    CHECK_THAT(model.load_error(), Contains(has_digest ? "SHA-256 is " : "of another shape"));
  }
}

TEST_CASE("models are found by name") {
  Saved model;
  model.save();
  ::setenv("EBB_MODELS", model.dir.path().c_str(), 1);
  const Model loaded = Model::load(*model.context, "model");
  ::unsetenv("EBB_MODELS");
  CHECK(loaded.path == model.path);
  CHECK_THROWS_AS(Model::load(*model.context, "model-not-there"), IoError);
}

TEST_CASE("a changed byte is found by the digest") {
  Saved model;
  model.save();
  std::string bytes = test::get_file(model.path);
  bytes[bytes.size() - 3] ^= 1;
  test::put_file(model.path, bytes);
  CHECK_THAT(model.load_error(), Contains("SHA-256"));
}

TEST_CASE("a renamed pretrained model is found by both names") {
  const test::TempDir directory;
  const char* before = std::getenv("EBB_MODELS");
  const std::string kept = before == nullptr ? "" : before;
  ::setenv("EBB_MODELS", directory.path().c_str(), 1);
  for (const char* file : {"mnist-judge.safetensors", "mnist-classifier.safetensors"}) {
    test::put_file(directory / file, "");
    CHECK(find_model("mnist-classifier") == directory / file);
    CHECK(find_model("mnist-judge") ==
          directory / "mnist-judge.safetensors");  // a file of the name itself comes first
  }
  std::filesystem::remove(directory / "mnist-judge.safetensors");
  CHECK(find_model("mnist-judge") == directory / "mnist-classifier.safetensors");
  before == nullptr ? ::unsetenv("EBB_MODELS") : ::setenv("EBB_MODELS", kept.c_str(), 1);
}

}  // namespace
}  // namespace ebb
