#include "engine/graph.h"

#include "testing/catch.h"
#include "testing/contexts.h"
#include "testing/errors.h"
#include "tests/engine/graph_tools.h"

namespace ebb {
namespace {

using test::GraphWriter;

TEST_CASE("a graph knows which nodes compute and read each value", "[engine]") {
  const auto context = test::cpu_context();
  GraphWriter writer(*context, 1);
  const ValueId x = writer.input("x", {2, 4, 4, 3});
  const ValueId h = writer.conv(x, 5);
  const ValueId y = writer.concat({h, h, x});
  const Graph& graph = writer.graph;
  CHECK(graph.values[y].shape == Shape{2, 4, 4, 13});
  CHECK(graph.shapes({x, h}) == std::vector<Shape>{{2, 4, 4, 3}, {2, 4, 4, 5}});
  const std::vector<int> producers = graph.producers();
  CHECK(producers[x] == -1);
  CHECK(producers[h] == 0);
  CHECK(producers[y] == 1);
  const auto consumers = graph.consumers();
  CHECK(consumers[x] == std::vector<int>{0, 1});
  CHECK(consumers[h] == std::vector<int>{1, 1});
  CHECK(consumers[y].empty());
}

TEST_CASE("the output and marked values are visible", "[engine]") {
  const auto context = test::cpu_context();
  GraphWriter writer(*context, 1);
  const ValueId x = writer.input("x", {2, 4, 4, 3});
  const ValueId h = writer.conv(x, 5), y = writer.conv(h, 1);
  writer.graph.output = y;
  CHECK(writer.graph.is_visible(y));
  CHECK_FALSE(writer.graph.is_visible(h));
  writer.graph.module_outputs["block"] = h;
  CHECK(writer.graph.is_visible(h));
}

TEST_CASE("an operation that does not fit is refused when it is added", "[engine]") {
  const auto context = test::cpu_context();
  GraphWriter writer(*context, 1);
  const ValueId x = writer.input("x", {2, 4, 4, 3}), t = writer.input("t", {2, 4});
  CHECK(test::message_of<ShapeError>([&] { writer.add(x, t); }) ==
        "add: operand [2, 4] for input [2, 4, 4, 3], expected [N, 3] or [2, 4, 4, 3]");
  CHECK(writer.graph.nodes.empty());
}

TEST_CASE("a node with several outputs gets a value for each", "[engine]") {
  const auto context = test::cpu_context();
  GraphWriter writer(*context, 1);
  const ValueId x = writer.input("x", {2, 4, 4, 3});
  const ValueId c = writer.param({3}, 0.5, 1);
  const auto outputs =
      writer.graph.add_node(ops::kBatchNormTrain, BatchNormAttrs{}, {x, c, c, c, c}, "bn");
  CHECK(writer.graph.shapes(outputs) == std::vector<Shape>{{2, 4, 4, 3}, {3}, {3}});
  for (ValueId v : outputs) CHECK(writer.graph.producers()[v] == 0);
}

}  // namespace
}  // namespace ebb
