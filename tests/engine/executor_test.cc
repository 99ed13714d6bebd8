#include "engine/executor.h"

#include "kernels/kernel_table.h"
#include "testing/catch.h"
#include "testing/contexts.h"
#include "testing/errors.h"
#include "testing/poison_allocator.h"
#include "tests/engine/graph_tools.h"

namespace ebb {
namespace {

using test::GraphWriter;
using test::message_of;
using test::RandomData;

// A branch of x alone, a branch of t alone, both joined twice, and a constant branch.
struct TwoInputs {
  explicit TwoInputs(Context& context) : writer(context, 1) {
    const ValueId x = writer.input("x", {2, 4, 4, 3}), t = writer.input("t", {4, 1});
    const ValueId encoded = writer.batch_norm(writer.conv(x, 4), Activation::kGelu);
    const ValueId vector =
        writer.linear(writer.activation(writer.linear(t, 6), Activation::kGelu), 4);
    const ValueId constant = writer.conv(writer.param({1, 4, 4, 2}, -1, 1), 2);
    const ValueId mixed = writer.add(encoded, vector);
    const ValueId joined = writer.concat({encoded, mixed, constant});
    writer.graph.output =
        writer.conv(writer.batch_norm(writer.conv(joined, 5), Activation::kGelu), 1);
    writer.graph.module_outputs = {
        {"encoder", encoded}, {"vector", vector}, {"mixed", mixed}, {"constant", constant}};
  }
  GraphWriter writer;
};

TEST_CASE("a run repeats only what depends on the inputs that changed", "[engine]") {
  const auto context = test::cpu_context();
  const TwoInputs net(*context);
  RandomData random(2);
  Executor executor(*context, net.writer.graph, net.writer.params);
  TensorMap inputs = test::random_inputs_of(*context, net.writer.graph, random);
  for (const auto& [name, tensor] : inputs) executor.set_input(name, tensor);
  const auto expect = [&](int nodes) {
    const Tensor output = executor.run();
    CHECK(executor.nodes_run() == nodes);
    const auto expected = test::run_eagerly(*context, net.writer.graph, net.writer.params, inputs);
    CHECK(test::compare_bits(output, expected[net.writer.graph.output]) == "");
  };
  expect(10);  // all but the constant branch
  expect(0);
  for (int round = 0; round < 2; ++round) {
    inputs["t"] = test::normal_tensor(*context, {4, 1}, random);
    executor.set_input("t", inputs["t"]);
    expect(8);
    inputs["x"] = test::normal_tensor(*context, {2, 4, 4, 3}, random);
    executor.set_input("x", inputs["x"]);
    expect(7);
  }
}

// The host's queue, able to capture: what a GPU's queue does, without a GPU.
class CapturingStream final : public Stream {
 public:
  KernelStream handle() const override { return host_->handle(); }
  void copy_to_device(void* to, const void* from, int64_t bytes) override { copy(to, from, bytes); }
  void copy_to_host(void* to, const void* from, int64_t rows, int64_t row_bytes,
                    int64_t from_pitch) override {
    CHECK_FALSE(capturing_);
    host_->copy_to_host(to, from, rows, row_bytes, from_pitch);
  }
  void copy(void* to, const void* from, int64_t bytes) override { host_->copy(to, from, bytes); }
  void fill_zero(void* data, int64_t bytes) override { host_->fill_zero(data, bytes); }
  void synchronize() override {}
  double time_seconds(const std::function<void()>& work) override {
    return host_->time_seconds(work);
  }
  std::unique_ptr<CapturedGraph> capture(const std::function<void()>& work) override {
    ++captured;
    return std::make_unique<Captured>(*this, work);
  }

  int captured = 0, launched = 0;

 private:
  class Captured final : public CapturedGraph {
   public:
    Captured(CapturingStream& stream, std::function<void()> work)
        : stream_(stream), work_(std::move(work)) {}
    void launch() override {
      ++stream_.launched;
      stream_.capturing_ = true;
      work_();
      stream_.capturing_ = false;
    }

   private:
    CapturingStream& stream_;
    std::function<void()> work_;
  };

  std::shared_ptr<Stream> host_ = host_stream(1);
  bool capturing_ = false;
};

TEST_CASE("a device with graph capture launches each set of changed inputs as one graph",
          "[engine]") {
  const auto stream = std::make_shared<CapturingStream>();
  const auto allocator = std::make_shared<test::PoisonAllocator>();
  Context context({DeviceType::kCpu, 0}, stream, allocator, cpu_kernels());
  const TwoInputs net(context);
  RandomData random(6);
  Executor executor(context, net.writer.graph, net.writer.params);
  TensorMap inputs = test::random_inputs_of(context, net.writer.graph, random);
  const auto run = [&](const std::vector<std::string>& changed) {
    for (const std::string& name : changed) {
      inputs[name] = test::normal_tensor(context, inputs.at(name).shape(), random);
      executor.set_input(name, inputs.at(name));
    }
    const auto expected = test::run_eagerly(context, net.writer.graph, net.writer.params, inputs);
    const int64_t before = allocator->stats().allocations;
    const Tensor& output = executor.run();
    CHECK(allocator->stats().allocations == before);
    CHECK(test::compare_bits(output, expected[net.writer.graph.output]) == "");
  };
  run({"x", "t"});
  CHECK(stream->captured == 0);  // the first run loads kernels
  for (int round = 1; round <= 3; ++round) {
    run({"x", "t"});
    CHECK(stream->captured == 1);
    CHECK(stream->launched == round);
  }
  run({"t"});
  run({"t"});
  CHECK(executor.nodes_run() == 8);
  run({});  // nothing changed: nothing is captured or launched
  run({});
  CHECK(executor.captured_graphs() == 2);
  CHECK(stream->launched == 4);

  context.enable_profiler();  // which sees every kernel, not the captured graph
  run({"x", "t"});
  CHECK(stream->launched == 4);
}

TEST_CASE("set_input copies: the caller's tensor may change afterwards", "[engine]") {
  const auto context = test::cpu_context();
  const TwoInputs net(*context);
  RandomData random(3);
  Executor executor(*context, net.writer.graph, net.writer.params);
  const TensorMap inputs = test::random_inputs_of(*context, net.writer.graph, random);
  const auto expected = test::run_eagerly(*context, net.writer.graph, net.writer.params, inputs);
  const Tensor& result = expected[net.writer.graph.output];
  for (const auto& [name, tensor] : inputs) {
    executor.set_input(name, tensor);
    tensor.fill_zero();
  }
  CHECK(test::compare_bits(executor.run(), result) == "");
}

TEST_CASE("module outputs are those of the last run", "[engine]") {
  const auto context = test::cpu_context();
  const TwoInputs net(*context);
  RandomData random(4);
  Executor executor(*context, net.writer.graph, net.writer.params, {.keep_module_outputs = true});
  TensorMap inputs = test::random_inputs_of(*context, net.writer.graph, random);
  for (const auto& [name, tensor] : inputs) executor.set_input(name, tensor);
  executor.run();
  inputs["t"] = test::normal_tensor(*context, {4, 1}, random);
  executor.set_input("t", inputs["t"]);
  executor.run();
  const auto expected = test::run_eagerly(*context, net.writer.graph, net.writer.params, inputs);
  for (const auto& [name, value] : net.writer.graph.module_outputs) {
    INFO(name);
    CHECK(test::compare_bits(executor.mark_output(name), expected[value]) == "");
  }
}

TEST_CASE("a constant operand written into its concatenation survives every run", "[engine]") {
  test::PoisonedContext poisoned;
  Context& context = poisoned.get();
  GraphWriter writer(context, 5);
  const ValueId x = writer.input("x", {1, 4, 4, 3});
  const ValueId constant = writer.conv(writer.param({1, 4, 4, 2}, -1, 1), 3);
  // Wide layers before it can use the memory of the concatenation until it is written.
  const ValueId early = writer.conv(writer.conv(writer.conv(x, 32), 32), 3);
  const ValueId joined = writer.concat({writer.conv(early, 3), constant});
  writer.graph.output = writer.conv(writer.conv(joined, 32), 1);
  const Graph placed = place_concat_operands(writer.graph);
  REQUIRE(placed.values[constant].placed_in == joined);
  Executor executor(context, placed, writer.params);
  RandomData random(6);
  for (int run = 0; run < 3; ++run) {
    const TensorMap inputs = test::random_inputs_of(context, writer.graph, random);
    executor.set_input("x", inputs.at("x"));
    const auto expected = test::run_eagerly(context, writer.graph, writer.params, inputs);
    CHECK(test::compare_bits(executor.run(), expected[writer.graph.output]) == "");
  }
}

TEST_CASE("values that are never alive together share the arena", "[engine]") {
  const auto context = test::cpu_context();
  GraphWriter writer(*context, 1);
  ValueId h = writer.input("x", {2, 4, 4, 3});
  for (int layer = 0; layer < 10; ++layer) h = writer.conv(h, 8);
  writer.graph.output = h;
  const int64_t value_bytes = 2 * 4 * 4 * 8 * 4;
  const Executor executor(*context, writer.graph, writer.params);
  CHECK(executor.arena_bytes() == 3 * value_bytes);  // a pair of buffers and the output
}

TEST_CASE("weights that only feed constants are released", "[engine]") {
  test::PoisonedContext poisoned;
  Context& context = poisoned.get();
  GraphWriter writer(context, 1);
  const ValueId x = writer.input("x", {1, 4, 4, 64});
  writer.graph.output = writer.batch_norm(writer.conv(x, 64), Activation::kGelu);
  const int64_t weight_bytes = 64 * 9 * 64 * 4;
  const Executor executor(context, optimize(writer.graph, context), writer.params);
  const int64_t with_params = poisoned.allocator().stats().bytes_in_use;
  writer.params.clear();
  CHECK(poisoned.allocator().stats().bytes_in_use < with_params - weight_bytes);
}

TEST_CASE("weights of a file in 16 bits stay so, and memory is what the plan says", "[engine]") {
  const auto context = test::cpu_context();
  GraphWriter writer(*context, 1);
  ValueId h = writer.input("x", {2, 16, 16, 192});
  for (int layer = 0; layer < 3; ++layer) h = writer.conv(h, 192);
  writer.graph.output = h;
  TensorMap halves;
  for (const auto& [name, tensor] : writer.params) {
    halves[name] = to_dtype(*context, tensor, DType::kF16);
    writer.params[name] = to_dtype(*context, halves[name], DType::kF32);  // what halves can hold
  }
  const Tensor x =
      test::tensor_of(*context, {2, 16, 16, 192}, writer.random().uniform(2 * 256 * 192, -1, 1));
  const Graph wide = optimize(writer.graph, *context);
  const Graph graph = keep_weight_types(wide, types_of(halves), *context);
  const GraphBytes planned = GraphPlan(graph, false).bytes(*context);
  const int64_t weight_bytes = 3 * 9 * 192 * 192 * 2;
  CHECK(planned.weights >= weight_bytes);
  CHECK(planned.weights <= weight_bytes + 3 * 192 * 4);

  const int64_t others = context->allocator()->stats().bytes_in_use;
  const int64_t held = [&] {
    int64_t bytes = 0;
    for (const auto& [name, tensor] : halves) bytes += tensor.elements() * 2;
    return bytes;
  }();
  Executor executor(*context, graph, std::move(halves));
  halves.clear();
  const int64_t taken = context->allocator()->stats().bytes_in_use - (others - held);
  CHECK(taken >= planned.total());
  CHECK(taken <= planned.total() + planned.total() / 8 + 4096);  // blocks are rounded up

  Executor expected(*context, wide, writer.params);
  executor.set_input("x", x);
  expected.set_input("x", x);
  CHECK(executor.run().to_host() == expected.run().to_host());
}

// Layers of one size, each a conv whose BatchNorm is folded.
struct Chain {
  static constexpr int kLayers = 12;
  static constexpr int64_t kWeightBytes = 64 * 9 * 64 * 4;

  explicit Chain(Context& context) : writer(context, 1) {
    ValueId h = writer.input("x", {1, 4, 4, 64});
    for (int i = 0; i < kLayers; ++i) {
      h = writer.batch_norm(writer.conv(h, 64), Activation::kGelu);
    }
    writer.graph.output = h;
  }
  GraphWriter writer;
};

TEST_CASE("parameters that are given away are freed one by one as they are packed", "[engine]") {
  const auto peak_growth = [](bool gives_away) {
    const auto context = test::cpu_context();
    Chain chain(*context);
    const Graph graph = optimize(chain.writer.graph, *context);
    const int64_t before = context->allocator()->stats().bytes_in_use;
    const Executor executor(*context, graph,
                            gives_away ? std::move(chain.writer.params) : chain.writer.params);
    const AllocatorStats after = context->allocator()->stats();
    const int64_t settled = gives_away ? after.bytes_in_use : before + after.bytes_in_use;
    CHECK(after.peak_bytes_in_use <= settled + 4 * Chain::kWeightBytes);
    return after.peak_bytes_in_use - before;
  };
  const int64_t all = Chain::kLayers * Chain::kWeightBytes;
  CHECK(peak_growth(false) > all);
  CHECK(peak_growth(true) < peak_growth(false) - all / 2);
}

// The parameters in 16 bits, and what these say in f32.
std::pair<TensorMap, TensorMap> rounded(Context& context, const TensorMap& params, DType dtype) {
  TensorMap narrow, wide;
  for (const auto& [name, tensor] : params) {
    narrow[name] = to_dtype(context, tensor, dtype);
    wide[name] = to_dtype(context, narrow[name], DType::kF32);
  }
  return {narrow, wide};
}

TEST_CASE("parameters of 16 bits give the bits of their widened values", "[engine]") {
  test::PoisonedContext poisoned;
  Context& context = poisoned.get();
  const TwoInputs net(context);
  const DType dtype = GENERATE(DType::kF16, DType::kBF16);
  const bool with_passes = GENERATE(false, true);
  CAPTURE(to_string(dtype), with_passes);
  const auto [narrow, wide] = rounded(context, net.writer.params, dtype);
  const auto run = [&](const TensorMap& params) {
    const Graph& graph = net.writer.graph;
    Executor executor(context, with_passes ? optimize(graph, context) : graph, params);
    RandomData random(7);
    executor.set_input("x", test::normal_tensor(context, {2, 4, 4, 3}, random));
    executor.set_input("t", test::normal_tensor(context, {4, 1}, random));
    return executor.run();
  };
  const Tensor expected = run(wide);
  CHECK(test::compare_bits(run(narrow), expected) == "");
  CHECK(test::compare_bits(run(net.writer.params), expected) != "");  // it did round
  for (const auto& [name, tensor] : narrow) CHECK(tensor.dtype() == dtype);
  CHECK(poisoned.allocator().damaged_blocks() == 0);
}

TEST_CASE("a run before every input was set is refused", "[engine]") {
  const auto context = test::cpu_context();
  const TwoInputs net(*context);
  Executor executor(*context, net.writer.graph, net.writer.params);
  CHECK(message_of<Error>([&] { executor.run(); }) == "executor: run() before every input was set");
  executor.set_input("x", Tensor::zeros(*context, {2, 4, 4, 3}));
  CHECK_THROWS_AS(executor.run(), Error);
  executor.set_input("t", Tensor::zeros(*context, {4, 1}));
  CHECK_NOTHROW(executor.run());
}

TEST_CASE("integers enter a graph as they are", "[engine]") {
  const auto context = test::cpu_context();
  GraphWriter writer(*context, 1);
  const ValueId table = writer.param({5, 3}, -1, 1);
  const ValueId ids = writer.graph.add_value(ValueKind::kInput, "ids", {4}, DType::kI32);
  writer.graph.output = writer.node(ops::kEmbedding, {}, {table, ids});
  CHECK(writer.graph.values[writer.graph.output].dtype == DType::kF32);
  Executor executor(*context, writer.graph, writer.params);
  const std::vector<int32_t> rows{4, 0, 2, 4};
  executor.set_input("ids", Tensor::from_host(*context, {4}, std::span<const int32_t>(rows)));
  const Tensor y = executor.run();
  for (int64_t i = 0; i < 4; ++i) {
    CHECK(test::compare_bits(y.range(3 * i, {3}),
                             writer.params.at("p0").range(3 * int64_t{rows[i]}, {3})) == "");
  }
  CHECK(message_of<ShapeError>([&] { executor.set_input("ids", Tensor::zeros(*context, {4})); }) ==
        "executor: input ids is f32, expected i32");
}

TEST_CASE("wrong inputs, parameters and module outputs are named", "[engine]") {
  const auto context = test::cpu_context();
  const TwoInputs net(*context);
  Executor executor(*context, net.writer.graph, net.writer.params);
  CHECK(message_of<Error>([&] { executor.set_input("z", Tensor::zeros(*context, {1})); }) ==
        "executor: no input named z");
  CHECK(message_of<ShapeError>([&] {
          executor.set_input("t", Tensor::zeros(*context, {2, 1}));
        }) == "executor: input t has shape [2, 1], expected [4, 1]");
  CHECK(message_of<ShapeError>([&] {
          executor.set_input("t", Tensor::zeros(*context, {4, 1}, DType::kI32));
        }) == "executor: input t is i32, expected f32");
  CHECK(message_of<Error>([&] { executor.mark_output("encoder"); }) ==
        "executor: module outputs are not kept. Set Options::keep_module_outputs");
  CHECK(message_of<Error>([&] { executor.mark_output("decoder"); }) ==
        "executor: no module named decoder");

  TensorMap params = net.writer.params;
  params["p0"] = Tensor::zeros(*context, {4, 3, 3, 2});
  CHECK(message_of<ShapeError>([&] { Executor(*context, net.writer.graph, params); }) ==
        "executor: parameter p0 has shape [4, 3, 3, 2], expected [4, 3, 3, 3]");
  params.erase("p0");
  CHECK(message_of<Error>([&] { Executor(*context, net.writer.graph, params); }) ==
        "executor: parameter p0 is missing");
}

}  // namespace
}  // namespace ebb
