#include "weights/weight_files.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <optional>
#include <set>
#include <string_view>

#include "base/errno_advice.h"
#include "base/error.h"
#include "base/text.h"

namespace ebb {
namespace {

namespace fs = std::filesystem;

// In the order in which they are tried.
constexpr std::array<std::string_view, 3> kStems = {"diffusion_pytorch_model", "model",
                                                    "pytorch_model"};

struct Candidate {
  std::string file = {};
  std::string_view stem = {};
  std::string variant = {};
  bool is_pickle = false;
  bool is_index = false;
};

std::vector<std::string> split(const std::string& name) {
  std::vector<std::string> parts;
  size_t start = 0;
  for (size_t dot; (dot = name.find('.', start)) != std::string::npos; start = dot + 1) {
    parts.push_back(name.substr(start, dot - start));
  }
  parts.push_back(name.substr(start));
  return parts;
}

bool is_shard(const std::string& name) {
  return name.find("-of-") != std::string::npos &&
         (name.ends_with(".safetensors") || name.ends_with(".bin"));
}

// "STEM[.VARIANT].FORMAT" is a file; an index has "index" and "json" as well, with the variant in
// any of three places.
std::optional<Candidate> parse(const std::string& name) {
  if (is_shard(name)) return std::nullopt;  // its index lists it
  std::vector<std::string> parts = split(name);
  const auto* stem = std::find(kStems.begin(), kStems.end(), parts[0]);
  if (stem == kStems.end()) return std::nullopt;
  Candidate candidate{.file = name, .stem = *stem};
  parts.erase(parts.begin());
  const auto remove = [&](std::string_view word) {
    const auto found = std::find(parts.begin(), parts.end(), word);
    if (found == parts.end()) return false;
    parts.erase(found);
    return true;
  };
  candidate.is_index = parts.size() >= 3 && parts.back() == "json" && remove("json");
  if (candidate.is_index && !remove("index")) return std::nullopt;
  const bool ends_in_format = !parts.empty() && (candidate.is_index || parts.back() == "bin" ||
                                                 parts.back() == "safetensors");
  if (!ends_in_format) return std::nullopt;
  candidate.is_pickle = remove("bin");
  if (!candidate.is_pickle && !remove("safetensors")) return std::nullopt;
  if (parts.size() > 1) return std::nullopt;
  if (parts.size() == 1) candidate.variant = parts[0];
  return candidate;
}

struct Listing {
  std::vector<Candidate> candidates;  // of the first stem that has one
  std::vector<std::string> names;     // of everything
};

Listing list(const std::string& directory) {
  Listing listing;
  std::error_code error;
  for (fs::directory_iterator it(directory, error), end; !error && it != end; it.increment(error)) {
    listing.names.push_back(it->path().filename().string());
  }
  EBB_CHECK(!error, IoError, path_label(directory),
            ": cannot be read: ", describe_errno(error.value()));
  std::sort(listing.names.begin(), listing.names.end());
  for (const std::string_view stem : kStems) {
    for (const std::string& name : listing.names) {
      std::optional<Candidate> candidate = parse(name);
      if (candidate && candidate->stem == stem) listing.candidates.push_back(*candidate);
    }
    if (!listing.candidates.empty()) break;
  }
  return listing;
}

[[noreturn]] void refuse_empty(const std::string& directory, const Listing& listing) {
  std::string found;
  for (const std::string& name : listing.names) {
    if (is_shard(name)) {
      found = cat(" It holds shards, like ", quoted(name), ", without their index.");
      break;
    }
    if (name.ends_with(".incomplete")) found = " It holds an unfinished download.";
    if (name.ends_with(".onnx") || name.ends_with(".msgpack") || name.ends_with(".h5")) {
      found = cat(" It holds ", quoted(name), ", which is of another framework.");
    }
  }
  throw FormatError(cat(path_label(directory),
                        ": no weights, looked for diffusion_pytorch_model.safetensors, "
                        "model.safetensors, pytorch_model.bin, their variants (.fp16) and indices "
                        "(.index.json).",
                        found, " Download the missing files."));
}

using Candidates = std::vector<Candidate>;

Candidates of(const Candidates& all, bool is_pickle, const std::string& variant) {
  Candidates some;
  for (const Candidate& candidate : all) {
    if (candidate.is_pickle == is_pickle && candidate.variant == variant) {
      some.push_back(candidate);
    }
  }
  return some;
}

std::set<std::string> variants_of(const Candidates& all, bool is_pickle) {
  std::set<std::string> variants;
  for (const Candidate& candidate : all) {
    if (candidate.is_pickle == is_pickle && !candidate.variant.empty()) {
      variants.insert(candidate.variant);
    }
  }
  return variants;
}

std::string joined(const std::set<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : ", ") + terminal_safe(word);
  return text;
}

// Files of the wanted variant, safetensors first; of the plain files where there is none.
Candidates choose_variant(const Candidates& all, const std::string& variant) {
  for (const std::string& wanted : {variant, std::string()}) {
    for (const bool is_pickle : {false, true}) {
      Candidates some = of(all, is_pickle, wanted);
      if (!some.empty()) return some;
    }
  }
  return {};
}

Candidates choose(const Candidates& all) {
  for (const bool is_pickle : {false, true}) {
    Candidates plain = of(all, is_pickle, "");
    if (!plain.empty()) return plain;
    const std::set<std::string> variants = variants_of(all, is_pickle);
    if (variants.size() == 1) return of(all, is_pickle, *variants.begin());
  }
  return {};
}

}  // namespace

WeightFiles find_weight_files(const std::string& directory, const std::string& variant) {
  const Listing listing = list(directory);
  if (listing.candidates.empty()) refuse_empty(directory, listing);
  const Candidates chosen =
      variant.empty() ? choose(listing.candidates) : choose_variant(listing.candidates, variant);
  if (chosen.empty()) {
    std::set<std::string> variants = variants_of(listing.candidates, false);
    variants.merge(variants_of(listing.candidates, true));
    throw UsageError(cat(path_label(directory), ": holds the variants ", joined(variants),
                         " and no plain file", variant.empty() ? "" : ", but no ",
                         terminal_safe(variant), ". Choose one with --variant."));
  }
  // A whole file before an index.
  const auto best = std::min_element(
      chosen.begin(), chosen.end(),
      [](const Candidate& a, const Candidate& b) { return a.is_index < b.is_index; });
  WeightFiles files{.path = (fs::path(directory) / best->file).string(), .variant = best->variant};
  std::error_code error;
  EBB_CHECK(fs::exists(files.path, error), FormatError, path_label(files.path),
            ": is a link to a file that is not there. Finish the download.");
  const std::string label = path_label(directory);
  if (best->variant != variant) {
    files.notes.push_back(
        variant.empty()
            ? cat(label, ": reads the variant ", terminal_safe(best->variant),
                  ", there is no plain file.")
            : cat(label, ": has no variant ", terminal_safe(variant), ", reads the plain file."));
  }
  if (chosen.size() > 1) {
    files.notes.push_back(cat(label, ": holds ", quoted(best->file), " and ",
                              quoted(chosen[best == chosen.begin() ? 1 : 0].file),
                              ", reads the first."));
  }
  return files;
}

}  // namespace ebb
