#pragma once

#include <cstddef>

// Stacks and the switch between them. A switch is a function call that saves the registers the
// calling convention asks it to keep: 10 ns, where ucontext pays a system call.
namespace ebb::simt::engine {

struct Stack {
  char* low = nullptr;
  size_t bytes = 0;

  bool contains(const void* p) const {
    return static_cast<const char*>(p) >= low && static_cast<const char*>(p) < low + bytes;
  }
};

// Stack number i of a pool that grows; each has an unmapped page below it.
Stack fiber_stack(size_t i);

struct Fiber {
  void* stack_pointer = nullptr;
  Stack stack;
};

// Makes `fiber` start at entry() (which must not return) when first switched to.
void prepare(Fiber& fiber, Stack stack, void (*entry)());
// Runs `to` until control switches back to `from`.
void switch_fiber(Fiber& from, Fiber& to);

}  // namespace ebb::simt::engine
