#pragma once

#include <map>
#include <string>

#include "apps/report/figure_maker.h"
#include "apps/report/plan.h"

namespace ebb {

// The images of a figure with their labels and controls, as HTML. `made` holds the figure and those
// whose images it shows beside its own.
std::string figure_images(const Figure& figure, const std::map<std::string, MadeFigure>& made);

std::string found_image(const FoundImage& found);

}  // namespace ebb
