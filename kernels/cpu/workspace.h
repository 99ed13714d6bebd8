#pragma once

#include <cstdint>

namespace ebb::cpu {

// Hands out consecutive pieces of a workspace. With a null base it only counts, so one function
// lays out a workspace for both its size and its pointers.
class WorkspaceCursor {
 public:
  explicit WorkspaceCursor(void* base) : base_(static_cast<char*>(base)) {}

  // count elements, aligned to 64 bytes, not initialized.
  template <typename T>
  T* take(int64_t count) {
    const int64_t begin = bytes_;
    bytes_ += (count * static_cast<int64_t>(sizeof(T)) + 63) / 64 * 64;
    return base_ == nullptr ? nullptr : reinterpret_cast<T*>(base_ + begin);
  }
  int64_t bytes() const { return bytes_; }

 private:
  char* base_;
  int64_t bytes_ = 0;
};

}  // namespace ebb::cpu
