#include "nn/network.h"

#include <set>

#include "nn/graph_builder.h"
#include "testing/catch.h"
#include "testing/contexts.h"
#include "testing/errors.h"
#include "testing/golden.h"
#include "testing/networks.h"

namespace ebb {
namespace {

using test::message_of;
using test::mnist_config;

int64_t trainable(const std::string& conditioning, int64_t hidden) {
  return count_trainable(list_params(make_network(mnist_config(conditioning, "add", hidden), "")));
}

TEST_CASE("the networks have the assignment's numbers of parameters", "[nn]") {
  CHECK(trainable("none", 128) == 7891073);
  CHECK(trainable("none", 64) == 1975361);
  CHECK(trainable("time", 64) == 1996417);
  CHECK(trainable("time", 128) == 7974145);
  CHECK(trainable("class", 64) == 2019201);
  CHECK(trainable("class", 128) == 8060673);
}

TEST_CASE("the classifier is a small network with one output per class", "[nn]") {
  const Network classifier =
      make_network(R"({"name": "mnist_classifier", "hidden": 16, "classes": 10})", "");
  CHECK(output_shape(classifier) == Shape{10});
  CHECK(count_trainable(list_params(classifier)) == 98282);
  const Network former =
      make_network(R"({"name": "mnist_judge", "hidden": 16, "classes": 10})", "");
  CHECK(former.config == classifier.config);
  CHECK(output_shape(make_network(mnist_config("class", "add", 4), "")) == Shape{28, 28, 1});
}

TEST_CASE("parameters have the names and shapes of the PyTorch module's state dict", "[nn]") {
  for (const test::TestNetwork& test : test::test_networks()) {
    INFO(test.name);
    const test::Golden golden("mnist_" + test.name);
    const Network network = make_network(golden.model_config(), test.name);
    std::set<std::string> names;
    for (const ParamSpec& spec : list_params(network)) {
      INFO(spec.name);
      CHECK(names.insert(spec.name).second);
      REQUIRE(golden.contains("param." + spec.name));
      CHECK(torch_shape(spec) == golden.shape("param." + spec.name));
      CHECK(spec.info.trainable == golden.contains("grad." + spec.name));
    }
    CHECK(names == golden.names_after("param."));
  }
}

TEST_CASE("weights lie in memory as [O, KH, KW, C], also transposed ones", "[nn]") {
  const auto specs = list_params(make_network(mnist_config("class", "add", 4), ""));
  const auto shape_of = [&](const std::string& name) {
    for (const ParamSpec& spec : specs) {
      if (spec.name == name) return spec.shape;
    }
    return Shape();
  };
  CHECK(shape_of("init_conv.conv1.conv.weight") == Shape{4, 3, 3, 1});
  CHECK(shape_of("up1.up.conv.weight") == Shape{4, 4, 4, 16});
  CHECK(shape_of("unflatten.conv.weight") == Shape{8, 7, 7, 8});
  CHECK(shape_of("class1.fc1.weight") == Shape{8, 10});
}

TEST_CASE("networks take the inputs of their conditioning", "[nn]") {
  const auto inputs_of = [](const std::string& conditioning) {
    std::string names;
    for (const NetworkInput& input :
         make_network(mnist_config(conditioning, "add", 4), "").inputs) {
      names += input.name + to_string(input.shape) + " ";
    }
    return names;
  };
  CHECK(inputs_of("none") == "x[28, 28, 1] ");
  CHECK(inputs_of("time") == "x[28, 28, 1] t[1] ");
  CHECK(inputs_of("class") == "x[28, 28, 1] t[1] c[10] ");
  const Network network = make_network(mnist_config("time", "add", 4), "");
  CHECK(network.has_input("t"));
  CHECK_FALSE(network.has_input("c"));
}

TEST_CASE("inputs are found by their roles", "[nn]") {
  const Network network = make_network(mnist_config("class", "add", 4), "");
  CHECK(network.sample().name == "x");
  CHECK(network.input(InputRole::kTime)->name == "t");
  CHECK(network.input(InputRole::kCondition)->name == "c");
  CHECK(network.input(InputRole::kLowRes) == nullptr);
  CHECK(message_of<Error>([] { Network().sample(); }) == "network: takes no images");
}

TEST_CASE("the graph of a network may have a batch size per input", "[nn]") {
  const Network network = make_network(mnist_config("class", "add", 4), "");
  const Graph graph = build_graph(network, {{"x", 3}, {"t", 6}, {"c", 6}});
  CHECK(graph.values[graph.output].shape == Shape{6, 28, 28, 1});
  CHECK(graph.values[graph.module_outputs.at("down2")].shape == Shape{3, 7, 7, 8});
  CHECK(graph.values[graph.module_outputs.at("unflatten")].shape == Shape{3, 7, 7, 8});
  CHECK(graph.values[graph.module_outputs.at("up1")].shape == Shape{6, 14, 14, 4});
}

TEST_CASE("images of another size are refused", "[nn]") {
  const Network network = make_network(mnist_config("none", "add", 4), "");
  for (const Shape& shape : {Shape{2, 56, 56, 1}, Shape{2, 28, 28, 3}, Shape{2, 784}}) {
    GraphBuilder builder;
    const Value x = builder.input("x", shape);
    CHECK(message_of<ShapeError>([&] { network.forward(builder, {x}); }) ==
          "mnist_unet: input x " + to_string(shape) + ", expected [N, 28, 28, 1]");
  }
}

TEST_CASE("a network's config is its known keys and builds the same network again", "[nn]") {
  const Network network = make_network(
      R"({"hidden": 8, "conditioning": "class", "name": "mnist_unet", "classes": 5, "note": "x"})",
      "");
  CHECK(network.config == R"({"classes":5,"conditioning":"class","hidden":8,"name":"mnist_unet"})");
  const Network again = make_network(network.config, "");
  CHECK(again.config == network.config);
  CHECK(again.inputs.at(2).shape == Shape{5});
  CHECK(count_trainable(list_params(again)) == count_trainable(list_params(network)));
}

std::string config_error(const std::string& config) {
  return message_of<FormatError>([&] { make_network(config, "model.safetensors"); });
}

TEST_CASE("a wrong config names the file, the key, what was found and what is expected", "[nn]") {
  const std::string where = "model.safetensors: model config ";
  CHECK(config_error("not json") == where + "is not a JSON object");
  CHECK(config_error("[1, 2]") == where + "is not a JSON object");
  CHECK(config_error("") == where + "is not a JSON object");
  CHECK(config_error("{}") ==
        where + R"(key "name" is missing, expected one of mnist_unet, mnist_classifier)");
  CHECK(config_error(R"({"name": "resnet"})") ==
        where + R"(key "name" is "resnet", expected one of mnist_unet, mnist_classifier)");
  CHECK(config_error(R"({"name": 7})") ==
        where + R"(key "name" is 7, expected one of mnist_unet, mnist_classifier)");
  CHECK(config_error(R"({"name": "mnist_unet"})") ==
        where + R"(key "conditioning" is missing, expected one of none, time, class)");
  CHECK(config_error(R"({"name": "mnist_unet", "conditioning": "text"})") ==
        where + R"(key "conditioning" is "text", expected one of none, time, class)");
  CHECK(config_error(R"({"name": "mnist_unet", "conditioning": "time", "hidden": 4})") ==
        where + R"(key "time_fusion" is missing, expected one of add, multiply)");
  CHECK(config_error(mnist_config("time", "concat", 4)) ==
        where + R"(key "time_fusion" is "concat", expected one of add, multiply)");
  for (const std::string hidden :
       {"0", "4097", "-4", "4.5", "\"64\"", "null", "true", "18446744073709551620"}) {
    const std::string shown = hidden == "18446744073709551620" ? "1.8446744073709552e+19" : hidden;
    CHECK(config_error(R"({"name": "mnist_unet", "conditioning": "none", "hidden": )" + hidden +
                       "}") == where + "key \"hidden\" is " + shown + ", expected 1..4096");
  }
  CHECK(config_error(R"({"name": "mnist_unet", "conditioning": "none"})") ==
        where + R"(key "hidden" is missing, expected 1..4096)");
  CHECK(config_error(R"({"name": "mnist_unet", "conditioning": "class", "hidden": 4})") ==
        where + R"(key "classes" is missing, expected 1..1000)");
}

TEST_CASE("a config from a hostile file gives a short message without control characters", "[nn]") {
  const std::string nest(200000, '['), unnest(200000, ']');
  CHECK(
      config_error(R"({"name": )" + nest + unnest + "}") ==
      R"(model.safetensors: model config key "name" is an array, expected one of mnist_unet, mnist_classifier)");
  CHECK_NOTHROW(make_network(
      R"({"name": "mnist_unet", "conditioning": "none", "hidden": 4, "x": )" + nest + unnest + "}",
      ""));
  const std::string reversed =
      config_error("{\"name\": \"\xe2\x80\xae" + std::string(100000, 'x') + "\"}");
  CHECK_THAT(reversed, Catch::Matchers::Contains("\\u{202e}xxx"));
  CHECK(reversed.size() < 400);
  CHECK(config_error("{\"name\": \"\xff\"}") ==
        "model.safetensors: model config is not a JSON object");
}

}  // namespace
}  // namespace ebb
