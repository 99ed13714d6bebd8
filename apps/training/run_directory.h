#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/file_descriptor.h"

namespace ebb {

struct CheckpointFile {
  std::string path;
  int64_t step = 0;
};

// The checkpoints in a directory, the newest first; none where there is no directory. IoError when
// it cannot be read.
std::vector<CheckpointFile> checkpoints_in(const std::string& directory);

// The directory of one training run: log.jsonl, checkpoint-<step>.safetensors, images and the final
// model.safetensors. Held by one trainer at a time. Files of others may lie in it and stay as they
// are.
class RunDirectory {
 public:
  // Creates the directory when needed and locks it. UsageError names the process that holds it;
  // IoError when it cannot be written. Where the file system has no locks, a warning says so.
  explicit RunDirectory(const std::string& path);

  std::string file(const std::string& name) const;
  std::vector<CheckpointFile> checkpoints() const;  // as checkpoints_in()
  std::string checkpoint_path(int64_t step) const;
  // Removes the checkpoints older than the newest `keep` for which `is_ours` (a path) is true.
  void remove_old_checkpoints(int64_t keep,
                              const std::function<bool(const std::string&)>& is_ours) const;
  // Deletes temporary files that a killed trainer left behind.
  void remove_leftovers() const;

  // The first file that a run writes and that is there, of this run or another; empty: none.
  std::string first_output() const;

 private:
  std::string path_;
  FileDescriptor lock_;
};

}  // namespace ebb
