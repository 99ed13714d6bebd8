#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>

#include "engine/device_queue.h"

namespace ebb {

// Pieces of work that are repeated with the same addresses, told apart by a key. The first run of a
// key goes as it is, which loads its kernels; the second is recorded where the device can record;
// from then on it is replayed as one. What changes between runs is read from device memory.
template <typename Key>
class Recordings {
 public:
  void run(DeviceQueue& queue, const Key& key, const std::function<void()>& work) {
    if (queue.recording()) return work();  // a part of larger work
    if (const auto found = recorded_.find(key); found != recorded_.end()) {
      return found->second->replay();
    }
    if (!seen_.insert(key).second) {
      if (auto recording = queue.record(work); recording != nullptr) {
        recording->replay();
        recorded_.emplace(key, std::move(recording));
        return;
      }
    }
    work();
  }

  int size() const { return static_cast<int>(recorded_.size()); }

 private:
  std::set<Key> seen_;
  std::map<Key, std::unique_ptr<RecordedWork>> recorded_;
};

}  // namespace ebb
