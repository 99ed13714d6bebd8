#include "text/tokenizer.h"

#include <algorithm>
#include <limits>

#include "base/error.h"

namespace ebb {
namespace {

constexpr std::string_view kSpaceSymbol = "\xe2\x96\x81";  // U+2581
constexpr float kUnknownPenalty = 10;

// Bytes of the character that begins with `lead`, as SentencePiece counts them; more than there are
// in text that is cut.
size_t character_bytes(char lead) {
  const auto byte = static_cast<uint8_t>(lead);
  return byte < 0xc0 ? 1 : byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : 4;
}

// The best way to the position that holds it.
struct Path {
  float score = 0;
  int32_t id = -1;   // of its last piece
  size_t begin = 0;  // of its last piece
  bool is_there = false;
};

}  // namespace

Tokenizer::Tokenizer(SentencePieceModel model, const std::string& label)
    : model_(std::move(model)), map_(model_.charsmap, label) {
  float lowest = std::numeric_limits<float>::max();
  for (size_t i = 0; i < model_.pieces.size(); ++i) {
    const SentencePiece& piece = model_.pieces[i];
    const auto id = static_cast<int32_t>(i);
    if (piece.type == PieceType::kNormal) lowest = std::min(lowest, piece.score);
    if (piece.type == PieceType::kNormal || piece.type == PieceType::kUserDefined) {
      pieces_.add(piece.text, id);
    }
    if (piece.type == PieceType::kUserDefined) user_defined_.add(piece.text, id);
  }
  unknown_score_ = lowest - kUnknownPenalty;
  pieces_.sort();
  user_defined_.sort();
}

std::optional<int32_t> Tokenizer::find(std::string_view piece) const {
  for (size_t i = 0; i < model_.pieces.size(); ++i) {
    if (model_.pieces[i].text == piece) return static_cast<int32_t>(i);
  }
  return std::nullopt;
}

CharacterMap::Match Tokenizer::match(std::string_view text) const {
  size_t longest = 0;
  user_defined_.for_each_prefix(text, [&](size_t length, int32_t) { longest = length; });
  if (longest > 0) return {text.substr(0, longest), longest};
  return map_.at(text);
}

std::string Tokenizer::normalize(std::string_view text) const {
  const bool removes = model_.remove_extra_whitespaces;
  while (removes && !text.empty()) {
    const CharacterMap::Match found = match(text);
    if (found.replacement != " ") break;
    text.remove_prefix(found.bytes);
  }
  if (text.empty()) return "";
  const std::string_view space = model_.escape_whitespaces ? kSpaceSymbol : " ";
  std::string result;
  if (model_.add_dummy_prefix && !model_.whitespace_is_suffix) result += space;
  bool after_space = removes;
  while (!text.empty()) {
    const CharacterMap::Match found = match(text);
    std::string_view added = found.replacement;
    while (after_space && added.starts_with(' ')) added.remove_prefix(1);
    if (!added.empty()) {
      for (const char c : added) c == ' ' ? result += space : result += c;
      after_space = removes && added.ends_with(' ');
    }
    text.remove_prefix(found.bytes);
  }
  std::string_view kept = result;
  while (removes && kept.ends_with(space)) kept.remove_suffix(space.size());
  result.erase(kept.size());
  if (model_.add_dummy_prefix && model_.whitespace_is_suffix) result += space;
  return result;
}

std::vector<int32_t> Tokenizer::segment(std::string_view normalized) const {
  std::vector<Path> best(normalized.size() + 1);
  const auto offer = [&](size_t begin, size_t end, float score, int32_t id) {
    const float sum = best[begin].score + score;
    if (best[end].is_there && !(sum > best[end].score)) return;
    best[end] = {sum, id, begin, true};
  };
  for (size_t begin = 0; begin < normalized.size();) {
    const size_t one = std::min(character_bytes(normalized[begin]), normalized.size() - begin);
    bool has_one = false;
    pieces_.for_each_prefix(normalized.substr(begin), [&](size_t length, int32_t id) {
      const SentencePiece& piece = model_.pieces[static_cast<size_t>(id)];
      const bool user_defined = piece.type == PieceType::kUserDefined;
      const float score = user_defined ? 0.1f * static_cast<float>(length - 1) : piece.score;
      offer(begin, begin + length, score, id);
      has_one |= length == one;
    });
    if (!has_one) offer(begin, begin + one, unknown_score_, model_.unknown_id);
    begin += one;
  }
  std::vector<int32_t> ids;
  for (size_t end = normalized.size(); end > 0; end = best[end].begin) {
    const int32_t id = best[end].id;
    if (id != model_.unknown_id) {
      ids.push_back(id);
    } else if (model_.byte_fallback) {
      for (size_t i = end; i-- > best[end].begin;) {
        ids.push_back(model_.byte_ids[static_cast<uint8_t>(normalized[i])]);
      }
    } else if (ids.empty() || ids.back() != id) {
      ids.push_back(id);
    }
  }
  std::reverse(ids.begin(), ids.end());
  return ids;
}

std::vector<int32_t> Tokenizer::encode(std::string_view text) const {
  return segment(normalize(text));
}

PromptTokens encode_prompt(const Tokenizer& tokenizer, std::string_view prompt, int64_t length) {
  const std::optional<int32_t> end = tokenizer.find("</s>"), padding = tokenizer.find("<pad>");
  EBB_CHECK(end && padding, FormatError, "tokenizer: has no ", end ? "<pad>" : "</s>",
            ", which T5's has. Give the tokenizer of the text encoder");
  PromptTokens tokens{.ids = tokenizer.encode(prompt), .mask = {}};
  const auto fits = static_cast<size_t>(length - 1);
  if (tokens.ids.size() > fits) {
    tokens.cut = static_cast<int64_t>(tokens.ids.size() - fits);
    tokens.ids.resize(fits);
  }
  tokens.ids.push_back(*end);
  tokens.mask.assign(tokens.ids.size(), 1);
  tokens.ids.resize(static_cast<size_t>(length), *padding);
  tokens.mask.resize(static_cast<size_t>(length), 0);
  return tokens;
}

}  // namespace ebb
