#include "base/shape.h"

#include <limits>
#include <vector>

#include "base/device.h"
#include "testing/catch.h"
#include "testing/errors.h"

namespace ebb {
namespace {

using test::message_of;

TEST_CASE("a shape counts its elements and prints itself", "[engine]") {
  CHECK(Shape().elements() == 1);
  CHECK(Shape{7}.elements() == 7);
  CHECK(Shape{2, 3, 5, 7}.elements() == 210);
  CHECK(Shape{2, 0, 5}.elements() == 0);
  CHECK(to_string(Shape{128, 28, 28, 64}) == "[128, 28, 28, 64]");
  CHECK(to_string(Shape()) == "[]");
  CHECK(Shape{2, 3}.back() == 3);
  const std::vector<int64_t> dims{4, 5, 6};
  CHECK(Shape(dims.begin(), dims.end()) == Shape{4, 5, 6});
}

TEST_CASE("shapes are equal when all dimensions are", "[engine]") {
  CHECK(Shape{2, 3} == Shape{2, 3});
  CHECK_FALSE(Shape{2, 3} == Shape{3, 2});
  CHECK_FALSE(Shape{2, 3} == Shape{2, 3, 1});
  CHECK_FALSE(Shape{2, 3, 1} == Shape{2, 3});
  CHECK(Shape() == Shape());
  CHECK_FALSE(Shape() == Shape{0});
}

TEST_CASE("an impossible shape is refused with the reason", "[engine]") {
  CHECK(message_of<ShapeError>([] {
          Shape{1, -2, 3};
        }) == "shape: dimension 1 is -2, expected >= 0");
  CHECK(message_of<ShapeError>([] { Shape{1, 2, 3, 4, 5, 6, 7}; }) ==
        "shape: more than 6 dimensions");
  const int64_t big = std::numeric_limits<int64_t>::max() / 2;
  CHECK(Shape{big, 2}.elements() == 2 * big);
  CHECK(message_of<ShapeError>([&] {
          Shape{big, 3}.elements();
        }) == "shape [4611686018427387903, 3]: more than 2^63 elements");
}

TEST_CASE("errors carry the exit code of their kind", "[engine]") {
  CHECK(Error("x").code() == ExitCode::kInternal);
  CHECK(ShapeError("x").code() == ExitCode::kInternal);
  CHECK(UsageError("x").code() == ExitCode::kUsage);
  CHECK(FormatError("x").code() == ExitCode::kFormat);
  CHECK(IoError("x").code() == ExitCode::kIo);
  CHECK(DeviceError("x").code() == ExitCode::kDevice);
  CHECK(DivergedError("x").code() == ExitCode::kDiverged);
}

TEST_CASE("EBB_CHECK builds its message from parts, and only when it fails", "[engine]") {
  int built = 0;
  const auto part = [&] { return ++built; };
  EBB_CHECK(true, UsageError, "never ", part());
  CHECK(built == 0);
  CHECK(message_of<UsageError>([&] {
          EBB_CHECK(1 + 1 == 3, UsageError, "--steps ", part(), ": must be ", 2.5);
        }) == "--steps 1: must be 2.5");
}

TEST_CASE("device names are read and printed", "[engine]") {
  for (const char* name : {"cpu", "emu", "cuda:0", "cuda:12"}) {
    CHECK(to_string(parse_device(name)) == name);
  }
  CHECK(parse_device("cuda") == Device{DeviceType::kCuda, 0});
  CHECK(parse_device("cuda:3") == Device{DeviceType::kCuda, 3});
}

TEST_CASE("a bad device name is a usage error that lists the good ones", "[engine]") {
  for (const std::string name :
       {"", "gpu", "CPU", "cuda:", "cuda:-1", "cuda:1x", "cuda:1234", "cuda 0", " cpu"}) {
    CHECK(message_of<UsageError>([&] { parse_device(name); }) ==
          "--device " + name + ": expected auto, cpu, cuda, cuda:N or emu");
  }
}

}  // namespace
}  // namespace ebb
