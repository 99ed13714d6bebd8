#include "apps/cli/memory_size.h"

#include <sstream>

#include "apps/ebb/commands.h"
#include "base/error.h"
#include "testing/catch.h"
#include "testing/errors.h"
#include "testing/temp_dir.h"

namespace ebb {
namespace {

using Catch::Matchers::Contains;

TEST_CASE("sizes of memory have units of 1024") {
  CHECK(parse_memory_size("2000000", "--x") == 2000000);
  CHECK(parse_memory_size("4k", "--x") == 4096);
  CHECK(parse_memory_size("1.5 GiB", "--x") == (int64_t{3} << 29));
  CHECK(parse_memory_size("800MB", "--x") == int64_t{800} << 20);
  CHECK(parse_memory_size("1T", "--x") == int64_t{1} << 40);
}

TEST_CASE("other texts are no sizes of memory") {
  for (const char* text : {"", "G", "-1G", "0", "8 apples", "8Gi", "1e30G", "nan", "inf", "8G8"}) {
    INFO(text);
    CHECK_THAT(test::message_of<UsageError>([&] { parse_memory_size(text, "--memory-limit"); }),
               Contains("--memory-limit ") && Contains("expected a size of memory"));
  }
}

TEST_CASE("a model that does not fit is refused before its weights are read") {
  std::ostringstream out, err;
  const std::string message = test::message_of<DeviceError>([&] {
    run_command({.arguments = {"ebb", "sample", "--model", "mnist-class", "--device", "cpu",
                               "--memory-limit", "3M", "-o", "/nonexistent/x.png"},
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
                               "--memory-limit", "40M", "-b", "256", "--batch-size", "256",
                               "--steps", "2", "-o", directory / "x_%d.png"},
                 .out = out,
                 .err = err,
                 .progress = ProgressMode::kNone});
  });
  CHECK_THAT(message, Contains("a batch of 256 needs ") && Contains("smaller --batch-size"));
}

}  // namespace
}  // namespace ebb
