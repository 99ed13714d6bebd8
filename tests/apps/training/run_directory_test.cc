#include "apps/training/run_directory.h"

#include <filesystem>
#include <fstream>

#include "base/error.h"
#include "testing/catch.h"
#include "testing/temp_dir.h"

namespace ebb {
namespace {

TEST_CASE("checkpoints are listed newest first and the old ones removed") {
  const test::TempDir dir;
  const RunDirectory run(dir / "run");
  for (int64_t step : {200, 5, 123456789}) std::ofstream(run.checkpoint_path(step)) << "x";
  for (const char* other : {"checkpoint-.safetensors", "checkpoint-1x.safetensors", "notes.txt"}) {
    std::ofstream(run.file(other)) << "x";
  }
  const auto found = run.checkpoints();
  REQUIRE(found.size() == 3);
  CHECK(found[0].step == 123456789);
  CHECK(found[2].step == 5);
  run.remove_old_checkpoints(1, [&](const std::string& path) {
    return path != run.checkpoint_path(5);  // another program's
  });
  REQUIRE(run.checkpoints().size() == 2);
  CHECK(run.checkpoints()[0].step == 123456789);
  CHECK(run.checkpoints()[1].step == 5);
  CHECK(std::filesystem::exists(run.file("notes.txt")));
}

TEST_CASE("temporary files of a killed trainer are removed, others stay") {
  const test::TempDir dir;
  const RunDirectory run(dir / "run");
  std::ofstream(run.file(".ebb-0123456789abcdef.tmp")) << "x";
  for (const char* name : {"mine.tmp", ".notes.tmp", ".lock"}) std::ofstream(run.file(name)) << "x";
  std::filesystem::create_directory(run.file(".cache.tmp"));
  run.remove_leftovers();
  CHECK_FALSE(std::filesystem::exists(run.file(".ebb-0123456789abcdef.tmp")));
  for (const char* name : {"mine.tmp", ".notes.tmp", ".lock", ".cache.tmp"}) {
    CHECK(std::filesystem::exists(run.file(name)));
  }
  CHECK(test::get_file(run.file(".lock")) == "x");
}

TEST_CASE("a directory is held by one run at a time") {
  const test::TempDir dir;
  {
    const RunDirectory held(dir / "run");
    CHECK_THROWS_AS(RunDirectory(dir / "run"), UsageError);
  }
  CHECK_NOTHROW(RunDirectory(dir / "run"));
}

TEST_CASE("what a run would replace is found") {
  const test::TempDir dir;
  const RunDirectory run(dir / "run");
  std::ofstream(run.file("notes.txt")) << "x";
  CHECK(run.first_output().empty());
  for (const char* name : {"samples-epoch-001.png", "loss.png", "log.jsonl", "model.safetensors"}) {
    std::ofstream(run.file(name)) << "x";
    CHECK(run.first_output() == run.file(name));
  }
}

TEST_CASE("a path that cannot be a directory is an error") {
  const test::TempDir dir;
  std::ofstream(dir / "taken") << "x";
  CHECK_THROWS_AS(RunDirectory(dir / "taken"), IoError);
}

}  // namespace
}  // namespace ebb
