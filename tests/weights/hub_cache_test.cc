#include "weights/hub_cache.h"

#include <cstdlib>
#include <filesystem>

#include "base/error.h"
#include "testing/catch.h"
#include "testing/errors.h"
#include "testing/temp_dir.h"
#include "weights/diffusers_directory.h"

namespace ebb {
namespace {

namespace fs = std::filesystem;

using Catch::Matchers::Contains;
using test::message_of;
using test::TempDir;

const std::string kCommit = "0123456789abcdef0123456789abcdef01234567";
const std::string kOther = "ffffffffffffffffffffffffffffffffffffffff";

// The variables of Hugging Face's programs, as they were when this goes away.
class Environment {
 public:
  Environment() {
    for (const char* name : kNames) {
      const char* value = std::getenv(name);
      saved_.emplace_back(value == nullptr ? "" : value);
      ::unsetenv(name);
    }
  }
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;
  ~Environment() {
    for (size_t i = 0; i < std::size(kNames); ++i) {
      saved_[i].empty() ? ::unsetenv(kNames[i]) : ::setenv(kNames[i], saved_[i].c_str(), 1);
    }
  }
  void set(const char* name, const std::string& value) const { ::setenv(name, value.c_str(), 1); }

 private:
  static constexpr const char* kNames[] = {"HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_HOME",
                                           "XDG_CACHE_HOME", "HOME"};
  std::vector<std::string> saved_;
};

struct Cache {
  TempDir dir;
  Environment environment;
  std::string repository = dir / "models--google--ddpm-cifar10-32";

  Cache() {
    environment.set("HF_HUB_CACHE", dir.path());
    put("refs/main", kCommit + "\n");
    put("blobs/abc", R"({"_class_name": "UNet2DModel"})");
    fs::create_directories(snapshot(kCommit));
    fs::create_symlink("../../blobs/abc", snapshot(kCommit) + "/config.json");
  }
  void put(const std::string& name, const std::string& content) const {
    fs::create_directories(fs::path(repository + "/" + name).parent_path());
    test::put_file(repository + "/" + name, content);
  }
  std::string snapshot(const std::string& commit) const {
    return repository + "/snapshots/" + commit;
  }
};

std::string find(const std::string& name) { return find_in_hub_cache(*parse_hub_name(name)); }

TEST_CASE("a name is found by branch, tag and commit") {
  const Cache cache;
  CHECK(find("google/ddpm-cifar10-32") == cache.snapshot(kCommit));
  fs::create_directories(cache.snapshot(kOther));
  cache.put("refs/refs/pr/1", kOther);
  CHECK(find("google/ddpm-cifar10-32@refs/pr/1") == cache.snapshot(kOther));
  CHECK(find("google/ddpm-cifar10-32@" + kOther) == cache.snapshot(kOther));
  CHECK(read_diffusers_directory(cache.repository).require("unet").class_name == "UNet2DModel");
  CHECK(is_hub_repository(cache.repository + "/"));
  CHECK_FALSE(is_hub_repository(cache.dir.path()));
}

TEST_CASE("another revision is never guessed") {
  const Cache cache;
  const auto message = [](const std::string& name) {
    return message_of<FormatError>([&] { find(name); });
  };
  CHECK_THAT(message("google/ddpm-cifar10-32@v2"),
             Contains("has no snapshot of v2, but of the commits " + kCommit));
  CHECK_THAT(message("google/ddpm-cifar10-32@" + kCommit.substr(0, 7)), Contains("no snapshot"));
  cache.put("refs/main", kOther);
  CHECK_THAT(message("google/ddpm-cifar10-32"), Contains("(commit " + kOther + ")"));
  cache.put("refs/main", "../../x");
  CHECK_THAT(message("google/ddpm-cifar10-32"), Contains("holds \"../../x\", expected a commit"));
  fs::remove_all(cache.repository + "/refs");
  CHECK_THAT(message("google/ddpm-cifar10-32"), Contains("has no snapshot of main"));
}

TEST_CASE("what is not in the cache is named with the command that gets it") {
  const Cache cache;
  const std::string message = message_of<IoError>([] { find("DeepFloyd/IF-I-L-v1.0"); });
  CHECK_THAT(message, Contains("DeepFloyd/IF-I-L-v1.0: ") &&
                          Contains(cache.dir / "models--DeepFloyd--IF-I-L-v1.0") &&
                          Contains("hf download DeepFloyd/IF-I-L-v1.0 --include"));
}

TEST_CASE("names are checked before they become paths") {
  for (const std::string name :
       {"x",    "a/b/c",  "../x",       "a/..",    "a/b..c", "a/b--c", "-a/b",
        "a/b-", ".a/b",   "a/b.",       "a/b.git", "a/",     "/b",     "a b/c",
        "a/b@", "a/b@..", "a/b@x/../y", "a/b@/x",  "a/b@x/", "a/b@.x", ""}) {
    INFO(name);
    CHECK_FALSE(parse_hub_name(name).has_value());
  }
  CHECK_FALSE(parse_hub_name("a/" + std::string(95, 'b')).has_value());
  const std::optional<HubName> name = parse_hub_name("google/ddpm-cifar10-32@refs/pr/1");
  REQUIRE(name.has_value());
  CHECK(name->repository == "google/ddpm-cifar10-32");
  CHECK(name->revision == "refs/pr/1");
  CHECK(parse_hub_name("a/b")->revision == "main");
}

TEST_CASE("the cache lies where Hugging Face's variables say") {
  const Environment environment;
  environment.set("HOME", "/h");
  CHECK(hub_cache_directory() == "/h/.cache/huggingface/hub");
  environment.set("XDG_CACHE_HOME", "/x");
  CHECK(hub_cache_directory() == "/x/huggingface/hub");
  environment.set("HF_HOME", "/f");
  CHECK(hub_cache_directory() == "/f/hub");
  environment.set("HUGGINGFACE_HUB_CACHE", "/g");
  CHECK(hub_cache_directory() == "/g");
  environment.set("HF_HUB_CACHE", "/c");
  CHECK(hub_cache_directory() == "/c");
}

}  // namespace
}  // namespace ebb
