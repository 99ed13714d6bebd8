#include "diffusion/memory_needs.h"

#include <algorithm>

#include "base/error.h"
#include "base/text.h"
#include "engine/passes/passes.h"
#include "nn/graph_builder.h"
#include "nn/param_collector.h"

namespace ebb {
namespace {

std::string gigabytes(int64_t bytes) { return format_bytes(static_cast<uint64_t>(bytes)); }

}  // namespace

void check_memory(const Context& context, const Network& network,
                  const std::map<std::string, DType>& types, const std::string& label) {
  const std::optional<int64_t> available = context.allocator()->available();
  if (!available) return;
  int64_t stored = 0;
  for (const ParamSpec& spec : list_params(network)) {
    stored += spec.shape.elements() * size_of(types.at(spec.name));
  }
  const Graph graph = keep_weight_types(inference_graph(network, 1, context), types, context);
  const GraphBytes bytes = GraphPlan(graph, /*keep_module_outputs=*/false).bytes(context);
  // Each weight is freed when it has been packed.
  const int64_t weights = std::max(stored, bytes.weights);
  EBB_CHECK(weights + bytes.working <= *available, DeviceError, label, ": needs ",
            gigabytes(weights + bytes.working), " of memory, ", gigabytes(weights),
            " for weights and ", gigabytes(bytes.working), " to work on one image; ",
            gigabytes(*available), " are available on ", to_string(context.device()),
            ". Use a smaller model, a machine with more memory, or raise --memory-limit.");
}

void check_working_memory(const Context& context, const Graph& graph, int64_t images) {
  const std::optional<int64_t> available = context.allocator()->available();
  if (!available) return;
  const int64_t working = GraphPlan(graph, /*keep_module_outputs=*/false).bytes(context).working;
  EBB_CHECK(working <= *available, DeviceError, "a batch of ", images, " needs ",
            gigabytes(working), " of memory to work; ", gigabytes(*available), " are available on ",
            to_string(context.device()), ". Use a smaller --batch-size, or raise --memory-limit.");
}

}  // namespace ebb
