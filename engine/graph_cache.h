#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>

#include "engine/stream.h"

namespace ebb {

// Pieces of work that are repeated with the same addresses, told apart by a key. The first run of a
// key goes as it is, which loads its kernels; the second is recorded where the device can record;
// from then on it is replayed as one. What changes between runs is read from device memory.
template <typename Key>
class GraphCache {
 public:
  void run(Stream& stream, const Key& key, const std::function<void()>& work) {
    if (stream.capturing()) return work();  // a part of larger work
    if (const auto found = graphs_.find(key); found != graphs_.end()) {
      return found->second->launch();
    }
    if (!seen_.insert(key).second) {
      if (auto capturing = stream.capture(work); capturing != nullptr) {
        capturing->launch();
        graphs_.emplace(key, std::move(capturing));
        return;
      }
    }
    work();
  }

  int size() const { return static_cast<int>(graphs_.size()); }

 private:
  std::set<Key> seen_;
  std::map<Key, std::unique_ptr<CapturedGraph>> graphs_;
};

}  // namespace ebb
