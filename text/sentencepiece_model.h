#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace ebb {

// ModelProto.SentencePiece.Type of sentencepiece_model.proto.
enum class PieceType {
  kNormal = 1,
  kUnknown = 2,
  kControl = 3,  // </s>, <pad>: never found in a text
  kUserDefined = 4,
  kUnused = 5,
  kByte = 6,  // <0x00> ... <0xFF>, of byte fallback
};

struct SentencePiece {
  std::string text;  // UTF-8; spaces are U+2581
  float score = 0;   // log probability
  PieceType type = PieceType::kNormal;
};

// A unigram model of SentencePiece (Kudo, 2018), "spiece.model" or "tokenizer.model": the
// vocabulary, and how texts are normalized before it is applied.
struct SentencePieceModel {
  std::vector<SentencePiece> pieces;  // a piece's position is its id
  int32_t unknown_id = 0;
  bool byte_fallback = false;
  std::array<int32_t, 256> byte_ids = {};  // of byte fallback
  // NormalizerSpec, and TrainerSpec's treat_whitespace_as_suffix.
  std::string charsmap;  // precompiled; empty: characters stay as they are
  bool add_dummy_prefix = true;
  bool remove_extra_whitespaces = true;
  bool escape_whitespaces = true;
  bool whitespace_is_suffix = false;
};

// FormatError, with `label`, for bytes that are no such model: not protobuf, another model type
// (BPE, word, char), no or two unknown pieces, pieces that are empty, repeated, not UTF-8 or
// without a finite score.
SentencePieceModel parse_sentencepiece_model(std::string_view bytes, const std::string& label);

// Reads at most 64 MiB. T5's has 0.8 MB, the largest in use 5 MB.
SentencePieceModel read_sentencepiece_model(const std::string& path);

}  // namespace ebb
