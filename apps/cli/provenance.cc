#include "apps/cli/provenance.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <filesystem>

#include "base/error.h"
#include "base/json.h"
#include "base/text.h"
#include "base/utf8.h"
#include "diffusion/sampler.h"

namespace ebb {

namespace {

template <typename T>
Json to_json(const T& value) {
  return value;
}
Json to_json(const std::vector<InputFile>& files) {
  Json result = Json::array();
  for (const InputFile& file : files) {
    result.push_back({{"path", replace_invalid_utf8(file.path)}, {"sha256", file.sha256}});
  }
  return result;
}

template <typename T>
void from_json(const Json& json, T& value) {
  json.get_to(value);
}
void from_json(const Json& json, std::vector<InputFile>& files) {
  files.clear();
  for (const Json& file : json) {
    files.push_back({file.at("path").get<std::string>(), file.at("sha256").get<std::string>()});
  }
}

constexpr const char* kParametersKeyword = "parameters";
constexpr const char* kPhilox = "philox";
constexpr const char* kLegacyImageKey = "picture";

// Calls visit(name, member) for every field: the one list that writing and reading share.
template <typename P, typename Visit>
void for_each_field(P& provenance, Visit visit) {
  visit("version", provenance.version);
  visit("build", provenance.build);
  visit("argv", provenance.argv);
  visit("seeds", provenance.seeds);
  visit(provenance.legacy_key ? kLegacyImageKey : "image", provenance.image);
  visit("inputs", provenance.inputs);
  visit("model", provenance.model);
  visit("model_sha256", provenance.model_sha256);
  visit("prompt", provenance.prompt);
  visit("negative_prompt", provenance.negative_prompt);
  visit("sampler", provenance.sampler);
  visit("steps", provenance.steps);
  visit("cfg_scale", provenance.cfg_scale);
  visit("denoising_strength", provenance.denoising_strength);
  visit("width", provenance.width);
  visit("height", provenance.height);
  visit("scale", provenance.scale);
  visit("animation", provenance.animation);
  visit("device", provenance.device);
  visit("dtype", provenance.dtype);
  visit("rng", provenance.rng);
}

std::string number(double value) {
  std::array<char, 32> buffer;
  std::snprintf(buffer.data(), buffer.size(), "%g", value);
  return buffer.data();
}

// A value with separators in it is written as a JSON string, as the web UI does.
std::string quote_value(const std::string& value) {
  return value.find_first_of(",:\"\n") == std::string::npos ? value : Json(value).dump();
}

// The name of a sampler that those programs know.
std::string sampler_title(const std::string& name) {
  for (const SamplerInfo& info : samplers()) {
    if (name == info.name) return info.title;
  }
  return name;
}

// prompt, optional negative prompt, then "Key: value" pairs on one line.
std::string parameters_text(const Provenance& p) {
  std::vector<std::string> pairs;
  const auto add = [&](const char* key, const std::string& value) {
    if (!value.empty()) pairs.push_back(cat(key, ": ", quote_value(value)));
  };
  if (p.steps > 0) add("Steps", std::to_string(p.steps));
  add("Sampler", sampler_title(p.sampler));
  if (p.steps > 0) add("CFG scale", number(p.cfg_scale));
  if (!p.seeds.empty()) add("Seed", std::to_string(p.seeds.front()));
  if (p.width > 0) add("Size", cat(p.width, "x", p.height));
  if (p.denoising_strength > 0) add("Denoising strength", number(p.denoising_strength));
  if (p.rng == kPhilox) add("RNG", "Philox");
  add("Model hash", p.model_sha256.substr(0, 10));
  add("Model", std::filesystem::path(p.model).stem().string());
  add("Version", "ebb " + p.version);
  // With fewer than three pairs those programs take the line for a prompt.
  if (pairs.size() < 3 && p.argv.size() > 1) add("Command", p.argv[1]);

  std::string text;
  if (!p.prompt.empty()) text += p.prompt + "\n";
  if (!p.negative_prompt.empty()) text += "Negative prompt: " + p.negative_prompt + "\n";
  for (size_t i = 0; i < pairs.size(); ++i) text += (i > 0 ? ", " : "") + pairs[i];
  return text;
}

void make_utf8(std::string& text) { text = replace_invalid_utf8(text); }
void make_utf8(std::vector<std::string>& texts) {
  for (std::string& text : texts) make_utf8(text);
}
template <typename Other>
void make_utf8(const Other&) {}  // numbers; files are cleaned as they are written

const char* expected_type(const std::string&) { return "a string"; }
const char* expected_type(const std::vector<std::string>&) { return "an array of strings"; }
const char* expected_type(const std::vector<uint64_t>&) { return "an array of whole numbers"; }
const char* expected_type(const std::vector<InputFile>&) { return "an array of files"; }
const char* expected_type(int) { return "a whole number"; }
const char* expected_type(double) { return "a number"; }

bool fits(const Json& value, const std::string&) { return value.is_string(); }
bool fits(const Json& value, double) { return value.is_number(); }
bool fits(const Json& value, int) {
  return value.is_number_unsigned() && value.get<uint64_t>() <= 0x7FFFFFFF;
}
bool fits(const Json& value, const std::vector<std::string>&) {
  return value.is_array() &&
         std::all_of(value.begin(), value.end(), [](const Json& item) { return item.is_string(); });
}
bool fits(const Json& value, const std::vector<InputFile>&) {
  const auto has_text = [](const Json& item, const char* key) {
    return item.contains(key) && item[key].is_string();
  };
  return value.is_array() && std::all_of(value.begin(), value.end(), [&](const Json& item) {
           return item.is_object() && has_text(item, "path") && has_text(item, "sha256");
         });
}
bool fits(const Json& value, const std::vector<uint64_t>&) {
  return value.is_array() && std::all_of(value.begin(), value.end(), [](const Json& item) {
           return item.is_number_unsigned();
         });
}

// Every character is one that a shell takes as it is.
bool is_plain(const std::string& argument) {
  constexpr const char* kPlain =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:=,+@%";
  return !argument.empty() && argument.find_first_not_of(kPlain) == std::string::npos;
}

// Three digits: unlike \x, this cannot swallow a digit that follows.
std::string octal_escape(uint8_t byte) {
  std::array<char, 8> buffer;
  std::snprintf(buffer.data(), buffer.size(), "\\%03o", static_cast<unsigned>(byte));
  return buffer.data();
}

std::string shell_argument(const std::string& argument) {
  if (is_plain(argument)) return argument;
  if (argument.find('\'') == std::string::npos &&
      terminal_safe(argument, argument.size()) == argument) {
    return "'" + argument + "'";
  }
  std::string result = "$'";
  for (std::string_view rest = argument; !rest.empty();) {
    const std::string_view character = rest.substr(0, std::max<size_t>(decode_utf8(rest).bytes, 1));
    if (character == "'" || character == "\\") {
      result += cat('\\', character);
    } else if (terminal_safe(character) == character) {
      result += character;
    } else {
      for (const char byte : character) result += octal_escape(static_cast<uint8_t>(byte));
    }
    rest.remove_prefix(character.size());
  }
  return result + "'";
}

// Fields that are written only when they say something, so that a file of an early version is
// written again as it was.
bool is_written(const std::string& name, const Provenance& provenance) {
  if (name == "scale") return provenance.scale > 0;
  if (name == "animation") return !provenance.animation.empty();
  return true;
}

Provenance with_valid_text(const Provenance& provenance) {
  Provenance clean = provenance;
  for_each_field(clean, [](const char*, auto& member) { make_utf8(member); });
  return clean;
}

}  // namespace

std::string provenance_json(const Provenance& provenance) {
  const Provenance clean = with_valid_text(provenance);
  Json fields;
  for_each_field(clean, [&](const char* name, const auto& member) {
    if (is_written(name, clean)) fields[name] = to_json(member);
  });
  return fields.dump_sorted(/*ensure_ascii=*/true);
}

Provenance parse_provenance_json(const std::string& text, const std::string& label) {
  const Json fields = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  EBB_CHECK(fields.is_object(), FormatError, label, ": the text \"", kProvenanceKeyword,
            "\" is not a JSON object. The image was changed after ebb wrote it.");
  Provenance provenance;
  provenance.legacy_key = fields.contains(kLegacyImageKey);
  for_each_field(provenance, [&](const char* name, auto& member) {
    const Json* field = fields.find(name);
    if (field == nullptr) return;
    EBB_CHECK(fits(*field, member), FormatError, label, ": the text \"", kProvenanceKeyword,
              "\": ", name, " is ", field->type_name(), ", expected ", expected_type(member),
              ". The image was changed after ebb wrote it.");
    from_json(*field, member);
  });
  return provenance;
}

TextChunks to_text_chunks(const Provenance& provenance) {
  return {{kParametersKeyword, parameters_text(with_valid_text(provenance))},
          {kProvenanceKeyword, provenance_json(provenance)}};
}

std::optional<Provenance> parse_provenance(const TextChunks& chunks, const std::string& label) {
  const std::string* text = find_text(chunks, kProvenanceKeyword);
  if (text == nullptr) return std::nullopt;
  return parse_provenance_json(*text, label);
}

std::string shell_command(const std::vector<std::string>& argv) {
  std::string command;
  for (const std::string& argument : argv) {
    command += (command.empty() ? "" : " ") + shell_argument(argument);
  }
  return command;
}

}  // namespace ebb
