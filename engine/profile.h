#pragma once

#include <cstdint>
#include <map>
#include <string>

namespace ebb {

// Wall time per kernel and per layer (--profile).
class Profiler {
 public:
  void record(const char* kernel, const std::string& layer, double seconds);

  // Two tables, by kernel and by layer, sorted by time: calls, total ms, share.
  std::string table() const;

 private:
  struct Entry {
    int64_t calls = 0;
    double seconds = 0;
  };
  std::map<std::string, Entry> by_kernel_;
  std::map<std::string, Entry> by_layer_;
};

}  // namespace ebb
