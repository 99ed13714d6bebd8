#pragma once

namespace ebb {

// Display times of an animation's frames. GIF rounds to units of 10 ms and to at least 20 ms:
// browsers slow faster frames down.
struct AnimationTiming {
  int frame_ms = 50;
  int last_frame_ms = 1500;  // the result rests before the animation starts again
};

}  // namespace ebb
