#include "apps/training/one_process.h"

#include "base/error.h"
#include "testing/catch.h"
#include "testing/errors.h"

namespace ebb {
namespace {

std::string refusal(const Environment& variables) {
  return test::message_of<UsageError>([&] { require_one_process(read_launch(variables)); });
}

TEST_CASE("training: starts as the only process, with a launcher and without", "[train]") {
  CHECK_NOTHROW(require_one_process(read_launch({})));
  CHECK_NOTHROW(require_one_process(
      read_launch({{"OMPI_COMM_WORLD_RANK", "0"}, {"OMPI_COMM_WORLD_SIZE", "1"}})));
}

TEST_CASE("training: one of several processes is refused, the first too", "[train]") {
  CHECK(refusal({{"OMPI_COMM_WORLD_RANK", "0"}, {"OMPI_COMM_WORLD_SIZE", "3"}}) ==
        "mpirun: this is one of 3 processes, and training runs in one process today. "
        "Start one process.");
  CHECK(refusal({{"RANK", "1"}, {"WORLD_SIZE", "2"}}) ==
        "RANK and WORLD_SIZE: this is one of 2 processes, and training runs in one process today. "
        "Unset both variables.");
}

}  // namespace
}  // namespace ebb
