#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>

#include "engine/stream.h"

namespace ebb {

// Captured graphs of repeated work with fixed addresses, by key. The first run of a key is eager,
// which loads its kernels; the second is captured if the device supports it; later runs launch the
// graph. Values that change between runs must be read from device memory.
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
