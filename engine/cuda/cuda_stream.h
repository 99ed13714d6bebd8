#pragma once

#include <memory>

#include "engine/stream.h"

namespace ebb {

// A stream of GPU `device`. Every call leaves the thread's current GPU as it was.
std::shared_ptr<Stream> cuda_stream(int device, int threads);

}  // namespace ebb
