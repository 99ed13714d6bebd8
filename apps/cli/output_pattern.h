#pragma once

#include <cstdint>
#include <string>

#include "base/output_file.h"

namespace ebb {

// The value of -o: a path with a place for the image's number, such as "out_%03d.png".
class OutputPattern {
 public:
  // `text` may hold one number, %d or %0Nd with N from 1 to 9, and %% for a percent sign. More than
  // one image needs the number. UsageError otherwise.
  OutputPattern(const std::string& text, int64_t images);

  // Path of image `index`, counted from 0.
  std::string path(int64_t index) const;

  // check_output_file() for every image.
  void check(Overwrite overwrite) const;

 private:
  std::string before_;  // text around the number
  std::string after_;
  int digits_ = 0;  // zero-padded width
  bool numbered_ = false;
  int64_t images_;
};

}  // namespace ebb
