#pragma once

#include <string>
#include <vector>

#include "apps/ebb/sample_share.h"
#include "apps/ebb/stored_samples.h"
#include "base/atomic_file.h"

namespace ebb {

// The blocks of samples.npz on their way into it: files samples.npz.block-000012, which the process
// that completes the set joins. Processes see each other's files and nothing else of each other.
class SampleBlocks {
 public:
  // made: the command and all else that decides the bytes; blocks that were made otherwise are not
  // taken for this command's.
  SampleBlocks(std::string output, int64_t images, std::string made);

  const std::vector<SampleBlock>& blocks() const { return blocks_; }
  std::string path(const SampleBlock& block) const;

  // FormatError for a file of another command.
  bool has(const SampleBlock& block) const;
  // IoError when the file exists and is kept.
  void check_new(const SampleBlock& block) const;
  void remove(const SampleBlock& block) const;
  void write(const SampleBlock& block, const StoredSamples& content) const;

  // Joins the blocks when all are there and nobody else does it, and removes them. Returns whether
  // it did. description: see join_blocks().
  bool join(bool gray, const std::string& description, Overwrite overwrite) const;
  // Removes what a process that was killed while it cleaned up left of a complete set.
  void remove_leftovers() const;

 private:
  std::string made_of(const SampleBlock& block) const;
  bool is_complete() const;

  std::string output_, made_;
  std::vector<SampleBlock> blocks_;
};

}  // namespace ebb
