#pragma once

#include <string>
#include <vector>

#include "apps/report/plan.h"

namespace ebb {

// Puts the user's words into the plan. `text` is that of the file `label`: a line "# forward"
// starts the words of section forward, which replace ebb's; a line "..." stands for ebb's own.
// Blank lines separate paragraphs; `code` and *emphasis* are the only markup. Words above the first
// "#" are the introduction, which is returned as HTML. UsageError for an unknown section.
std::string use_own_text(const std::string& text, const std::string& label,
                         std::vector<Part>& plan);

}  // namespace ebb
