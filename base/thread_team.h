#pragma once

#include <atomic>
#include <cstdint>

namespace ebb {

// The tasks 0..count-1 of one parallel loop. Each member of the team takes the next ones when it is
// free, so a thread that other work on the machine slows down takes fewer.
class TaskQueue {
 public:
  // At most `run` tasks are taken at a time.
  TaskQueue(int64_t count, int64_t run) : count_(count), run_(run) {}

  // The next tasks are first..last-1; false: all are taken.
  bool take(int64_t& first, int64_t& last) {
    first = next_.fetch_add(run_, std::memory_order_relaxed);
    last = first + run_ < count_ ? first + run_ : count_;
    return first < count_;
  }
  bool has_more() const { return next_.load(std::memory_order_relaxed) < count_; }
  void drop_rest() { next_.store(count_, std::memory_order_relaxed); }

 private:
  const int64_t count_;
  const int64_t run_;
  std::atomic<int64_t> next_ = 0;
};

// The function that each member of a team calls once: takes tasks until there are none. `member`
// is 0..members-1, for memory of its own.
struct TeamBody {
  void (*call)(const void* body, TaskQueue& tasks, int member);
  const void* body;
};

// Runs the body on the caller and at most `members` - 1 threads beside it, and returns when all
// tasks are done. The first exception drops the tasks not yet taken and leaves run_team. A member
// that comes when all tasks are taken does not call the body.
//
// The threads belong to the calling thread and end with it, so callers never wait for each other. A
// thread without work sleeps after some microseconds. Inside of a body there is one member.
void run_team(int members, TaskQueue& tasks, TeamBody body);

// run_team for a callable body(TaskQueue&, int member).
template <typename Body>
void with_team(int members, int64_t tasks, int64_t run, const Body& body) {
  TaskQueue queue(tasks, run);
  if (members <= 1 || tasks <= 1) return body(queue, 0);
  run_team(tasks < members ? static_cast<int>(tasks) : members, queue,
           {[](const void* callable, TaskQueue& taken, int member) {
              (*static_cast<const Body*>(callable))(taken, member);
            },
            &body});
}

}  // namespace ebb
