#include <sstream>

#include "apps/ebb/commands.h"
#include "base/error.h"
#include "testing/catch.h"
#include "testing/errors.h"
#include "testing/temp_dir.h"

namespace ebb {
namespace {

using Catch::Matchers::Contains;

TEST_CASE("a model that does not fit is refused before its weights are read") {
  std::ostringstream out, err;
  const std::string message = test::message_of<DeviceError>([&] {
    run_command({.arguments = {"ebb", "sample", "--model", "mnist-class", "--device", "cpu",
                               "--memory-limit", "3MiB", "-o", "/nonexistent/x.png"},
                 .out = out,
                 .err = err,
                 .progress = ProgressMode::kNone});
  });
  CHECK_THAT(message, Contains("mnist-class.safetensors: needs ") &&
                          Contains(" for weights and ") &&
                          Contains("3145728 bytes (3.0 MiB) are available on cpu"));
}

TEST_CASE("a batch that does not fit is refused with its size") {
  const test::TempDir directory;
  std::ostringstream out, err;
  const std::string message = test::message_of<DeviceError>([&] {
    run_command({.arguments = {"ebb", "sample", "--model", "mnist-class", "--device", "cpu",
                               "--memory-limit", "40MiB", "-b", "256", "--batch-size", "256",
                               "--steps", "2", "-o", directory / "x_%d.png"},
                 .out = out,
                 .err = err,
                 .progress = ProgressMode::kNone});
  });
  CHECK_THAT(message, Contains("a batch of 256 needs ") && Contains("smaller --batch-size"));
}

}  // namespace
}  // namespace ebb
