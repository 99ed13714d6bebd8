#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

namespace ebb {

// Finds the pieces that a text begins with.
class PieceIndex {
 public:
  // Calls visit(length in bytes, id) for each piece that `text` begins with, the shortest first.
  template <typename Visit>
  void for_each_prefix(std::string_view text, const Visit& visit) const;

  void add(std::string_view piece, int32_t id);
  // Before the first lookup.
  void sort();

 private:
  struct Entry {
    std::string piece;
    int32_t id;
  };
  using Iterator = std::vector<Entry>::const_iterator;
  // Part of [begin, end), whose pieces agree in their first `depth` bytes: the pieces with this
  // byte next.
  static std::pair<Iterator, Iterator> narrow(Iterator begin, Iterator end, size_t depth,
                                              char byte);

  std::vector<Entry> entries_;  // by piece
};

template <typename Visit>
void PieceIndex::for_each_prefix(std::string_view text, const Visit& visit) const {
  Iterator begin = entries_.begin(), end = entries_.end();
  for (size_t depth = 0; depth < text.size() && begin != end; ++depth) {
    std::tie(begin, end) = narrow(begin, end, depth, text[depth]);
    // The shortest of pieces with one beginning is the first.
    if (begin != end && begin->piece.size() == depth + 1) visit(depth + 1, begin->id);
  }
}

}  // namespace ebb
