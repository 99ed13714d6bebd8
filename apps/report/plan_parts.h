#pragma once

#include <string>
#include <vector>

#include "apps/report/plan.h"

namespace ebb {

Part images_part(const ReportSettings& settings);        // what the others start from
Part applications_part(const ReportSettings& settings);  // part A of the assignment
Part training_part(const ReportSettings& settings);      // part B

// For the text of commands: the file of a figure that an earlier command wrote, and the number of
// steps (0: the model's own), which --fast makes small.
std::string figure_path(const ReportSettings& settings, const std::string& id);
int figure_steps(const ReportSettings& settings, int steps);
std::vector<std::string> with_steps(std::vector<std::string> command,
                                    const ReportSettings& settings, int steps);

}  // namespace ebb
