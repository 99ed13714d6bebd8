#pragma once

#include <memory>

#include "engine/device_queue.h"

namespace ebb {

// A stream of GPU `device`, which becomes the current one of this thread.
std::shared_ptr<DeviceQueue> cuda_queue(int device, int threads);

}  // namespace ebb
