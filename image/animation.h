#pragma once

namespace ebb {

// How long the frames of an animation are shown. GIF rounds to the 10 ms that it counts in, and to
// at least 20 ms: browsers slow faster frames down.
struct AnimationTiming {
  int frame_ms = 50;
  int last_frame_ms = 1500;  // the result rests before the animation starts again
};

}  // namespace ebb
