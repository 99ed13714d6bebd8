#include "engine/passes/passes.h"

#include <functional>

#include "testing/catch.h"
#include "testing/contexts.h"
#include "testing/reference/batch_norm.h"
#include "testing/reference/conv.h"
#include "tests/engine/graph_tools.h"
#include "tests/engine/random_graph.h"

namespace ebb {
namespace {

using test::count_nodes;
using test::count_placed;
using test::GraphWriter;
using test::RandomData;

struct Pass {
  const char* name;
  std::function<Graph(const Graph&, const Context&)> apply;
  bool bitwise;
};

const Pass kPasses[] = {
    {"none", [](const Graph& g, const Context&) { return g; }, true},
    {"fold_batch_norm", [](const Graph& g, const Context&) { return fold_batch_norm(g); }, false},
    {"fuse_epilogues", [](const Graph& g, const Context&) { return fuse_epilogues(g); }, true},
    {"fuse_modulation", [](const Graph& g, const Context&) { return fuse_modulation(g); }, true},
    {"share_concat_halves", [](const Graph& g, const Context&) { return share_concat_halves(g); },
     false},
    {"hoist_packing", [](const Graph& g, const Context& c) { return hoist_packing(g, c); }, true},
    {"place_concat_operands",
     [](const Graph& g, const Context&) { return place_concat_operands(g); }, true},
    {"optimize", [](const Graph& g, const Context& c) { return optimize(g, c); }, false},
    {"all but folding",
     [](const Graph& g, const Context& c) {
       return place_concat_operands(hoist_packing(fuse_modulation(fuse_epilogues(g)), c));
     },
     true},
    {"every pass twice, in another order",
     [](const Graph& g, const Context& c) {
       const Graph once =
           fuse_epilogues(fold_batch_norm(place_concat_operands(hoist_packing(g, c))));
       return optimize(once, c);
     },
     true},  // folding finds packed weights only and leaves them alone
};

std::string compare_values(const Tensor& actual, const Tensor& expected, bool bitwise) {
  if (bitwise) return test::compare_bits(actual, expected);
  const double error = test::nmse(actual, expected);
  return error <= 1e-10 ? "" : "NMSE " + std::to_string(error);
}

// Empty if the executor's output and module outputs equal those of the unchanged graph.
std::string compare_visible(const Executor& executor, const Tensor& output, const Graph& original,
                            const std::vector<Tensor>& expected, bool module_outputs,
                            bool bitwise) {
  const std::string fault = compare_values(output, expected[original.output], bitwise);
  if (!fault.empty()) return "output: " + fault;
  if (!module_outputs) return "";
  for (const auto& [name, value] : original.module_outputs) {
    const std::string mark_output =
        compare_values(executor.mark_output(name), expected[value], bitwise);
    if (!mark_output.empty()) return name + ": " + mark_output;
  }
  return "";
}

// Sets some inputs, all of them at first, to new random values; returns their names.
std::set<std::string> change_inputs(Executor& executor, const Context& context, const Graph& graph,
                                    TensorMap& inputs, RandomData& random) {
  const TensorMap fresh = test::random_inputs_of(context, graph, random);
  std::set<std::string> changed;
  for (const auto& [name, tensor] : fresh) {
    if (!inputs.empty() && inputs.size() == fresh.size() && random.integer(0, 1) == 0) continue;
    changed.insert(name);
  }
  for (const std::string& name : changed) {
    inputs[name] = fresh.at(name);
    executor.set_input(name, fresh.at(name));
  }
  return changed;
}

TEST_CASE("every pass keeps every visible value of random graphs, over partial runs", "[engine]") {
  for (int seed = 0; seed < 80; ++seed) {
    test::PoisonedContext poisoned;
    Context& context = poisoned.get();
    const test::RandomGraph random_graph(context, seed);
    const Graph& graph = random_graph.writer.graph;
    const TensorMap& params = random_graph.writer.params;
    RandomData random(1000 + seed);
    for (const Pass& pass : kPasses) {
      const bool keep_module_outputs = random.integer(0, 1) == 0;
      INFO("seed " << seed << ", pass " << pass.name << ", module outputs " << keep_module_outputs);
      const Graph changed = pass.apply(graph, context);
      Executor executor(context, changed, params, {.keep_module_outputs = keep_module_outputs});
      TensorMap inputs;
      for (int run = 0; run < 4; ++run) {
        const auto names = change_inputs(executor, context, graph, inputs, random);
        const std::vector<Tensor> expected = test::run_eagerly(context, graph, params, inputs);
        const Tensor output = executor.run();
        INFO("run " << run);
        REQUIRE(compare_visible(executor, output, graph, expected, keep_module_outputs,
                                pass.bitwise) == "");
        REQUIRE(executor.nodes_run() == test::count_dependents(changed, names));
      }
    }
    CHECK(poisoned.allocator().damaged_blocks() == 0);
  }
}

TEST_CASE("batch norm behind a conv is folded into its weights", "[engine]") {
  const auto context = test::cpu_context();
  GraphWriter writer(*context, 1);
  const ValueId x = writer.input("x", {2, 4, 4, 3});
  ValueId h = writer.batch_norm(writer.conv(x, 5), Activation::kGelu);
  h = writer.batch_norm(writer.conv(h, 2, {.kernel = 4, .stride = 2, .pad = 1, .transposed = true}),
                        Activation::kNone);
  writer.graph.output = h;
  const Graph folded = fold_batch_norm(writer.graph);
  CHECK(count_nodes(folded, ops::kBatchNorm) == 0);
  CHECK(count_nodes(folded, ops::kFoldBatchNorm) == 2);
  CHECK(count_nodes(folded, ops::kConv) == 2);
  const auto activation_of = [](const GraphNode& node) {
    return std::get<ConvAttrs>(node.attrs).activation;
  };
  CHECK(activation_of(folded.nodes[1]) == Activation::kGelu);
  CHECK(activation_of(folded.nodes[3]) == Activation::kNone);
}

TEST_CASE("batch norm stays where folding would change a visible value", "[engine]") {
  const auto context = test::cpu_context();
  const auto norms_left = [&](const auto& build) {
    GraphWriter writer(*context, 1);
    const ValueId x = writer.input("x", {2, 4, 4, 3});
    writer.graph.output = build(writer, x);
    return count_nodes(fold_batch_norm(writer.graph), ops::kBatchNorm);
  };
  CHECK(norms_left([](GraphWriter& w, ValueId x) {
          return w.batch_norm(w.conv(x, 3), Activation::kGelu);
        }) == 0);
  CHECK(norms_left([](GraphWriter& w, ValueId x) {  // the conv's output is a module's output
          const ValueId h = w.conv(x, 3);
          w.graph.module_outputs["conv"] = h;
          return w.batch_norm(h, Activation::kGelu);
        }) == 1);
  CHECK(norms_left([](GraphWriter& w, ValueId x) {  // and another node reads it
          const ValueId h = w.conv(x, 3);
          return w.concat({w.batch_norm(h, Activation::kGelu), h});
        }) == 1);
  CHECK(norms_left([](GraphWriter& w, ValueId x) {  // an activation in between
          return w.batch_norm(w.conv(x, 3, {3, 1, 1, false, Activation::kGelu}), Activation::kNone);
        }) == 1);
  CHECK(norms_left([](GraphWriter& w, ValueId x) {  // a residual in between
          return w.batch_norm(w.conv_with_residual(x, x), Activation::kNone);
        }) == 1);
  CHECK(norms_left([](GraphWriter& w, ValueId x) {  // no conv in front
          return w.batch_norm(x, Activation::kNone);
        }) == 1);
}

// Folding multiplies weights by s = gamma / sqrt(var + eps) in f32: each product and each partial
// sum of y = sum (s w) x + s (b - mean) + beta rounds once, so the error is below
// (K + 6) * 2^-24 * magnitude, K terms and a few roundings of s, b' and the epilogue, with
// magnitude = sum |s w x| + |s| (|b| + |mean|) + |beta|. Both sides of a comparison may err.
TEST_CASE("a folded conv stays within the roundings that folding adds", "[engine]") {
  const auto context = test::cpu_context();
  for (const bool transposed : {false, true}) {
    GraphWriter writer(*context, 3);
    const ConvAttrs attrs{transposed ? 4 : 3, transposed ? 2 : 1, 1, transposed};
    const ValueId x = writer.input("x", {3, 5, 4, 6});
    writer.graph.output = writer.batch_norm(writer.conv(x, 7, attrs), Activation::kNone);
    Executor executor(*context, fold_batch_norm(writer.graph), writer.params);
    RandomData random(4);
    const Tensor input = test::normal_tensor(*context, {3, 5, 4, 6}, random);
    executor.set_input("x", input);
    const Tensor y = executor.run();

    const GraphNode& conv = writer.graph.nodes[0];
    const GraphNode& norm = writer.graph.nodes[1];
    const auto host = [&](ValueId v) {
      return writer.params.at(writer.graph.values[v].name).to_host();
    };
    const ConvGeometry g = conv_geometry(3, 5, 4, 6, 7, attrs.kernel, attrs.kernel, attrs.stride,
                                         attrs.pad, transposed);
    const std::vector<float> b = host(conv.inputs[2]), gamma = host(norm.inputs[1]),
                             beta = host(norm.inputs[2]), mean = host(norm.inputs[3]),
                             var = host(norm.inputs[4]);
    const auto sums =
        reference::conv_forward(g, input.to_host().data(), host(conv.inputs[1]).data());
    std::vector<double> expected, limits;
    for (size_t i = 0; i < sums.size(); ++i) {
      const size_t c = i % 7;
      const double s = gamma[c] / std::sqrt(static_cast<double>(var[c]) + 1e-5f);
      expected.push_back(s * (sums[i].value + b[c] - mean[c]) + beta[c]);
      const double magnitude =
          std::fabs(s) * (sums[i].magnitude + std::fabs(b[c]) + std::fabs(mean[c])) +
          std::fabs(beta[c]);
      const double terms = static_cast<double>(g.kh * g.kw * g.c);
      limits.push_back((terms + 6) * test::kEps32 * magnitude);
    }
    const std::vector<float> actual = y.to_host();
    CHECK(test::compare_with(std::span<const float>(actual), std::span<const double>(expected),
                             [&](size_t i) { return limits[i]; }) == "");
  }
}

TEST_CASE("activations join the conv in front of them", "[engine]") {
  const auto context = test::cpu_context();
  GraphWriter writer(*context, 1);
  const ValueId x = writer.input("x", {2, 4, 4, 3});
  const ValueId fused = writer.activation(writer.conv(x, 3), Activation::kSilu);
  const ValueId seen = writer.conv(fused, 3);
  writer.graph.module_outputs["conv"] = seen;
  const ValueId kept = writer.activation(seen, Activation::kGelu);
  writer.graph.output = writer.activation(writer.conv_with_residual(kept, x), Activation::kGelu);
  const Graph graph = fuse_epilogues(writer.graph);
  CHECK(count_nodes(graph, ops::kActivation) == 1);
  CHECK(std::get<ConvAttrs>(graph.nodes[0].attrs).activation == Activation::kSilu);
  CHECK(std::get<ConvAttrs>(graph.nodes[1].attrs).activation == Activation::kNone);
  CHECK(std::get<ConvAttrs>(graph.nodes[3].attrs).activation == Activation::kGelu);
}

TEST_CASE("a scale and a shift per image join the conv in front of them", "[engine]") {
  const auto context = test::cpu_context();
  GraphWriter writer(*context, 1);
  const ValueId x = writer.input("x", {2, 4, 4, 3}), t = writer.input("t", {2, 5});
  const ValueId h = writer.conv(x, 3, {3, 1, 1, false, Activation::kGelu});
  const ValueId scale = writer.linear(t, 3);
  const ValueId scaled = writer.multiply(h, scale);
  const ValueId shifted = writer.add(scaled, writer.linear(t, 3));
  writer.graph.output = writer.add(writer.conv(shifted, 3), scale);
  const Graph graph = fuse_modulation(writer.graph);
  CHECK(count_nodes(graph, ops::kMultiply) == 0);
  CHECK(count_nodes(graph, ops::kAdd) == 0);
  CHECK(count_nodes(graph, ops::kConv) == 4);
  const GraphNode& last = graph.nodes.back();
  CHECK_FALSE(std::get<ConvAttrs>(last.attrs).scales);
  CHECK(last.inputs.back() == scale);
}

TEST_CASE("a scale or a shift stays where fusing would compute more or change a value",
          "[engine]") {
  const auto context = test::cpu_context();
  const auto left = [&](const auto& build) {
    GraphWriter writer(*context, 1);
    const ValueId x = writer.input("x", {2, 4, 4, 3}), s = writer.input("s", {2, 3});
    const ValueId branches = writer.input("branches", {4, 3});
    writer.graph.output = build(writer, x, s, branches);
    const Graph graph = fuse_modulation(writer.graph);
    return count_nodes(graph, ops::kMultiply) + count_nodes(graph, ops::kAdd);
  };
  CHECK(left([](GraphWriter& w, ValueId x, ValueId s, ValueId) {
          return w.multiply(w.conv(x, 3), s);
        }) == 0);
  CHECK(left([](GraphWriter& w, ValueId x, ValueId, ValueId branches) {  // shared by branches
          return w.multiply(w.conv(x, 3), branches);
        }) == 1);
  CHECK(left([](GraphWriter& w, ValueId x, ValueId s, ValueId) {  // a module's output
          const ValueId h = w.conv(x, 3);
          w.graph.module_outputs["conv"] = h;
          return w.add(h, s);
        }) == 1);
  CHECK(left([](GraphWriter& w, ValueId x, ValueId s, ValueId) {  // the sum is scaled
          return w.multiply(w.add(w.conv(x, 3), s), s);
        }) == 1);
  CHECK(left([](GraphWriter& w, ValueId x, ValueId s, ValueId) {  // one of each
          return w.add(w.add(w.multiply(w.multiply(w.conv(x, 3), s), s), s), s);
        }) == 3);
  CHECK(left([](GraphWriter& w, ValueId x, ValueId, ValueId) {  // images, no vectors
          return w.multiply(w.add(w.conv(x, 3), x), x);
        }) == 2);
  CHECK(left([](GraphWriter& w, ValueId x, ValueId s, ValueId) {  // no conv in front
          return w.add(x, s);
        }) == 1);
}

// Splitting a sum of K products in two and joining the halves changes K + 1 roundings at most, on
// either side of the comparison.
TEST_CASE("what guidance branches share of a concatenation is convolved once", "[engine]") {
  const auto context = test::cpu_context();
  for (const bool shared_first : {true, false}) {
    for (const bool transposed : {false, true}) {
      INFO("shared first " << shared_first << ", transposed " << transposed);
      GraphWriter writer(*context, 1);
      const ConvAttrs attrs{transposed ? 4 : 3, transposed ? 2 : 1, 1, transposed,
                            Activation::kGelu};
      const ValueId shared = writer.input("shared", {2, 5, 4, 3});
      const ValueId own = writer.input("own", {6, 5, 4, 7});
      const ValueId joined =
          shared_first ? writer.concat({shared, own}) : writer.concat({own, shared});
      writer.graph.output = writer.conv(joined, 9, attrs);
      const Graph split = share_concat_halves(writer.graph);
      CHECK(count_nodes(split, ops::kConcat) == 0);
      CHECK(count_nodes(split, ops::kConv) == 2);
      CHECK(count_nodes(split, ops::kSliceChannels) == 2);

      RandomData random(2);
      const TensorMap inputs = test::random_inputs_of(*context, writer.graph, random);
      Executor executor(*context, split, writer.params);
      for (const auto& [name, tensor] : inputs) executor.set_input(name, tensor);
      const std::vector<float> actual = executor.run().to_host();
      const auto values = test::run_eagerly(*context, writer.graph, writer.params, inputs);
      const std::vector<float> whole = values[writer.graph.output].to_host();
      const std::vector<double> expected(whole.begin(), whole.end());
      // Inputs are normal, weights below 1/sqrt(K): the magnitudes of a sum add up to about
      // sqrt(K).
      const double terms = static_cast<double>(attrs.kernel * attrs.kernel * 10);
      const double limit = 2 * (terms + 2) * test::kEps32 * std::sqrt(terms);
      CHECK(test::compare_with(std::span<const float>(actual), std::span<const double>(expected),
                               [&](size_t) { return limit; }) == "");
    }
  }
}

TEST_CASE("a concatenation stays whole where splitting saves nothing", "[engine]") {
  const auto context = test::cpu_context();
  const auto convs = [&](const auto& build) {
    GraphWriter writer(*context, 1);
    const ValueId a = writer.input("a", {2, 4, 4, 3}), b = writer.input("b", {4, 4, 4, 3});
    writer.graph.output = build(writer, a, b);
    return count_nodes(share_concat_halves(writer.graph), ops::kConv);
  };
  CHECK(convs([](GraphWriter& w, ValueId a, ValueId b) {  // it does
          return w.conv(w.concat({a, b}), 5);
        }) == 2);
  CHECK(convs([](GraphWriter& w, ValueId, ValueId b) {  // equal batches
          return w.conv(w.concat({b, b}), 5);
        }) == 1);
  CHECK(convs([](GraphWriter& w, ValueId a, ValueId b) {  // a module output
          const ValueId joined = w.concat({a, b});
          w.graph.module_outputs["joined"] = joined;
          return w.conv(joined, 5);
        }) == 1);
  CHECK(convs([](GraphWriter& w, ValueId a, ValueId b) {  // two readers
          const ValueId joined = w.concat({a, b});
          return w.concat({w.conv(joined, 6), joined});
        }) == 1);
  CHECK(convs([](GraphWriter& w, ValueId a, ValueId b) {  // a residual already
          const ValueId joined = w.concat({a, b});
          return w.conv_with_residual(joined, b);
        }) == 1);
}

TEST_CASE("packed weights are made once", "[engine]") {
  const auto context = test::cpu_context();
  GraphWriter writer(*context, 1);
  const ValueId x = writer.input("x", {2, 4, 4, 3});
  writer.graph.output = writer.conv(writer.conv(x, 5), 2);
  const Graph graph = hoist_packing(writer.graph, *context);
  CHECK(count_nodes(graph, ops::kConvPack) == 2);
  Executor executor(*context, graph, writer.params);
  RandomData random(2);
  executor.set_input("x", test::normal_tensor(*context, {2, 4, 4, 3}, random));
  context->enable_profiler();
  executor.run();
  CHECK(executor.nodes_run() == 2);
  CHECK_THAT(context->profiler()->table(), !Catch::Matchers::Contains("conv_pack"));
}

TEST_CASE("placed operands of a concatenation are not copied", "[engine]") {
  const auto context = test::cpu_context();
  GraphWriter writer(*context, 1);
  const ValueId x = writer.input("x", {2, 4, 4, 3});
  const ValueId a = writer.conv(x, 5), b = writer.conv(a, 2);
  writer.graph.output = writer.conv(writer.concat({a, b}), 1);
  const auto table_after_run = [&](const Graph& graph) {
    const auto run_context = test::cpu_context();
    Executor executor(*run_context, graph, writer.params);
    executor.set_input("x", Tensor::zeros(*run_context, {2, 4, 4, 3}));
    run_context->enable_profiler();
    executor.run();
    return run_context->profiler()->table();
  };
  CHECK_THAT(table_after_run(writer.graph), Catch::Matchers::Contains("copy_rows"));
  const Graph placed = place_concat_operands(writer.graph);
  CHECK(count_placed(placed) == 2);
  CHECK(placed.values[b].placed_channel == 5);
  CHECK_THAT(table_after_run(placed), !Catch::Matchers::Contains("copy_rows"));
}

TEST_CASE("operands stay out of a concatenation when a reader needs them dense", "[engine]") {
  const auto context = test::cpu_context();
  const auto placed = [&](const auto& build) {
    GraphWriter writer(*context, 1);
    const ValueId x = writer.input("x", {2, 4, 4, 3});
    writer.graph.output = build(writer, x);
    return count_placed(place_concat_operands(writer.graph));
  };
  CHECK(placed([](GraphWriter& w, ValueId x) {  // inputs and parameters lie elsewhere
          return w.conv(w.concat({x, w.param({2, 4, 4, 1}, 0, 1)}), 1);
        }) == 0);
  CHECK(placed([](GraphWriter& w, ValueId x) {  // activations write dense
          return w.conv(w.concat({w.activation(x, Activation::kGelu), x}), 1);
        }) == 0);
  CHECK(placed([](GraphWriter& w, ValueId x) {  // and read dense
          const ValueId h = w.conv(x, 3);
          return w.conv(w.concat({h, w.activation(h, Activation::kGelu)}), 1);
        }) == 0);
  CHECK(placed([](GraphWriter& w, ValueId x) {  // a residual is read dense
          const ValueId h = w.conv(x, 3);
          return w.conv(w.concat({h, w.conv_with_residual(x, h)}), 1);
        }) == 1);
  CHECK(placed([](GraphWriter& w, ValueId x) {  // also when it is the conv's input as well
          const ValueId h = w.conv(x, 3);
          return w.conv(w.concat({h, w.conv_with_residual(h, h)}), 1);
        }) == 1);
  CHECK(placed([](GraphWriter& w, ValueId x) {  // a smaller batch is repeated, so copied
          const ValueId wide = w.input("wide", {4, 4, 4, 1});
          return w.conv(w.concat({w.conv(x, 3), wide}), 1);
        }) == 0);
  CHECK(placed([](GraphWriter& w, ValueId x) {  // one place only
          const ValueId h = w.conv(x, 3);
          return w.conv(w.concat({h, h, w.conv(w.concat({h, x}), 2)}), 1);
        }) == 2);
  CHECK(placed([](GraphWriter& w, ValueId x) {  // the output is a tensor of its own
          const ValueId h = w.conv(x, 3);
          w.concat({h, x});
          return h;
        }) == 0);
}

}  // namespace
}  // namespace ebb
