#pragma once

#include <map>
#include <string>
#include <vector>

#include "apps/report/figure_maker.h"
#include "apps/report/plan.h"

namespace ebb {

// A line at the top of the page: "Seed", "180".
struct PageFact {
  std::string name;
  std::string value;
};

// The top of the page, above the figures.
struct PageHead {
  std::string title = {};         // empty: the assignment's
  std::string introduction = {};  // HTML; empty: ebb's
  std::vector<PageFact> facts;
  bool own_images = false;  // the user's are among the images
};

// The whole page as one HTML document that loads nothing from the network: style, script and every
// image are inside. `made` holds every figure of the plan by its id.
std::string render_page(const std::vector<Part>& parts,
                        const std::map<std::string, MadeFigure>& made, const PageHead& head);

}  // namespace ebb
