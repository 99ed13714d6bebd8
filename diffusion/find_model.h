#pragma once

#include <string>
#include <vector>

namespace ebb {

// The file that a --model flag means. A path (with '/' or an ending in .safetensors) is itself, or
// when it is the directory of a training run, its model.safetensors, else its newest checkpoint; a
// directory as diffusers saves it stays what it is, and "owner/name[@revision]" is looked up in the
// local cache of Hugging Face's programs. A bare name is looked for as <name>.safetensors in the
// directories of $EBB_MODELS (separated by
// ':'), in weights/pretrained of the current directory, where `cmake --install` puts models beside
// the program and beside libebb.so (share/ebb/models of their prefix, wherever that is moved), and
// in weights/pretrained of the source tree that the program was built in (../../weights/pretrained
// from the program); last, it may be a run or another file in the current directory. IoError lists
// where it looked. Former names of pretrained models still work.
std::string find_model(const std::string& name);

// The directories in which find_model() looks for bare names, for messages.
std::string model_places();

// Whether a path is the directory of a training run: one with a log.jsonl and a model.safetensors
// or a checkpoint.
bool is_run_directory(const std::string& path);

// A model that its bare name finds.
struct NamedModel {
  std::string name;  // "mnist-class"
  std::string path;
};

// All of them, by name; of files of one name the one that is found.
std::vector<NamedModel> named_models();

}  // namespace ebb
