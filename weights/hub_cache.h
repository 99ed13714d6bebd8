#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace ebb {

// The local cache of Hugging Face's programs, read only: nothing is written, locked or downloaded.
// Repository owner/name is the directory models--owner--name with refs/<revision>, which hold the
// commit, and snapshots/<commit>, whose files are links into blobs/.

// "owner/name" or "owner/name@revision".
struct HubName {
  std::string repository;  // "owner/name"
  std::string revision = "main";
};

// Nothing when the text breaks the rules for names of repositories and revisions.
std::optional<HubName> parse_hub_name(std::string_view text);

// $HF_HUB_CACHE, else $HUGGINGFACE_HUB_CACHE, else $HF_HOME/hub, else
// $XDG_CACHE_HOME/huggingface/hub, else ~/.cache/huggingface/hub.
std::string hub_cache_directory();

// The snapshot of a name. IoError when the cache has no such repository, with what to type to
// download it; FormatError when it lacks the revision.
std::string find_in_hub_cache(const HubName& name);

// A directory of the cache, "models--owner--name".
bool is_hub_repository(const std::string& path);
// The snapshot of its branch, tag or commit. Never that of another one.
std::string hub_snapshot(const std::string& repository, const std::string& revision);

}  // namespace ebb
