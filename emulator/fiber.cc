#include "emulator/fiber.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cstring>
#include <vector>

#include "base/error.h"

extern "C" void ebb_simt_switch(void** save_stack_pointer, void* stack_pointer);

#if defined(__x86_64__)
// System V ABI: rbx, rbp, r12 to r15 belong to the caller.
asm(R"(
.text
.globl ebb_simt_switch
.type ebb_simt_switch,@function
ebb_simt_switch:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size ebb_simt_switch,.-ebb_simt_switch
.section .note.GNU-stack,"",@progbits
.text
)");
#elif defined(__aarch64__)
// AAPCS64: x19 to x30 and the low halves of v8 to v15 belong to the caller.
asm(R"(
.text
.globl ebb_simt_switch
.type ebb_simt_switch,%function
ebb_simt_switch:
  sub sp, sp, #160
  stp x19, x20, [sp]
  stp x21, x22, [sp, #16]
  stp x23, x24, [sp, #32]
  stp x25, x26, [sp, #48]
  stp x27, x28, [sp, #64]
  stp x29, x30, [sp, #80]
  stp d8, d9, [sp, #96]
  stp d10, d11, [sp, #112]
  stp d12, d13, [sp, #128]
  stp d14, d15, [sp, #144]
  mov x9, sp
  str x9, [x0]
  mov sp, x1
  ldp x19, x20, [sp]
  ldp x21, x22, [sp, #16]
  ldp x23, x24, [sp, #32]
  ldp x25, x26, [sp, #48]
  ldp x27, x28, [sp, #64]
  ldp x29, x30, [sp, #80]
  ldp d8, d9, [sp, #96]
  ldp d10, d11, [sp, #112]
  ldp d12, d13, [sp, #128]
  ldp d14, d15, [sp, #144]
  add sp, sp, #160
  ret
.size ebb_simt_switch,.-ebb_simt_switch
)");
#else
#error "the kernel emulator knows how to switch stacks on x86-64 and aarch64 alone"
#endif

namespace ebb::simt::engine {
namespace {

constexpr size_t kStackBytes =
    64 << 10;  // kernels keep little on it; the guard page catches overflows
constexpr size_t kStacksAtOnce = 128;

}  // namespace

Stack fiber_stack(size_t i) {
  static std::vector<char*> pools;  // kStacksAtOnce each, kept for the whole process
  const size_t page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  const size_t stride = kStackBytes + page;
  while (pools.size() * kStacksAtOnce <= i) {
    void* pool = mmap(nullptr, kStacksAtOnce * stride, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    EBB_CHECK(pool != MAP_FAILED, DeviceError, "kernel emulator: no memory for ", kStacksAtOnce,
              " stacks. Close other programs");
    for (size_t k = 0; k < kStacksAtOnce; ++k) {
      mprotect(static_cast<char*>(pool) + k * stride, page, PROT_NONE);
    }
    pools.push_back(static_cast<char*>(pool));
  }
  return {pools[i / kStacksAtOnce] + i % kStacksAtOnce * stride + page, kStackBytes};
}

void prepare(Fiber& fiber, Stack stack, void (*entry)()) {
  fiber.stack = stack;
  void** top = reinterpret_cast<void**>(stack.low + stack.bytes);
#if defined(__x86_64__)
  *--top = nullptr;  // entry() finds the stack as after a call: 8 bytes off 16
  *--top = reinterpret_cast<void*>(entry);
  for (int i = 0; i < 6; ++i) *--top = nullptr;
#else
  top -= 20;
  std::memset(top, 0, 20 * sizeof(void*));
  top[11] = reinterpret_cast<void*>(entry);  // x30, the return address
#endif
  fiber.stack_pointer = top;
}

void switch_fiber(Fiber& from, Fiber& to) {
  ebb_simt_switch(&from.stack_pointer, to.stack_pointer);
}

}  // namespace ebb::simt::engine
