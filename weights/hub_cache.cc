#include "weights/hub_cache.h"

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <filesystem>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "base/text.h"

namespace ebb {
namespace {

namespace fs = std::filesystem;

constexpr size_t kMaxName = 96;
constexpr size_t kMaxRevision = 256;
constexpr size_t kCommitDigits = 40;

bool is_word(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-' || c == '_' || c == '.';
}

bool is_commit(std::string_view text) {
  return text.size() == kCommitDigits && text.find_first_not_of("0123456789abcdef") == text.npos;
}

// One part of owner/name.
bool is_part(std::string_view part) {
  return !part.empty() && std::all_of(part.begin(), part.end(), is_word) &&
         part.find("--") == part.npos && part.find("..") == part.npos && part.front() != '-' &&
         part.front() != '.' && part.back() != '-' && part.back() != '.';
}

// A branch, tag or commit, as a path below refs/.
bool is_revision(std::string_view text) {
  if (text.empty() || text.size() > kMaxRevision || text.find("..") != text.npos) return false;
  bool at_start = true;
  for (const char c : text) {
    if (c == '/' ? at_start : !is_word(c) || (at_start && c == '.')) return false;
    at_start = c == '/';
  }
  return !at_start;
}

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

std::vector<std::string> snapshots(const fs::path& repository) {
  std::vector<std::string> names;
  std::error_code error;
  const fs::path directory = repository / "snapshots";
  for (fs::directory_iterator it(directory, error), end; !error && it != end; it.increment(error)) {
    names.push_back(it->path().filename().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

// The commit in refs/<revision>; empty when there is no such file.
std::string commit_of(const fs::path& repository, const std::string& revision) {
  constexpr uint64_t kMaxRef = 256;
  const fs::path path = repository / "refs" / revision;
  std::error_code error;
  if (!fs::is_regular_file(path, error)) return "";
  std::string commit;
  for (const std::byte byte : read_file(path.string(), kMaxRef)) {
    const auto c = static_cast<unsigned char>(byte);
    if (std::isspace(c) == 0) commit += static_cast<char>(c);
  }
  EBB_CHECK(is_commit(commit), FormatError, path_label(path.string()), ": holds ", quoted(commit),
            ", expected a commit of ", kCommitDigits, " hexadecimal digits. Download it again.");
  return commit;
}

}  // namespace

std::optional<HubName> parse_hub_name(std::string_view text) {
  HubName name;
  const size_t at = text.find('@');
  const std::string_view repository = text.substr(0, at);
  if (at != text.npos) name.revision = text.substr(at + 1);
  const size_t slash = repository.find('/');
  if (slash == repository.npos || repository.size() > kMaxName || repository.ends_with(".git")) {
    return std::nullopt;
  }
  const bool valid = is_part(repository.substr(0, slash)) && is_part(repository.substr(slash + 1));
  if (!valid || !is_revision(name.revision)) return std::nullopt;
  name.repository = repository;
  return name;
}

std::string hub_cache_directory() {
  for (const char* name : {"HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"}) {
    if (std::string value = variable(name); !value.empty()) return value;
  }
  if (const std::string home = variable("HF_HOME"); !home.empty()) return home + "/hub";
  if (const std::string cache = variable("XDG_CACHE_HOME"); !cache.empty()) {
    return cache + "/huggingface/hub";
  }
  return variable("HOME") + "/.cache/huggingface/hub";
}

std::string find_in_hub_cache(const HubName& name) {
  std::string directory = name.repository;
  directory.replace(directory.find('/'), 1, "--");
  const fs::path path = fs::path(hub_cache_directory()) / ("models--" + directory);
  std::error_code error;
  EBB_CHECK(fs::is_directory(path, error), IoError, name.repository,
            ": no such path, and not in the Hugging Face cache (looked for ",
            path_label(path.string()),
            "). Accept its license on its page if it has one, then: hf download ", name.repository,
            " --include \"unet/*\" \"scheduler/*\" \"*.json\" \"*.safetensors\"");
  return hub_snapshot(path.string(), name.revision);
}

bool is_hub_repository(const std::string& path) {
  std::error_code error;
  const fs::path directory = fs::path(path).lexically_normal();
  const fs::path name =
      directory.has_filename() ? directory.filename() : directory.parent_path().filename();
  return name.string().starts_with("models--") && fs::is_directory(directory / "snapshots", error);
}

std::string hub_snapshot(const std::string& repository, const std::string& revision) {
  EBB_CHECK(is_revision(revision), UsageError, path_label(repository), ": ", quoted(revision),
            " is no branch, tag or commit.");
  const std::string of_ref = commit_of(repository, revision);
  const std::string& commit = of_ref.empty() && is_commit(revision) ? revision : of_ref;
  const std::vector<std::string> there = snapshots(repository);
  if (std::find(there.begin(), there.end(), commit) != there.end()) {
    return (fs::path(repository) / "snapshots" / commit).string();
  }
  std::string listing;
  for (const std::string& name : there) {
    listing += cat(listing.empty() ? "" : ", ", terminal_safe(name));
  }
  const std::string missing =
      commit.empty() ? std::string() : cat(" (commit ", terminal_safe(commit), ")");
  const std::string others =
      listing.empty() ? std::string(", and no other") : cat(", but of the commits ", listing);
  throw FormatError(cat(path_label(repository), ": has no snapshot of ", terminal_safe(revision),
                        missing, others,
                        ". Download it, or name a commit that is there (owner/name@commit)."));
}

}  // namespace ebb
