#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "emulator/engine.h"

// Finds data races, accesses out of bounds, reads of uninitialized memory and accesses to bytes of
// an asynchronous copy that is still under way. All functions do nothing unless Options::check.
namespace ebb::simt::engine {

void checker_launch_starts();
void checker_launch_ends();
void checker_block_starts();

enum class Access { kRead, kWrite, kAtomic };
// The running thread touches memory. `code` is the return address of an instrumented access; null
// stands for the site of the thread's operation.
void check_access(const void* p, size_t bytes, Access access, const void* code);
// Bytes belong (no longer) to an asynchronous copy.
void check_in_flight(const void* p, size_t bytes, bool in_flight);

// Synchronization. Threads are numbers within the block.
void check_block_barrier();                                    // all threads
void check_joined(std::span<const int> threads, int barrier);  // each other's and `barrier`'s past
void check_barrier_arrived(int barrier);              // the running thread, without waiting
void check_released(const void* object);              // the running thread's past joins it
void check_acquired(const void* object, int thread);  // the object's past joins the thread's
// The past of thread `first` is known to it and to the `count - 1` threads after it.
void check_done_for(int first, int count);
// Blocks: what this block did so far is visible to the block that acquires the counter.
void check_block_released(const void* counter);
void check_block_acquired(const void* counter);

}  // namespace ebb::simt::engine
