#pragma once

#include <string>

#include "base/error.h"

namespace ebb::test {

// The message of the ExpectedError that `call` throws. Says so when it throws nothing; any other
// exception passes.
template <typename ExpectedError, typename Call>
std::string message_of(const Call& call) {
  try {
    call();
  } catch (const ExpectedError& error) {
    return error.what();
  }
  return "(nothing was thrown)";
}

}  // namespace ebb::test
