#include <iterator>

#include "apps/report/html.h"
#include "apps/report/plan_parts.h"
#include "base/error.h"

namespace ebb {

Part applications_part(const ReportSettings& settings) {
  Part part{.title = "Part A: the power of a diffusion model",
            .text = cat("<p>The assignment plays with a large model of photographs. Every "
                        "technique of it works on any model, so here they are on the small one of "
                        "ebb that knows digits: <code>",
                        escape_html(settings.model),
                        "</code>. Where the assignment says \u201ca high quality photo\u201d, "
                        "there is no prompt here; where it says \u201ca rocket ship\u201d, the "
                        "prompt here is \u201ca photo of a seven\u201d.</p>"),
            .sections = {}};
  for (std::vector<Section>& sections :
       std::vector<std::vector<Section>>{denoising_sections(settings), editing_sections(settings),
                                         combining_sections(settings)}) {
    std::move(sections.begin(), sections.end(), std::back_inserter(part.sections));
  }
  return part;
}

}  // namespace ebb
