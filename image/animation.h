#pragma once

#include <cstddef>

namespace ebb {

// Display times of an animation's frames. GIF rounds to units of 10 ms and to at least 20 ms:
// browsers slow faster frames down.
struct AnimationTiming {
  int frame_ms = 50;
  int last_frame_ms = 1500;  // the result rests before the animation starts again
  // Not 0: the first of so many frames, and of the next so many, rests instead of the last.
  int rest_every = 0;

  int display_ms(size_t frame, size_t frames) const {
    const bool rests =
        rest_every > 0 ? frame % static_cast<size_t>(rest_every) == 0 : frame + 1 == frames;
    return rests ? last_frame_ms : frame_ms;
  }
};

}  // namespace ebb
