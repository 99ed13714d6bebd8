#pragma once

#include <functional>
#include <iosfwd>
#include <string>
#include <vector>

#include "apps/report/plan.h"
#include "apps/report/result_tables.h"

namespace ebb {

// The result of a figure's command. The command, the seeds and the model are read back from the
// image, so that page and files agree.
struct MadeFigure {
  std::vector<std::string> files;
  std::string command;   // one line for a shell
  std::string seeds;     // "180", "180 to 189"; empty: no random numbers
  std::string model;     // "mnist-class, SHA-256 1bffcd4d67d7"; empty: none
  std::string schedule;  // "ddpm, 300 steps, guidance 5"; empty: nothing was sampled
  double seconds = 0;
  int width = 0;  // of the first image, pixels
  int height = 0;
  std::vector<ResultTable> tables;  // what the command found
  std::string animation;            // of Show::kAnimation
  std::string problem;              // why nothing was run: no such model, or one without classes
  std::string remedy;               // the command that helps
};

// The images that the figure's command will write, in the report's directory.
std::vector<std::string> figure_files(const Figure& figure, const ReportSettings& settings);
// The animation that it will write beside them, of Show::kAnimation; else nothing.
std::string animation_file(const Figure& figure, const ReportSettings& settings);

// Runs a command line, "ebb" first, and prints to `out`; throws on errors.
using RunFigureCommand =
    std::function<void(const std::vector<std::string>& arguments, std::ostream& out)>;

// Runs the figure's command and measures it. Errors of the command are thrown, with the figure's
// name in front.
MadeFigure make_figure(const Figure& figure, const ReportSettings& settings,
                       const RunFigureCommand& run);

// Whether `--model name` would find a file.
bool has_model(const std::string& name);

}  // namespace ebb
