#include <cstddef>
#include <cstdint>

#include "emulator/checker.h"
#include "emulator/memory.h"

// Kernels are compiled with -fsanitize=thread, which makes the compiler call these functions before
// every access to memory that others may see. libtsan is not linked: here the calls lead to the
// emulator's own checker.

using ebb::simt::engine::Access;
using ebb::simt::engine::check_access;

#define EBB_SIMT_HOOK(name, bytes, access)                               \
  extern "C" void name(void* p) {                                        \
    check_access(p, bytes, Access::access, __builtin_return_address(0)); \
  }
#define EBB_SIMT_HOOKS(bytes)                                 \
  EBB_SIMT_HOOK(__tsan_read##bytes, bytes, kRead)             \
  EBB_SIMT_HOOK(__tsan_write##bytes, bytes, kWrite)           \
  EBB_SIMT_HOOK(__tsan_unaligned_read##bytes, bytes, kRead)   \
  EBB_SIMT_HOOK(__tsan_unaligned_write##bytes, bytes, kWrite) \
  EBB_SIMT_HOOK(__tsan_volatile_read##bytes, bytes, kRead)    \
  EBB_SIMT_HOOK(__tsan_volatile_write##bytes, bytes, kWrite)
EBB_SIMT_HOOKS(1)
EBB_SIMT_HOOKS(2)
EBB_SIMT_HOOKS(4)
EBB_SIMT_HOOKS(8)
EBB_SIMT_HOOKS(16)

extern "C" {
void __tsan_init() {}
void __tsan_func_entry(void*) {}
void __tsan_func_exit() {}
void __tsan_vptr_update(void**, void*) {}
void __tsan_vptr_read(void**) {}
void __tsan_read_range(void* p, size_t bytes) {
  check_access(p, bytes, Access::kRead, __builtin_return_address(0));
}
void __tsan_write_range(void* p, size_t bytes) {
  check_access(p, bytes, Access::kWrite, __builtin_return_address(0));
}
}

// And with -fsanitize=alignment, whose checks see the alignment a type asks for even where the
// compiler splits an access to a float4 into four, and =signed-integer-overflow, whose checks stay
// where a value is used.
namespace {

// As the compiler lays them out (libubsan, ubsan_handlers.h).
struct SourceLocation {
  const char* file;
  uint32_t line, column;
};
struct TypeMismatch {
  SourceLocation location;
  const void* type;
  unsigned char log_alignment, kind;
};
struct Overflow {
  SourceLocation location;
  const void* type;
};

// The operands come as they are, or by address where 64 bits do not hold them.
[[noreturn]] void fail_of_overflow(const Overflow& what, const char* operation, uintptr_t a,
                                   uintptr_t b) {
  const auto text =
      ebb::cat("integer overflow: ", static_cast<int64_t>(a), operation, static_cast<int64_t>(b),
               " at ", what.location.file, ":", what.location.line);
  if (ebb::simt::engine::engine().in_kernel()) ebb::simt::engine::fail(text);
  throw ebb::DeviceError(ebb::cat("cuda kernels: ", text, ". Count in 64 bits"));
}

}  // namespace

extern "C" {
void __ubsan_handle_add_overflow_abort(const Overflow* what, uintptr_t a, uintptr_t b) {
  fail_of_overflow(*what, " + ", a, b);
}
void __ubsan_handle_sub_overflow_abort(const Overflow* what, uintptr_t a, uintptr_t b) {
  fail_of_overflow(*what, " - ", a, b);
}
void __ubsan_handle_mul_overflow_abort(const Overflow* what, uintptr_t a, uintptr_t b) {
  fail_of_overflow(*what, " * ", a, b);
}
void __ubsan_handle_negate_overflow_abort(const Overflow* what, uintptr_t a) {
  fail_of_overflow(*what, " negated from ", a, 0);
}
void __ubsan_handle_divrem_overflow_abort(const Overflow* what, uintptr_t a, uintptr_t b) {
  fail_of_overflow(*what, " / ", a, b);
}
}

extern "C" void __ubsan_handle_type_mismatch_v1_abort(const TypeMismatch* what, const void* p) {
  if (!ebb::simt::engine::engine().in_kernel()) return;
  ebb::simt::engine::fail("misaligned: access at ", what->location.file, ":", what->location.line,
                          ", ", ebb::simt::engine::describe_address(p), ", must be aligned to ",
                          1 << what->log_alignment, " bytes");
}
