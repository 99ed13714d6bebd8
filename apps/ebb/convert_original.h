#pragma once

#include <ostream>
#include <string>

namespace ebb {

struct OriginalModelFlags {
  std::string model;            // file under its authors' names
  std::string as;               // one of kOriginalUnets
  std::string attention_order;  // "new", "old" or empty
  std::string output;           // directory
  bool force = false;           // replaces the files of one that is there
};

// Writes the model as diffusers saves it: model_index.json, unet/, scheduler/. Weights keep their
// type. FormatError when the file is of another network, UsageError when it needs an
// attention order that was not given.
void convert_original(const OriginalModelFlags& flags, std::ostream& out);

}  // namespace ebb
