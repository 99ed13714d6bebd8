#pragma once

#include <string>
#include <vector>

#include "apps/ebb/sample_output.h"

namespace ebb {

// All images of a command, looked at in one way: upright, turned, up close, from afar.
struct Aspect {
  std::string title;  // "rotate_180: 9"
  std::vector<Image> images;
};

// Images per row of the figure below when --grid-cols is not given.
int64_t side_by_side_columns(int64_t images, size_t aspects);

// UsageError as check_figure() for the figure below.
void check_side_by_side(const OutputFiles& files, const Shape& image, int64_t images,
                        const std::vector<std::string>& titles);

// A figure in which every image stands beside itself, once for each aspect, with its seed below.
// `seeds`: of the images; the title is the prompt in `common`.
void write_side_by_side(Results& results, const OutputFiles& files,
                        const std::vector<Aspect>& aspects, const std::vector<uint64_t>& seeds,
                        Provenance common);

}  // namespace ebb
