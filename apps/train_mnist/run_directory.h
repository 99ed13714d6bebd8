#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/file_descriptor.h"

namespace ebb {

struct CheckpointFile {
  std::string path;
  int64_t step = 0;
};

// The directory of one training run: log.jsonl, checkpoint-<step>.safetensors, images and the final
// model.safetensors. Held by one trainer at a time.
class RunDirectory {
 public:
  // Creates the directory when needed and locks it. UsageError names the process that holds it;
  // IoError when it cannot be written.
  explicit RunDirectory(const std::string& path);

  std::string file(const std::string& name) const;
  std::vector<CheckpointFile> checkpoints() const;  // newest first
  std::string checkpoint_path(int64_t step) const;
  void remove_old_checkpoints(int64_t keep) const;
  // Deletes temporary files that a killed trainer left behind.
  void remove_leftovers() const;

 private:
  std::string path_;
  FileDescriptor lock_;
};

}  // namespace ebb
