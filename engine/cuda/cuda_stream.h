#pragma once

#include <memory>

#include "engine/stream.h"

namespace ebb {

// A stream of GPU `device`, which becomes the current one of this thread.
std::shared_ptr<Stream> cuda_stream(int device, int threads);

}  // namespace ebb
