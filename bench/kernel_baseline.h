#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "bench/harness.h"
#include "bench/measurement.h"

namespace ebb {

// Milliseconds by "<case>, <pass>, <precision>": the fastest of all rounds and variants.
struct BaselineTimes {
  std::map<std::string, double> ms;
  std::map<std::string, std::string> variant;
  std::string version;  // "torch 2.15.0", after its first result
};

// Key of the baseline's time for a measurement.
std::string baseline_key(const Measurement& m);

// Runs the baseline on all cases that it supports; on_line after each result.
void measure_baseline(const BenchFlags& flags, const std::vector<Measurement>& all,
                      BaselineTimes& times, const std::function<void()>& on_line);

}  // namespace ebb
