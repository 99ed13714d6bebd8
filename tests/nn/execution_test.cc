#include <cmath>
#include <functional>
#include <set>

#include "engine/executor.h"
#include "engine/passes/passes.h"
#include "nn/autograd/tape.h"
#include "nn/eager_ops.h"
#include "nn/graph_builder.h"
#include "testing/catch.h"
#include "testing/contexts.h"
#include "testing/networks.h"

// A network's function means the same to every implementation of Ops.
namespace ebb {
namespace {

using test::compare_bits;
using test::TestNetwork;

constexpr int64_t kBatch = 3;

std::set<std::string> module_names(const TestNetwork& test) {
  if (test.name == "judge") {
    return {"down1", "conv1", "down2", "conv2", "down3", "features", "output"};
  }
  std::set<std::string> names{"flatten", "unflatten", "output"};
  const auto add_block = [&](const std::string& name, const std::string& first) {
    const std::string block = first.empty() ? name : name + ".block";
    if (!first.empty()) names.insert({name, name + "." + first});
    names.insert({block, block + ".conv1", block + ".conv2"});
  };
  for (const char* name : {"init_conv", "out_conv"}) add_block(name, "");
  for (const char* name : {"down1", "down2"}) add_block(name, "down");
  for (const char* name : {"up1", "up2"}) add_block(name, "up");
  if (test.name != "denoiser") names.insert({"time1", "time2"});
  if (test.name == "class") names.insert({"class1", "class2"});
  return names;
}

struct Outcome {
  Tensor output;
  TensorMap module_outputs;
};

// Layer by layer: the meaning that the others are compared with.
Outcome run_eagerly(Context& context, const Network& network, const TensorMap& params,
                    const TensorMap& inputs) {
  EagerOps ops(context, params);
  const Value y = test::forward(ops, network, inputs);
  return {ops.tensor(y), ops.module_outputs()};
}

Outcome run_tape(Context& context, const Network& network, const TensorMap& params,
                 const TensorMap& inputs) {
  autograd::ParamStore store(context, list_params(network), false);
  for (const auto& [name, value] : params) store.value(name).copy_from(value);
  autograd::Tape tape(context, store, autograd::Mode::kEval);
  tape.keep_module_outputs();
  const Value y = test::forward(tape, network, inputs);
  return {tape.tensor(y), tape.module_outputs()};
}

Tensor run_executor(Executor& executor, const TensorMap& inputs) {
  for (const auto& [name, value] : inputs) executor.set_input(name, value);
  return executor.run();
}

Outcome run_graph(Context& context, const Graph& graph, const TensorMap& params,
                  const TensorMap& inputs) {
  Executor executor(context, graph, params, {.keep_module_outputs = true});
  Outcome outcome{run_executor(executor, inputs), {}};
  for (const auto& [name, value] : graph.module_outputs)
    outcome.module_outputs[name] = executor.mark_output(name);
  return outcome;
}

// Empty when both have the same modules with equal values; NMSE up to `tolerance`, 0 for bitwise.
std::string compare(const Outcome& actual, const Outcome& expected, double tolerance) {
  const auto differ = [&](const Tensor& a, const Tensor& e) -> std::string {
    if (tolerance == 0) return compare_bits(a, e);
    const double error = test::nmse(a, e);
    return error <= tolerance ? "" : "NMSE " + std::to_string(error);
  };
  if (actual.module_outputs.size() != expected.module_outputs.size()) return "other modules";
  for (const auto& [name, value] : expected.module_outputs) {
    const std::string fault = differ(actual.module_outputs.at(name), value);
    if (!fault.empty()) return name + ": " + fault;
  }
  return differ(actual.output, expected.output);
}

struct Case {
  explicit Case(const TestNetwork& test)
      : context(poisoned.get()),
        network(test::make_test_network(test)),
        params(test::random_params(context, network, 1)),
        inputs(test::random_inputs(context, network, kBatch, 2)) {}
  test::PoisonedContext poisoned;
  Context& context;
  Network network;
  TensorMap params, inputs;
};

TEST_CASE("executor without passes, tape in inference and eager evaluation agree bitwise", "[nn]") {
  for (const TestNetwork& test : test::test_networks()) {
    INFO(test.name);
    Case c(test);
    const Outcome eager = run_eagerly(c.context, c.network, c.params, c.inputs);
    CHECK(compare(run_tape(c.context, c.network, c.params, c.inputs), eager, 0) == "");
    const Graph graph = build_graph(c.network, kBatch);
    CHECK(compare(run_graph(c.context, graph, c.params, c.inputs), eager, 0) == "");
    CHECK(c.poisoned.allocator().damaged_blocks() == 0);
  }
}

TEST_CASE("every module of a network has a name and an output", "[nn]") {
  for (const TestNetwork& test : test::test_networks()) {
    INFO(test.name);
    const Network network = test::make_test_network(test);
    std::set<std::string> marked;
    for (const auto& [name, value] : build_graph(network, 1).module_outputs) marked.insert(name);
    CHECK(marked == module_names(test));
  }
}

TEST_CASE("each graph pass keeps the output and every module's output", "[nn]") {
  struct Pass {
    const char* name;
    std::function<Graph(const Graph&, const Context&)> apply;
    double tolerance;
  };
  const Pass passes[] = {
      {"fold", [](const Graph& g, const Context&) { return fold_batch_norm(g); }, 1e-10},
      {"fuse", [](const Graph& g, const Context&) { return fuse_epilogues(g); }, 0},
      {"hoist", [](const Graph& g, const Context& c) { return hoist_packing(g, c); }, 0},
      {"place", [](const Graph& g, const Context&) { return place_concat_operands(g); }, 0},
      {"all", [](const Graph& g, const Context& c) { return optimize(g, c); }, 1e-10}};
  for (const TestNetwork& test : test::test_networks()) {
    Case c(test);
    const Outcome eager = run_eagerly(c.context, c.network, c.params, c.inputs);
    const Graph graph = build_graph(c.network, kBatch);
    for (const Pass& pass : passes) {
      INFO(test.name << ", " << pass.name);
      const Outcome outcome =
          run_graph(c.context, pass.apply(graph, c.context), c.params, c.inputs);
      CHECK(compare(outcome, eager, pass.tolerance) == "");
    }
    CHECK(c.poisoned.allocator().damaged_blocks() == 0);
  }
}

int count_nodes(const Graph& graph, const OpDef& op) {
  int count = 0;
  for (const GraphNode& node : graph.nodes) count += node.op == &op;
  return count;
}

TEST_CASE("optimizing leaves convolutions and little else", "[nn]") {
  const auto context = test::cpu_context();
  for (const TestNetwork& test : test::test_networks()) {
    INFO(test.name);
    const Graph graph = optimize(build_graph(test::make_test_network(test), kBatch), *context);
    const bool classifier = test.name == "judge";
    CHECK(count_nodes(graph, ops::kBatchNorm) == 0);
    CHECK(count_nodes(graph, ops::kActivation) == (classifier ? 0 : 1));  // behind the average pool
    CHECK(count_nodes(graph, ops::kFoldBatchNorm) == (classifier ? 5 : 17));
    CHECK(count_nodes(graph, ops::kConvPack) == count_nodes(graph, ops::kConv));
    int placed = 0;
    for (const GraphValue& value : graph.values) placed += value.placed_in >= 0;
    // Both skips of e0 and e1, u2, and what the conditioning does not touch: z and u1. The pool
    // reads e2 densely.
    CHECK(placed == (classifier ? 0 : test.name == "denoiser" ? 5 : 3));
  }
}

TEST_CASE("marks that nobody keeps do not stop the passes", "[nn]") {
  const auto context = test::cpu_context();
  const Network network = make_network(test::mnist_config("class", "add", 4), "");
  // A guided step: one image, asked about with and without its class.
  const std::map<std::string, int64_t> batch{{"x", 1}, {"t", 1}, {"c", 2}};
  const Graph fused = inference_graph(network, batch, *context);
  const Graph marked = inference_graph(network, batch, *context, /*keep_module_outputs=*/true);
  CHECK(fused.module_outputs.empty());
  CHECK(marked.module_outputs.size() == build_graph(network, batch).module_outputs.size());
  // The conditioning of z stays, computed once for both queries; that of u1 is fused into the
  // convolution that makes it.
  for (const OpDef* op : {&ops::kMultiply, &ops::kAdd}) {
    CHECK(count_nodes(marked, *op) == 2);
    CHECK(count_nodes(fused, *op) == 1);
  }
  CHECK(fused.nodes.size() == marked.nodes.size() - 2);
  const TensorMap params = test::random_params(*context, network, 5);
  const TensorMap inputs = test::random_inputs(*context, network, batch, 6);
  Executor plain(*context, marked, params), quick(*context, fused, params);
  const Tensor expected = run_executor(plain, inputs);
  CHECK(compare_bits(run_executor(quick, inputs), expected) == "");
  CHECK(plain.nodes_run() - quick.nodes_run() == 2);
}

// Bitwise as the network is written. share_concat_halves() splits a sum where operands are shared,
// and then the two agree to a squared error of (64 eps)^2 of the signal.
TEST_CASE("branches with a common image equal separate runs", "[nn]") {
  for (const TestNetwork& test : test::test_networks()) {
    if (!test::make_test_network(test).has_input("t")) continue;
    Case c(test);
    const TensorMap both = test::random_inputs(
        c.context, c.network, {{"x", kBatch}, {"t", 2 * kBatch}, {"c", 2 * kBatch}}, 3);
    const Graph wide =
        build_graph(c.network, {{"x", kBatch}, {"t", 2 * kBatch}, {"c", 2 * kBatch}});
    const Graph single = build_graph(c.network, kBatch);
    for (const bool optimized : {false, true}) {
      INFO(test.name << ", optimized " << optimized);
      const auto executor = [&](const Graph& graph) {
        return Executor(c.context, optimized ? optimize(graph, c.context) : graph, c.params);
      };
      Executor together = executor(wide), alone = executor(single);
      const Tensor output = run_executor(together, both);
      for (int64_t branch = 0; branch < 2; ++branch) {
        TensorMap inputs = both;
        for (const char* name : {"t", "c"}) {
          if (both.contains(name)) {
            inputs[name] = test::images(both.at(name), branch * kBatch, kBatch);
          }
        }
        const Tensor actual = test::images(output, branch * kBatch, kBatch);
        const Tensor expected = run_executor(alone, inputs);
        if (optimized) {
          CHECK(test::nmse(actual, expected) <= std::pow(64 * test::kEps32, 2));
        } else {
          CHECK(compare_bits(actual, expected) == "");
        }
      }
    }
  }
}

TEST_CASE("an image's result does not depend on the others in its batch", "[nn]") {
  for (const TestNetwork& test : test::test_networks()) {
    INFO(test.name);
    Case c(test);
    Executor batch(c.context, optimize(build_graph(c.network, kBatch), c.context), c.params);
    Executor single(c.context, optimize(build_graph(c.network, 1), c.context), c.params);
    const Tensor together = run_executor(batch, c.inputs);
    for (int64_t n = 0; n < kBatch; ++n) {
      TensorMap one;
      for (const auto& [name, value] : c.inputs) one[name] = test::images(value, n, 1);
      CHECK(compare_bits(test::images(together, n, 1), run_executor(single, one)) == "");
    }
  }
}

TEST_CASE("a new time or class repeats only the nodes behind it", "[nn]") {
  Case c({"class", test::mnist_config("class", "add", 4)});
  const Graph graph = optimize(build_graph(c.network, kBatch), c.context);
  Executor executor(c.context, graph, c.params);
  run_executor(executor, c.inputs);
  const int all = executor.nodes_run();
  int constant = 0;
  for (const OpDef* op : {&ops::kFoldBatchNorm, &ops::kConvPack}) {
    constant += count_nodes(graph, *op);
  }
  CHECK(all == static_cast<int>(graph.nodes.size()) - constant);

  const auto rerun = [&](const std::string& name, uint64_t seed) {
    c.inputs[name] = test::random_inputs(c.context, c.network, kBatch, seed).at(name);
    executor.set_input(name, c.inputs[name]);
    const Tensor output = executor.run();
    Executor fresh(c.context, graph, c.params);
    CHECK(compare_bits(output, run_executor(fresh, c.inputs)) == "");
    return executor.nodes_run();
  };
  const int behind_time = rerun("t", 5), behind_class = rerun("c", 6);
  CHECK(behind_time < all - 10);  // the encoder has 8 convolutions, a pool and an activation
  CHECK(behind_class == behind_time + 1);  // the first multiplication
  CHECK(rerun("x", 7) == all - 8);         // all but the 8 linear layers
  CHECK(rerun("t", 8) == behind_time);
}

TEST_CASE("results do not depend on the number of threads", "[nn]") {
  for (const TestNetwork& test : test::test_networks()) {
    INFO(test.name);
    std::vector<std::vector<float>> outputs;
    for (const int threads : {1, 2, 3}) {
      const auto context = test::cpu_context(threads);
      const Network network = test::make_test_network(test);
      Executor executor(*context, optimize(build_graph(network, kBatch), *context),
                        test::random_params(*context, network, 1));
      outputs.push_back(
          run_executor(executor, test::random_inputs(*context, network, kBatch, 2)).to_host());
    }
    CHECK(compare_bits(outputs[1], outputs[0]) == "");
    CHECK(compare_bits(outputs[2], outputs[0]) == "");
  }
}

}  // namespace
}  // namespace ebb
