#include "apps/cli/distinct_names.h"

#include "testing/catch.h"

namespace ebb {
namespace {

using Names = std::vector<std::string>;

TEST_CASE("files of different names are called by them") {
  CHECK(distinct_names({"runs/a/model.safetensors"}) == Names{"model"});
  CHECK(distinct_names({"x/one.safetensors", "two.st"}) == Names{"one", "two"});
}

TEST_CASE("files of the same name are called by the part of the path that differs") {
  CHECK(distinct_names({"runs/a/model.safetensors", "runs/b/model.safetensors", "w/mnist.st"}) ==
        Names{"a", "b", "mnist"});
  CHECK(distinct_names({"r/a/x/model.st", "r/b/y/model.st"}) == Names{"a/x", "b/y"});
  CHECK(distinct_names({"model.st", "runs/model.st"}) == Names{"model", "runs"});
  CHECK(distinct_names({"./runs/a/model.st", "runs//b/model.st"}) == Names{"a", "b"});
}

TEST_CASE("one file twice is numbered, and names are safe to show") {
  CHECK(distinct_names({"a/m.st", "a/m.st"}) == Names{"m", "m (2)"});
  CHECK(distinct_names({"b\x1b[31m\xff.st"})[0].find('\x1b') == std::string::npos);
}

}  // namespace
}  // namespace ebb
