#pragma once

#include <string>
#include <vector>

namespace ebb {

// A table as text: what a command found, in the page's words.
struct ResultTable {
  std::string title;
  std::vector<std::string> columns;
  std::vector<std::vector<std::string>> rows;
};

// The tables in the JSON object that a command of a figure prints with --json: what the classifier
// read, the blurs tried, known pixels, and those of `ebb eval`. Nothing of paths, times or digests.
std::vector<ResultTable> result_tables(const std::string& json);

}  // namespace ebb
