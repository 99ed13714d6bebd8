#include "apps/report/network_diagram.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <sstream>
#include <vector>

#include "apps/report/html.h"
#include "base/error.h"
#include "nn/graph_builder.h"

namespace ebb {
namespace {

// A top module of the network, such as "down1".
struct Module {
  std::string name;
  std::vector<std::string> lines;  // what it computes, in order
  Shape output;                    // of one image, batch included
  std::set<size_t> sources;        // modules whose results it reads
  bool at_side = false;            // its vector only modulates another module's image
};

std::string size_text(const Shape& shape) {
  std::string text;
  for (int axis = 1; axis < shape.rank(); ++axis)
    text += cat(axis > 1 ? "\u00d7" : "", shape[axis]);
  return text;
}

std::string activation_text(Activation activation) {
  std::string name = to_string(activation);
  std::transform(name.begin(), name.end(), name.begin(),
                 [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  return name;
}

std::string conv_text(const ConvAttrs& conv, const Shape& input, const Shape& output) {
  if (input.rank() == 2) return cat("Linear ", output.back());
  std::string text = cat(conv.transposed ? "ConvT " : "Conv ", conv.kernel, "\u00d7", conv.kernel);
  if (conv.stride > 1) text += cat(conv.transposed ? " \u2191" : " \u2193", conv.stride);
  return text;
}

// Turns the graph's nodes into modules.
class ModuleReader {
 public:
  explicit ModuleReader(const Graph& graph) : graph_(graph), module_of_value_(graph.values.size()) {
    for (const GraphNode& node : graph.nodes) read(node);
    for (Module& module : modules_) {
      merge_repeats(module.lines);
      module.at_side = module.output.rank() == 2 && modulates(module);
    }
  }

  std::vector<Module> modules() && { return std::move(modules_); }

 private:
  static constexpr size_t kNone = 0;  // module_of_value_ counts from 1

  size_t index_of(const std::string& name) {
    const auto found = std::find_if(modules_.begin(), modules_.end(),
                                    [&](const Module& m) { return m.name == name; });
    if (found != modules_.end()) return static_cast<size_t>(found - modules_.begin());
    modules_.push_back({.name = name, .lines = {}, .output = {}, .sources = {}});
    return modules_.size() - 1;
  }

  // "down2", "input t".
  std::string name_of(ValueId value) const {
    const size_t module = module_of_value_[static_cast<size_t>(value)];
    if (module != kNone) return modules_[module - 1].name;
    return "input " + graph_.values[static_cast<size_t>(value)].name;
  }

  const Shape& shape(ValueId value) const {
    return graph_.values[static_cast<size_t>(value)].shape;
  }

  void read(const GraphNode& node) {
    const size_t index = index_of(node.layer.substr(0, node.layer.find('.')));
    add_line(node, modules_[index], index);
    for (const ValueId input : node.inputs) {
      const size_t source = module_of_value_[static_cast<size_t>(input)];
      if (source != kNone && source != index + 1) modules_[index].sources.insert(source - 1);
    }
    for (const ValueId output : node.outputs) {
      module_of_value_[static_cast<size_t>(output)] = index + 1;
    }
    modules_[index].output = shape(node.outputs.front());
  }

  // Normalization and activation stand on the line of what they follow.
  void add_line(const GraphNode& node, Module& module, size_t index) {
    std::vector<std::string>& lines = module.lines;
    const auto follow = [&](const std::string& text) {
      if (lines.empty()) {
        lines.push_back(text);
      } else {
        lines.back() += ", " + text;
      }
    };
    if (const auto* norm = std::get_if<BatchNormAttrs>(&node.attrs)) {
      follow("BatchNorm");
      if (norm->activation != Activation::kNone) follow(activation_text(norm->activation));
    } else if (const auto* activation = std::get_if<ActivationAttrs>(&node.attrs)) {
      follow(activation_text(activation->activation));
    } else if (const auto* conv = std::get_if<ConvAttrs>(&node.attrs)) {
      const std::string text = conv_text(*conv, shape(node.inputs[0]), shape(node.outputs[0]));
      const GraphValue& input = graph_.values[static_cast<size_t>(node.inputs[0])];
      const bool is_vector = input.kind == ValueKind::kInput && input.shape.rank() == 2;
      lines.push_back(is_vector ? cat(input.name, " \u2192 ", text) : text);
    } else if (const auto* pool = std::get_if<PoolAttrs>(&node.attrs)) {
      lines.push_back(cat("mean of ", pool->kernel, "\u00d7", pool->kernel));
    } else if (node.op == &ops::kConcat) {
      lines.push_back("concat " + operands(node, index));
    } else if (node.op == &ops::kAdd || node.op == &ops::kMultiply) {
      const bool is_first = lines.empty();
      const std::string sign = node.op == &ops::kAdd ? "+ " : "\u00d7 ";
      const std::string text = sign + name_of(node.inputs[1]);
      is_first ? lines.push_back(name_of(node.inputs[0]) + " " + text)
               : static_cast<void>(lines.back() += " " + text);
    } else {
      lines.emplace_back(node.op->name);
    }
  }

  std::string operands(const GraphNode& node, size_t index) const {
    std::string text;
    for (const ValueId input : node.inputs) {
      if (module_of_value_[static_cast<size_t>(input)] == index + 1) continue;
      text += (text.empty() ? "" : ", ") + name_of(input);
    }
    return text;
  }

  static void merge_repeats(std::vector<std::string>& lines) {
    std::vector<std::string> merged;
    for (size_t i = 0; i < lines.size();) {
      size_t end = i;
      while (end < lines.size() && lines[end] == lines[i]) ++end;
      merged.push_back(end - i > 1 ? cat(end - i, " \u00d7 (", lines[i], ")") : lines[i]);
      i = end;
    }
    lines = std::move(merged);
  }

  bool modulates(const Module& module) const {
    const auto index = static_cast<size_t>(&module - modules_.data());
    return std::any_of(modules_.begin(), modules_.end(), [&](const Module& other) {
      return other.sources.contains(index) && other.output.rank() == 4;
    });
  }

  const Graph& graph_;
  std::vector<Module> modules_;
  std::vector<size_t> module_of_value_;
};

// Lengths in the units of the drawing, which are CSS pixels at full size.
constexpr int kWidth = 452, kBoxWidth = 236, kSideWidth = 122, kGap = 18, kLineHeight = 13;
constexpr int kHead = 22, kFoot = 7, kLeft = 50, kIndent = 8, kLane = 11;

struct Box {
  int x, y, width, height;
  int middle() const { return y + height / 2; }
};

int height_of(const Module& module) {
  return kHead + kLineHeight * static_cast<int>(module.lines.size()) + kFoot;
}

class Drawing {
 public:
  Drawing(const Network& network, const std::vector<Module>& modules)
      : network_(network), modules_(modules), boxes_(modules.size()) {
    place();
  }

  std::string svg(const std::string& label) {
    draw_input();
    for (size_t i = 0; i < modules_.size(); ++i) draw_box(i);
    draw_flows();
    return cat("<svg class=\"diagram\" role=\"img\" aria-label=\"", escape_html(label),
               "\" viewBox=\"0 0 ", kWidth, " ", bottom_ + 6, "\">", out_.str(), "</svg>");
  }

 private:
  // The side of the image at the input over that of a result, as a number of halvings.
  int level(const Shape& shape) const {
    const double side = static_cast<double>(network_.sample().shape[0]);
    const double here = shape.rank() == 4 ? static_cast<double>(shape[1]) : 1;
    return std::min(3, static_cast<int>(std::lround(std::log2(side / here))));
  }

  // One below the other; what modulates a module stands at its right.
  void place() {
    int y = kInputHeight + kGap;
    for (size_t i = 0; i < modules_.size(); ++i) {
      if (modules_[i].at_side) continue;
      const int x = kLeft + kIndent * level(modules_[i].output);
      int side_y = y;
      for (const size_t source : modules_[i].sources) {
        if (!modules_[source].at_side) continue;
        boxes_[source] = {kWidth - kSideWidth - 1, side_y, kSideWidth, height_of(modules_[source])};
        side_y += height_of(modules_[source]) + 6;
      }
      const int own = height_of(modules_[i]);
      const int needed = std::max(own, side_y - 6 - y);
      boxes_[i] = {x, y + (needed - own) / 2, kBoxWidth, own};
      y += needed + kGap;
    }
    bottom_ = y - kGap;
  }

  void text(int x, int y, const char* kind, const std::string& content) {
    out_ << "<text x=\"" << x << "\" y=\"" << y << "\" class=\"" << kind << "\">"
         << escape_html(content) << "</text>";
  }

  void draw_input() {
    const NetworkInput& sample = network_.sample();
    Shape shape = {1};
    for (const int64_t dim : sample.shape) shape.push_back(dim);
    out_ << "<rect x=\"" << kLeft << "\" y=\"1\" width=\"" << kBoxWidth << "\" height=\""
         << kInputHeight - 1 << "\" rx=\"5\" class=\"end\"/>";
    text(kLeft + 10, 16, "name", "input " + sample.name);
    text(kLeft + kBoxWidth - 10, 16, "size", size_text(shape));
  }

  void draw_box(size_t index) {
    const Box& box = boxes_[index];
    const Module& module = modules_[index];
    out_ << "<rect x=\"" << box.x << "\" y=\"" << box.y << "\" width=\"" << box.width
         << "\" height=\"" << box.height << "\" rx=\"5\" class=\""
         << (module.at_side ? "side" : "module") << "\"/>";
    text(box.x + 10, box.y + 16, "name", module.name);
    text(box.x + box.width - 10, box.y + 16, "size", size_text(module.output));
    int y = box.y + kHead + 8;
    for (const std::string& line : module.lines) {
      text(box.x + 10, y, "step", line);
      y += kLineHeight;
    }
  }

  void arrow(const std::string& path) { out_ << "<path d=\"" << path << "\" class=\"flow\"/>"; }
  void down_head(int x, int y) {
    out_ << "<path d=\"M" << x << " " << y << "l-4 -6h8z\" class=\"head\"/>";
  }
  void side_head(int x, int y, int direction) {
    out_ << "<path d=\"M" << x << " " << y << "l" << -6 * direction << " -4v8z\" class=\"head\"/>";
  }

  void draw_flows() {
    constexpr int kAxis = kLeft + kBoxWidth / 2;
    size_t above = modules_.size();  // of the input
    std::vector<std::pair<size_t, size_t>> skips;
    for (size_t i = 0; i < modules_.size(); ++i) {
      if (modules_[i].at_side) continue;
      const int from =
          above < modules_.size() ? boxes_[above].y + boxes_[above].height : kInputHeight;
      if (above == modules_.size() || modules_[i].sources.contains(above)) {
        arrow(cat("M", kAxis, " ", from, "V", boxes_[i].y - 3));
        down_head(kAxis, boxes_[i].y);
      }
      for (const size_t source : modules_[i].sources) {
        if (modules_[source].at_side) {
          draw_side(source, i);
        } else if (source != above) {
          skips.emplace_back(source, i);
        }
      }
      above = i;
    }
    draw_skips(std::move(skips));
  }

  void draw_side(size_t source, size_t target) {
    const Box &from = boxes_[source], &to = boxes_[target];
    const int right = to.x + to.width, turn = from.x - 12;
    arrow(cat("M", from.x, " ", from.middle(), "H", turn, "V", to.middle(), "H", right + 3));
    side_head(right, to.middle(), -1);
  }

  // The longest in the lane at the edge.
  void draw_skips(std::vector<std::pair<size_t, size_t>> skips) {
    const auto length = [&](const std::pair<size_t, size_t>& skip) {
      return boxes_[skip.second].y - boxes_[skip.first].y;
    };
    std::sort(skips.begin(), skips.end(),
              [&](const auto& a, const auto& b) { return length(a) > length(b); });
    int x = 6;
    for (const auto& [source, target] : skips) {
      const Box &from = boxes_[source], &to = boxes_[target];
      const int arrival = to.y + kHead / 2 + 2;
      arrow(cat("M", from.x, " ", from.middle(), "H", x, "V", arrival, "H", to.x - 3));
      side_head(to.x, arrival, 1);
      x += kLane;
    }
  }

  static constexpr int kInputHeight = 24;

  const Network& network_;
  const std::vector<Module>& modules_;
  std::vector<Box> boxes_;  // by module
  std::ostringstream out_;
  int bottom_ = 0;
};

}  // namespace

std::string network_diagram(const Network& network, const std::string& label) {
  const Graph graph = build_graph(network, 1);
  const std::vector<Module> modules = ModuleReader(graph).modules();
  return Drawing(network, modules).svg(label);
}

}  // namespace ebb
