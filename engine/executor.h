#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "engine/graph.h"
#include "engine/graph_cache.h"
#include "engine/graph_plan.h"

namespace ebb {

// Runs a graph in one planned arena. What depends on parameters alone is computed once, here; of
// the rest, run() repeats only what depends on an input that was set since the last run. On devices
// with graph capture, each such set of nodes is captured at its second run and launched as one
// graph from then on: addresses never change, and no node allocates.
class Executor {
 public:
  struct Options {
    bool keep_module_outputs = false;  // module outputs stay readable after run()
  };

  // params holds every parameter of the graph in the engine's layout, on the context's device, in
  // its stored type; parameters that the graph needs in another type are converted just before they
  // are read. Pass them with std::move if they are not needed elsewhere: the original of a weight
  // is then freed as soon as it is packed.
  Executor(Context& context, Graph graph, TensorMap params, const Options& options);
  Executor(Context& context, Graph graph, TensorMap params)
      : Executor(context, std::move(graph), std::move(params), Options{}) {}

  void set_input(const std::string& name, const Tensor& value);  // copied
  const Tensor& run();  // the output; overwritten by the next run

  // The output of a module; Error without keep_module_outputs.
  const Tensor& mark_output(const std::string& name) const;

  int64_t arena_bytes() const { return arena_bytes_; }
  int nodes_run() const { return nodes_run_; }  // by the last run()
  int captured_graphs() const { return graphs_.size(); }

 private:
  using InputMask = GraphPlan::InputMask;

  void bind_params(TensorMap params);
  void plan();
  // Runs what depends on parameters alone. Each parameter and each intermediate result is kept
  // only until the last node that reads it.
  void compute_constants();
  void allocate_constant(ValueId value);
  void convert_param(ValueId value);
  void bind_values(const MemoryPlan& memory);
  void run_node(const GraphNode& node);
  void run_nodes(InputMask inputs);

  Context& context_;
  std::unique_ptr<const Graph> owned_graph_;  // stays in place when the executor moves
  const Graph& graph_;
  bool keep_module_outputs_;
  GraphPlan plan_;               // of graph_
  std::vector<Tensor> tensors_;  // per value
  Tensor workspace_;
  InputMask dirty_ = 0;
  InputMask missing_ = 0;         // inputs never set
  GraphCache<InputMask> graphs_;  // by the set of changed inputs
  int64_t arena_bytes_ = 0;
  int nodes_run_ = 0;
};

}  // namespace ebb
