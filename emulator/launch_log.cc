#include "emulator/launch_log.h"

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <map>
#include <string>

#include "kernels/simt/shared_memory.h"

namespace ebb::simt::engine {
namespace {

class LaunchLog {
 public:
  LaunchLog() {
    if (const char* path = std::getenv("EBB_EMULATOR_LOG")) path_ = path;
  }
  ~LaunchLog() {
    if (cases_ > 0) {
      std::printf(
          "emulated: %lld cases, checked in forward order and equal in reverse and shuffled "
          "order\n",
          static_cast<long long>(cases_));
    }
    if (path_.empty()) return;
    std::ofstream file(path_);
    for (const auto& [name, k] : kernels_) {
      file << "launches " << name << ' ' << k.checked << ' ' << k.others << ' ' << k.threads << ' '
           << k.shared_bytes << '\n';
    }
    file << "cases " << cases_ << '\n';
  }
  void add(const emulator::Grid& grid, int64_t static_shared, bool checked) {
    if (path_.empty()) return;
    Kernel& kernel = kernels_[grid.name];
    ++(checked ? kernel.checked : kernel.others);
    kernel.threads = std::max(kernel.threads, int64_t{grid.block.x} * grid.block.y * grid.block.z);
    kernel.shared_bytes =
        std::max(kernel.shared_bytes, shared_bytes_of_block(static_shared, grid.shared_bytes));
  }
  void add_case() { ++cases_; }

 private:
  struct Kernel {
    int64_t checked = 0, others = 0, threads = 0, shared_bytes = 0;
  };
  std::string path_;
  std::map<std::string, Kernel> kernels_;
  int64_t cases_ = 0;
};

LaunchLog& launch_log() {
  static LaunchLog instance;
  return instance;
}

}  // namespace

void log_launch(const emulator::Grid& grid, int64_t static_shared, bool checked) {
  launch_log().add(grid, static_shared, checked);
}

void log_case() { launch_log().add_case(); }

}  // namespace ebb::simt::engine
