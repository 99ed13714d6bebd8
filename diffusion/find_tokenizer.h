#pragma once

#include <string>

namespace ebb {

// The SentencePiece model of a text encoder: `path` itself when it is a file, spiece.model in the
// directory of a tokenizer, or in the tokenizer/ of a model as diffusers saves it. `path` may be
// "owner/name[@revision]" of the local Hugging Face cache. FormatError that names what was looked
// for, IoError where nothing can be read.
std::string find_tokenizer(const std::string& path);

}  // namespace ebb
