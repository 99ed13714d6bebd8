#pragma once

#include <string>

#include "nn/network.h"

namespace ebb {

// The network as an SVG element: a box for each of its top modules, from the input down, with what
// it computes and the size of its result, and lines for what flows between them. Everything is read
// from the graph that inference starts from. Colors are those of the page (page.css, .diagram).
std::string network_diagram(const Network& network, const std::string& label);

}  // namespace ebb
