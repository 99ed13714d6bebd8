#include "text/sentencepiece_model.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <unordered_set>

#include "base/error.h"
#include "base/file.h"
#include "base/text.h"
#include "base/utf8.h"
#include "text/protobuf_reader.h"

namespace ebb {
namespace {

constexpr uint64_t kMaxBytes = 64u << 20;
constexpr size_t kMaxPieces = 4u << 20;
constexpr const char* kAdvice = ". The file is damaged or of another kind; fetch it again";

// Field numbers of sentencepiece_model.proto.
namespace field {
enum Model { kPieces = 1, kTrainer = 2, kNormalizer = 3 };
enum Piece { kText = 1, kScore = 2, kType = 3 };
enum Trainer { kModelType = 3, kWhitespaceIsSuffix = 24, kByteFallback = 35 };
enum Normalizer { kCharsmap = 2, kDummyPrefix = 3, kExtraWhitespaces = 4, kEscape = 5 };
}  // namespace field

constexpr int64_t kUnigram = 1;
constexpr std::array<const char*, 5> kModelTypes = {"none", "unigram", "BPE", "word", "char"};

SentencePiece parse_piece(std::string_view bytes, const std::string& what) {
  SentencePiece piece;
  ProtobufReader reader(bytes, what);
  while (const auto found = reader.next()) {
    switch (found->number()) {
      case field::kText:
        piece.text = found->bytes();
        break;
      case field::kScore:
        piece.score = found->float32();
        break;
      case field::kType: {
        const int64_t type = found->integer();
        EBB_CHECK(type >= 1 && type <= 6, FormatError, what, ": type ", type, ", expected 1 to 6",
                  kAdvice);
        piece.type = static_cast<PieceType>(type);
        break;
      }
    }
  }
  EBB_CHECK(!piece.text.empty() && is_utf8(piece.text), FormatError, what, ": ",
            piece.text.empty() ? "has no text" : "is not UTF-8", kAdvice);
  EBB_CHECK(std::isfinite(piece.score), FormatError, what, ": its score is not finite", kAdvice);
  return piece;
}

void parse_trainer(std::string_view bytes, const std::string& label, SentencePieceModel& model) {
  ProtobufReader reader(bytes, label + ": trainer");
  while (const auto found = reader.next()) {
    switch (found->number()) {
      case field::kModelType: {
        const int64_t type = found->integer();
        const bool known = type >= 1 && type < static_cast<int64_t>(kModelTypes.size());
        EBB_CHECK(type == kUnigram, FormatError, label, ": a SentencePiece model of type ",
                  known ? kModelTypes[static_cast<size_t>(type)] : std::to_string(type).c_str(),
                  ", expected unigram, as T5 has. Give the tokenizer of the text encoder");
        break;
      }
      case field::kWhitespaceIsSuffix:
        model.whitespace_is_suffix = found->boolean();
        break;
      case field::kByteFallback:
        model.byte_fallback = found->boolean();
        break;
    }
  }
}

void parse_normalizer(std::string_view bytes, const std::string& label, SentencePieceModel& model) {
  ProtobufReader reader(bytes, label + ": normalizer");
  while (const auto found = reader.next()) {
    switch (found->number()) {
      case field::kCharsmap:
        model.charsmap = found->bytes();
        break;
      case field::kDummyPrefix:
        model.add_dummy_prefix = found->boolean();
        break;
      case field::kExtraWhitespaces:
        model.remove_extra_whitespaces = found->boolean();
        break;
      case field::kEscape:
        model.escape_whitespaces = found->boolean();
        break;
    }
  }
}

void find_unknown(const std::string& label, SentencePieceModel& model) {
  int64_t unknown = 0;
  for (size_t id = 0; id < model.pieces.size(); ++id) {
    if (model.pieces[id].type != PieceType::kUnknown) continue;
    ++unknown;
    model.unknown_id = static_cast<int32_t>(id);
  }
  EBB_CHECK(unknown == 1, FormatError, label, ": ", unknown, " unknown pieces, expected one",
            kAdvice);
}

void check_distinct(const std::string& label, const SentencePieceModel& model) {
  std::unordered_set<std::string_view> known;
  for (size_t id = 0; id < model.pieces.size(); ++id) {
    const std::string& text = model.pieces[id].text;
    EBB_CHECK(known.insert(text).second, FormatError, label, ": piece ", id, ", ", quoted(text),
              ", stands there twice", kAdvice);
  }
}

// "<0x0A>".
int byte_of(std::string_view text) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  if (text.size() != 6 || !text.starts_with("<0x") || text.back() != '>') return -1;
  const size_t high = kDigits.find(text[3]), low = kDigits.find(text[4]);
  if (high == std::string_view::npos || low == std::string_view::npos) return -1;
  return static_cast<int>(16 * high + low);
}

void find_bytes(const std::string& label, SentencePieceModel& model) {
  model.byte_ids.fill(-1);
  for (size_t id = 0; id < model.pieces.size(); ++id) {
    if (model.pieces[id].type != PieceType::kByte) continue;
    const int byte = byte_of(model.pieces[id].text);
    EBB_CHECK(byte >= 0, FormatError, label, ": piece ", id, ", ", quoted(model.pieces[id].text),
              ", is no byte such as <0x0A>", kAdvice);
    model.byte_ids[static_cast<size_t>(byte)] = static_cast<int32_t>(id);
  }
  const auto missing = std::count(model.byte_ids.begin(), model.byte_ids.end(), -1);
  EBB_CHECK(missing == 0, FormatError, label, ": ", missing,
            " of the 256 pieces for bytes are missing", kAdvice);
}

}  // namespace

SentencePieceModel parse_sentencepiece_model(std::string_view bytes, const std::string& label) {
  SentencePieceModel model;
  ProtobufReader reader(bytes, label);
  while (const auto found = reader.next()) {
    switch (found->number()) {
      case field::kPieces:
        EBB_CHECK(model.pieces.size() < kMaxPieces, FormatError, label, ": more than ", kMaxPieces,
                  " pieces", kAdvice);
        model.pieces.push_back(
            parse_piece(found->bytes(), cat(label, ": piece ", model.pieces.size())));
        break;
      case field::kTrainer:
        parse_trainer(found->bytes(), label, model);
        break;
      case field::kNormalizer:
        parse_normalizer(found->bytes(), label, model);
        break;
    }
  }
  EBB_CHECK(!model.pieces.empty(), FormatError, label,
            ": holds no pieces, so it is no SentencePiece model", kAdvice);
  find_unknown(label, model);
  check_distinct(label, model);
  if (model.byte_fallback) find_bytes(label, model);
  return model;
}

SentencePieceModel read_sentencepiece_model(const std::string& path) {
  const std::vector<std::byte> bytes = read_file(path, kMaxBytes);
  return parse_sentencepiece_model({reinterpret_cast<const char*>(bytes.data()), bytes.size()},
                                   path_label(path));
}

}  // namespace ebb
