#include "text/piece_index.h"

#include <algorithm>

namespace ebb {
namespace {

// The byte at `depth`, or -1 behind the end: shorter pieces come first.
int byte_at(const std::string& piece, size_t depth) {
  return depth < piece.size() ? static_cast<uint8_t>(piece[depth]) : -1;
}

}  // namespace

void PieceIndex::add(std::string_view piece, int32_t id) {
  entries_.push_back({std::string(piece), id});
}

void PieceIndex::sort() {
  std::sort(entries_.begin(), entries_.end(),
            [](const Entry& a, const Entry& b) { return a.piece < b.piece; });
}

std::pair<PieceIndex::Iterator, PieceIndex::Iterator> PieceIndex::narrow(Iterator begin,
                                                                         Iterator end, size_t depth,
                                                                         char byte) {
  const int wanted = static_cast<uint8_t>(byte);
  const auto first = std::partition_point(
      begin, end, [&](const Entry& entry) { return byte_at(entry.piece, depth) < wanted; });
  const auto last = std::partition_point(
      first, end, [&](const Entry& entry) { return byte_at(entry.piece, depth) == wanted; });
  return {first, last};
}

}  // namespace ebb
