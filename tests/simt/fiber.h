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
  void* sanitizer_state = nullptr;  // AddressSanitizer's fake stack
};

// Makes `fiber` start at entry() (which must not return) when first switched to.
void prepare(Fiber& fiber, Stack stack, void (*entry)());
// Runs `to` until somebody switches back to `from`. A fiber that ends passes final = true.
void switch_fiber(Fiber& from, Fiber& to, bool final = false);
// First thing in entry(). `caller` is the thread's own stack.
void fiber_started(Fiber& caller);

}  // namespace ebb::simt::engine
