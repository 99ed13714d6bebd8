#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "text/character_map.h"
#include "text/piece_index.h"
#include "text/sentencepiece_model.h"

namespace ebb {

// Turns texts into the ids of a SentencePiece unigram model, exactly as the sentencepiece library
// does: normalization, then the segmentation of the highest score (Viterbi, sums in f32 from left
// to right; of equal ones the first found). The literal texts of control pieces ("</s>") are text
// like any other, as in SentencePiece; the tokenizers of transformers 5 differ there.
class Tokenizer {
 public:
  // `label` names the model in messages.
  Tokenizer(SentencePieceModel model, const std::string& label);

  int64_t size() const { return static_cast<int64_t>(model_.pieces.size()); }
  // The id of a piece by its text, control pieces included.
  std::optional<int32_t> find(std::string_view piece) const;

  // Without </s>. Any bytes: those that are not UTF-8 are taken for U+FFFD.
  std::vector<int32_t> encode(std::string_view text) const;

 private:
  std::string normalize(std::string_view text) const;
  CharacterMap::Match match(std::string_view text) const;
  std::vector<int32_t> segment(std::string_view normalized) const;

  SentencePieceModel model_;
  CharacterMap map_;
  PieceIndex pieces_;        // that texts may hold
  PieceIndex user_defined_;  // that normalization leaves alone
  float unknown_score_ = 0;
};

// Input of a text encoder: ids [length] that end in </s> and are padded, and the mask, 1 for ids
// and </s>, 0 for padding.
struct PromptTokens {
  std::vector<int32_t> ids;
  std::vector<int32_t> mask;
  int64_t cut = 0;  // ids that did not fit
};

// The ids of a prompt as it is, for T5. FormatError when the tokenizer has no </s> or <pad>.
PromptTokens encode_prompt(const Tokenizer& tokenizer, std::string_view prompt, int64_t length);

}  // namespace ebb
