#pragma once

#include <algorithm>
#include <cstdint>

#include "base/thread_team.h"

namespace ebb::cpu {

// Work is cut into tasks by sizes alone, never by the number of threads; a task writes its own
// outputs and partial results are merged in task order. That makes results independent of threads,
// so a thread takes the next task when it is free: beside other work they run at different speeds.

// Calls body(task) for task = 0..tasks-1.
template <typename Body>
void parallel_for(int threads, int64_t tasks, const Body& body) {
  const int64_t team = std::clamp<int64_t>(threads, 1, std::max<int64_t>(tasks, 1));
  // Several at a time where there are many: a task may be as short as one row.
  const int64_t run = std::max<int64_t>(1, tasks / (16 * team));
  with_team(static_cast<int>(team), tasks, run, [&](TaskQueue& queue, int) {
    for (int64_t task, last; queue.take(task, last);) {
      for (; task < last; ++task) body(task);
    }
  });
}

constexpr int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

// Elements of one task of an elementwise pass: 64 KiB of f32, enough to hide the cost of a task.
inline constexpr int64_t kElementChunk = 16384;

// Calls body(begin, end) for consecutive chunks of 0..count.
template <typename Body>
void parallel_chunks(int threads, int64_t count, const Body& body) {
  parallel_for(threads, ceil_div(count, kElementChunk), [&](int64_t chunk) {
    const int64_t begin = chunk * kElementChunk;
    body(begin, std::min(begin + kElementChunk, count));
  });
}

// Cuts rows of `elements` into chunks: calls body(row, begin, end) with 0 <= begin < end <=
// elements.
template <typename Body>
void parallel_row_chunks(int threads, int64_t rows, int64_t elements, const Body& body) {
  const int64_t chunks = ceil_div(elements, kElementChunk);
  parallel_for(threads, rows * chunks, [&](int64_t task) {
    const int64_t begin = task % chunks * kElementChunk;
    body(task / chunks, begin, std::min(begin + kElementChunk, elements));
  });
}

}  // namespace ebb::cpu
