#include "tests/simt/launch_log.h"

#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <map>
#include <string>

namespace ebb::simt::engine {
namespace {

class LaunchLog {
 public:
  LaunchLog() {
    if (const char* path = std::getenv("EBB_EMULATOR_LOG")) path_ = path;
  }
  ~LaunchLog() {
    if (path_.empty()) return;
    std::ofstream file(path_, std::ios::app);
    for (const auto& [kernel, count] : counts_) {
      file << kernel << ' ' << count.checked << ' ' << count.unchecked << '\n';
    }
  }
  void add(const char* kernel, bool checked) {
    if (path_.empty()) return;
    Count& count = counts_[kernel];
    ++(checked ? count.checked : count.unchecked);
  }

 private:
  struct Count {
    int64_t checked = 0, unchecked = 0;
  };
  std::string path_;
  std::map<std::string, Count> counts_;
};

}  // namespace

void log_launch(const char* kernel, bool checked) {
  static LaunchLog log;
  log.add(kernel, checked);
}

}  // namespace ebb::simt::engine
