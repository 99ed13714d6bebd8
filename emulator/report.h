#pragma once

#include <string>

namespace ebb::simt::engine {

// "file:line" of the instruction before a return address, of the innermost kernel code where
// functions were inlined. Null: the site of the running thread's operation.
std::string code_position(const void* return_address);

}  // namespace ebb::simt::engine
