// T5 encoders against transformers (tests/golden/t5_goldens.py), and what their config may say.

#include "nn/t5_encoder.h"

#include <set>

#include "engine/executor.h"
#include "nn/eager_ops.h"
#include "nn/graph_builder.h"
#include "testing/catch.h"
#include "testing/contexts.h"
#include "testing/networks.h"
#include "testing/t5_golden.h"
#include "testing/unet_golden.h"

namespace ebb {
namespace {

using test::T5Golden;

TEST_CASE("parameters of T5 encoders have transformers' names and shapes", "[nn]") {
  const auto context = test::cpu_context();
  const T5Golden c(*context, GENERATE("gated", "relu"));
  std::set<std::string> names;
  for (const ParamSpec& spec : c.specs) {
    INFO(spec.name);
    CHECK(names.insert(spec.name).second);
    CHECK(spec.shape == c.golden.shape("param." + spec.name));
  }
  CHECK(names == c.golden.names_after("param."));
}

TEST_CASE("every module of a T5 encoder gives transformers' output, padding included", "[nn]") {
  const auto context = test::cpu_context();
  const T5Golden c(*context, GENERATE("gated", "relu"));
  EagerOps ops(c.context, c.params);
  test::forward(ops, c.network, c.inputs);
  size_t compared = 0;
  for (const std::string& name : c.golden.names_after("")) {
    if (name.starts_with("input.") || name.starts_with("param.")) continue;
    INFO(name);
    REQUIRE(ops.module_outputs().contains(name));
    CHECK(test::largest_difference(ops.module_outputs().at(name),
                                   c.golden.activation(*context, name)) <= 1e-5);
    ++compared;
  }
  CHECK(compared == static_cast<size_t>(7 * c.config.layers + 2));
  CHECK(compared == ops.module_outputs().size());
}

TEST_CASE("an executor runs a T5 encoder as transformers does", "[nn]") {
  const auto context = test::cpu_context();
  const T5Golden c(*context, GENERATE("gated", "relu"));
  Executor executor(*context, inference_graph(c.network, c.batch(), *context), c.params);
  for (const auto& [name, value] : c.inputs) executor.set_input(name, value);
  CHECK(test::largest_difference(executor.run(), c.golden.activation(*context, "output")) <= 1e-5);
}

TEST_CASE("buckets of relative positions begin at the published distances", "[nn]") {
  const auto starts = [](int64_t buckets, int64_t max_distance) {
    const T5Config config{.buckets = buckets, .max_distance = max_distance};
    std::vector<int64_t> found;
    for (int64_t m = 1; m <= 400; ++m) {
      CHECK(t5_bucket(config, m) == t5_bucket(config, -m) + buckets / 2);
      if (t5_bucket(config, m) != t5_bucket(config, m - 1) + (m == 1 ? buckets / 2 : 0)) {
        found.push_back(m);
      }
    }
    return found;
  };
  CHECK(starts(32, 128) ==
        std::vector<int64_t>{1, 2, 3, 4, 5, 6, 7, 8, 12, 16, 23, 32, 46, 64, 91});
  CHECK(starts(16, 40) == std::vector<int64_t>{1, 2, 3, 4, 8, 13, 23});
  CHECK(starts(32, 64) == std::vector<int64_t>{1, 2, 3, 4, 5, 6, 7, 8, 11, 14, 18, 23, 30, 39, 50});
  CHECK(t5_bucket(T5Config{}, 0) == 0);
}

TEST_CASE("configs that are no T5 encoder's are refused by key and value", "[nn]") {
  const auto refused = [](const char* text, const char* message) {
    CHECK_THROWS_WITH(t5_config(Json::parse(text), "config.json"),
                      Catch::Matchers::Contains(message));
  };
  refused(R"({"feed_forward_proj": "gated-silu"})",
          "config.json: key \"feed_forward_proj\" is \"gated-silu\", expected relu, gated-gelu");
  refused(R"({"num_heads": 0})", "key \"num_heads\" is 0");
  refused(R"({"relative_attention_max_distance": 8})",
          "key \"relative_attention_max_distance\" is 8");
  refused(R"({"relative_attention_num_buckets": 3})",
          "key \"relative_attention_num_buckets\" is 3");
  const T5Config defaults = t5_config(Json::object(), "config.json");
  CHECK(defaults.max_distance == 128);
  CHECK(!defaults.gated);
}

TEST_CASE("a text of padding only has no position bias", "[nn]") {
  const T5Config config{.heads = 1};
  const std::vector<float> table(32);
  const std::vector<int32_t> mask(3);
  CHECK_THROWS_WITH(t5_position_bias(config, table, mask),
                    Catch::Matchers::Contains("padding only"));
}

}  // namespace
}  // namespace ebb
