#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "image/png.h"

namespace ebb {

// A file that a command read, other than its model.
struct InputFile {
  std::string path;    // as it was given, without the index of an image in it
  std::string sha256;  // hexadecimal digest

  friend bool operator==(const InputFile&, const InputFile&) = default;
};

// Everything needed to regenerate an image.
struct Provenance {
  std::string version;            // of ebb, for example "0.1.0"
  std::string build;              // build_commit(); the version alone does not settle the bits
  std::vector<std::string> argv;  // canonical_command()
  std::vector<uint64_t> seeds;    // one per image in the file, row by row of a grid
  int image = 0;                  // its number among those of the command, from 0; 0 for a grid
  std::vector<InputFile> inputs;  // images, masks
  std::string model;              // path as it was given
  std::string model_sha256;       // hexadecimal digest of the file; empty when unknown
  std::string prompt;             // text or class
  std::string negative_prompt;
  std::string sampler;  // empty when nothing was sampled, with steps 0
  int steps = 0;
  double cfg_scale = 1;  // 1: no guidance
  // Noise level at which an edit of another image starts, as a fraction of all timesteps. 0: not
  // made from an image.
  double denoising_strength = 0;
  int width = 0;  // of one image as the model made it, pixels
  int height = 0;
  // Pixels of the file per pixel of the model. 0: a file of a version that drew images at their own
  // size, or one that no model made; not written.
  int scale = 0;
  // Motion of an animation: "turn", "step_back"; empty, and not written: the sampling, or none.
  std::string animation;
  std::string device;  // "cpu", "cuda:0"
  std::string dtype;
  std::string rng;
  // The JSON object names `image` "picture", as early files do: read, and kept by `ebb rerun`.
  bool legacy_key = false;

  friend bool operator==(const Provenance&, const Provenance&) = default;
};

// Keyword of the text chunk that parse_provenance() reads.
inline constexpr const char* kProvenanceKeyword = "ebb";

// The JSON object of the "ebb" chunk, in ASCII.
std::string provenance_json(const Provenance& provenance);

// Reads it back. Fields of later versions are ignored. FormatError, naming `label`, when it is not
// such an object.
Provenance parse_provenance_json(const std::string& text, const std::string& label);

// Two text chunks: "parameters", the form of AUTOMATIC1111's web UI that other programs show, and
// "ebb", a JSON object with every field. Bytes that are not UTF-8 become U+FFFD.
TextChunks to_text_chunks(const Provenance& provenance);

// Reads the "ebb" chunk back, as above; nothing when there is none.
std::optional<Provenance> parse_provenance(const TextChunks& chunks, const std::string& label);

// The command as one line for a POSIX shell, safe to print: arguments are quoted where needed, and
// control or invisible characters are written as escapes in $'...'.
std::string shell_command(const std::vector<std::string>& argv);

}  // namespace ebb
