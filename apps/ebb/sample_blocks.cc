#include "apps/ebb/sample_blocks.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/errno_advice.h"
#include "base/error.h"
#include "base/file_descriptor.h"
#include "base/output_file.h"
#include "base/text.h"

namespace ebb {
namespace {

// The name that only one process holds at a time; left behind by a killed one, it can be taken
// again, since the lock went with the process.
class JoinLock {
 public:
  explicit JoinLock(std::string path) : path_(std::move(path)) {
    constexpr int kMode = 0644;
    fd_ = FileDescriptor(::open(path_.c_str(), O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, kMode));
    const bool is_new = fd_.is_open();
    EBB_CHECK(is_new || errno == EEXIST, IoError, path_label(path_), ": ", describe_errno(errno));
    if (!is_new) fd_ = FileDescriptor(::open(path_.c_str(), O_RDWR | O_CLOEXEC));
    if (!fd_.is_open()) return;  // its holder has just finished
    const bool locked = ::flock(fd_.get(), LOCK_EX | LOCK_NB) == 0;
    const bool knows_locks = locked || errno == EWOULDBLOCK;
    is_taken_ = locked || (is_new && !knows_locks);
  }
  JoinLock(const JoinLock&) = delete;
  JoinLock& operator=(const JoinLock&) = delete;
  ~JoinLock() {
    if (is_taken_) ::unlink(path_.c_str());
  }

  bool is_taken() const { return is_taken_; }

 private:
  std::string path_;
  FileDescriptor fd_;
  bool is_taken_ = false;
};

std::string block_name(const std::string& output, int64_t index) {
  constexpr size_t kDigits = 6;
  std::string number = std::to_string(index);
  number.insert(0, kDigits - std::min(kDigits, number.size()), '0');
  return cat(output, ".block-", number);
}

}  // namespace

SampleBlocks::SampleBlocks(std::string output, int64_t images, std::string made)
    : output_(std::move(output)), made_(std::move(made)), blocks_(sample_blocks(images)) {}

std::string SampleBlocks::path(const SampleBlock& block) const {
  return block_name(output_, block.index);
}

std::string SampleBlocks::made_of(const SampleBlock& block) const {
  return cat("images ", block.first, "..", block.first + block.images - 1, " of ", made_);
}

bool SampleBlocks::has(const SampleBlock& block) const {
  if (::access(path(block).c_str(), F_OK) != 0) return false;
  EBB_CHECK(samples_made(path(block)) == made_of(block), FormatError, path_label(path(block)),
            ": holds images of another command, model or device. Remove it, or choose another "
            "output.");
  return true;
}

void SampleBlocks::check_new(const SampleBlock& block) const {
  EBB_CHECK(::access(path(block).c_str(), F_OK) != 0, IoError, path_label(path(block)),
            ": the file exists and is kept. Use --missing to go on from it, or --force to generate "
            "all images again.");
}

void SampleBlocks::remove(const SampleBlock& block) const { ::unlink(path(block).c_str()); }

void SampleBlocks::write(const SampleBlock& block, const StoredSamples& content) const {
  save_block(path(block), content, made_of(block));
}

bool SampleBlocks::is_complete() const {
  return std::all_of(blocks_.begin(), blocks_.end(), [this](const SampleBlock& block) {
    return samples_made(path(block)) == made_of(block);
  });
}

bool SampleBlocks::join(bool gray, const std::string& description, Overwrite overwrite) const {
  if (!is_complete()) return false;
  const JoinLock lock(output_ + ".joining");
  // The process that held it before has joined the blocks and removed them.
  if (!lock.is_taken() || !is_complete()) return false;
  std::vector<BlockFile> files;
  for (const SampleBlock& block : blocks_) files.push_back({path(block), block.images});
  join_blocks(output_, files, gray, description, overwrite);
  for (const SampleBlock& block : blocks_) remove(block);
  return true;
}

void SampleBlocks::remove_leftovers() const {
  const JoinLock lock(output_ + ".joining");
  if (!lock.is_taken()) return;
  for (const SampleBlock& block : blocks_) {
    if (samples_made(path(block)) == made_of(block)) remove(block);
  }
}

}  // namespace ebb
