#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <span>
#include <utility>

#include "base/error.h"
#include "base/text.h"
#include "diffusion/original_unet.h"

namespace ebb {
namespace {

// The tensor that holds a parameter: all of it, or part `part` of `parts` of its rows.
struct Original {
  std::string name;
  int64_t part = 0, parts = 1;
};

using Renaming = std::pair<std::string_view, std::string_view>;

// The name with the first prefix that fits exchanged; nothing when none fits.
std::optional<std::string> with_prefix_of(std::string_view name,
                                          std::span<const Renaming> prefixes) {
  for (const auto& [from, to] : prefixes) {
    if (name.starts_with(from)) return cat(to, name.substr(from.size()));
  }
  return {};
}

constexpr std::array<Renaming, 13> kOutside = {{{"time_embedding.linear_1.", "time_embed.0."},
                                                {"time_embedding.linear_2.", "time_embed.2."},
                                                {"class_embedding.linear_1.", "aug_proj.0."},
                                                {"class_embedding.linear_2.", "aug_proj.2."},
                                                {"class_embedding.", "label_emb."},
                                                {"encoder_hid_proj.", "encoder_proj."},
                                                {"add_embedding.norm1.", "encoder_pooling.0."},
                                                {"add_embedding.pool.", "encoder_pooling.1."},
                                                {"add_embedding.proj.", "encoder_pooling.2."},
                                                {"add_embedding.norm2.", "encoder_pooling.3."},
                                                {"conv_in.", "input_blocks.0.0."},
                                                {"conv_norm_out.", "out.0."},
                                                {"conv_out.", "out.2."}}};

constexpr std::array<Renaming, 6> kInResnet = {{{"norm1.", "in_layers.0."},
                                                {"conv1.", "in_layers.2."},
                                                {"time_emb_proj.", "emb_layers.1."},
                                                {"norm2.", "out_layers.0."},
                                                {"conv2.", "out_layers.3."},
                                                {"conv_shortcut.", "skip_connection."}}};

constexpr std::array<Renaming, 3> kInAttention = {
    {{"group_norm.", "norm."}, {"norm_cross.", "norm_encoder."}, {"to_out.0.", "proj_out."}}};

struct Joined {
  std::string_view from, to;
  int64_t part, parts;
};
constexpr std::array<Joined, 5> kJoined = {{{"to_q.", "qkv.", 0, 3},
                                            {"to_k.", "qkv.", 1, 3},
                                            {"to_v.", "qkv.", 2, 3},
                                            {"add_k_proj.", "encoder_kv.", 0, 2},
                                            {"add_v_proj.", "encoder_kv.", 1, 2}}};

// Names of diffusers, taken apart: "down_blocks.1.resnets.0." and the rest.
struct Place {
  std::string_view side, layer, rest;  // "down_blocks", "resnets", "conv1.weight"
  int64_t block = 0, index = 0;
};

// Reads "word.number." off the front.
std::string_view take_numbered(std::string_view& name, int64_t& number) {
  const size_t dot = name.find('.'), end = name.find('.', dot + 1);
  const std::string_view word = name.substr(0, dot);
  number = std::stoll(std::string(name.substr(dot + 1, end - dot - 1)));
  name.remove_prefix(end + 1);
  return word;
}

Place place_of(std::string_view name) {
  Place place;
  if (name.starts_with("mid_block.")) {
    place.side = "mid_block";
    name.remove_prefix(place.side.size() + 1);
  } else {
    place.side = take_numbered(name, place.block);
  }
  place.layer = take_numbered(name, place.index);
  place.rest = name;
  return place;
}

// Entries of input_blocks and output_blocks, which count through all levels.
class OriginalNames {
 public:
  explicit OriginalNames(const std::vector<ParamSpec>& specs) {
    for (const ParamSpec& spec : specs) {
      if (!spec.name.starts_with("down_blocks.") && !spec.name.starts_with("up_blocks.")) continue;
      const Place place = place_of(spec.name);
      std::vector<Level>& levels = place.side == "down_blocks" ? down_ : up_;
      levels.resize(std::max(levels.size(), static_cast<size_t>(place.block) + 1));
      Level& level = levels[static_cast<size_t>(place.block)];
      if (place.layer == "resnets") level.resnets = std::max(level.resnets, place.index + 1);
      level.attends |= place.layer == "attentions";
    }
  }

  Original of(const std::string& parameter) const {
    if (const auto outside = with_prefix_of(parameter, kOutside)) return {*outside};
    const Place place = place_of(parameter);
    const std::string module = module_of(place);
    if (place.layer != "attentions") {
      return {cat(module, with_prefix_of(place.rest, kInResnet).value_or(std::string(place.rest)))};
    }
    for (const Joined& joined : kJoined) {
      if (!place.rest.starts_with(joined.from)) continue;
      return {cat(module, joined.to, place.rest.substr(joined.from.size())), joined.part,
              joined.parts};
    }
    return {
        cat(module, with_prefix_of(place.rest, kInAttention).value_or(std::string(place.rest)))};
  }

 private:
  struct Level {
    int64_t resnets = 0;
    bool attends = false;
  };

  std::string module_of(const Place& place) const {
    const bool is_attention = place.layer == "attentions";
    if (place.side == "mid_block") {
      return cat("middle_block.", is_attention ? 1 : 2 * place.index, ".");
    }
    const bool is_down = place.side == "down_blocks";
    const std::vector<Level>& levels = is_down ? down_ : up_;
    int64_t entry = is_down ? 1 : 0;  // conv_in is the first
    for (int64_t i = 0; i < place.block; ++i) {
      entry += levels[static_cast<size_t>(i)].resnets + (is_down ? 1 : 0);
    }
    const Level& level = levels[static_cast<size_t>(place.block)];
    if (place.layer == "downsamplers") return cat("input_blocks.", entry + level.resnets, ".0.");
    if (place.layer == "upsamplers") {
      return cat("output_blocks.", entry + level.resnets - 1, level.attends ? ".2." : ".1.");
    }
    return cat(is_down ? "input_blocks." : "output_blocks.", entry + place.index,
               is_attention ? ".1." : ".0.");
  }

  std::vector<Level> down_, up_;
};

// A source whose tensors are parts of those of another.
class RenamedSource final : public WeightSource {
 public:
  RenamedSource(std::unique_ptr<WeightSource> source, const std::vector<ParamSpec>& specs,
                AttentionOrder order, int64_t head_width)
      : source_(std::move(source)), order_(order), head_width_(head_width) {
    const OriginalNames names(specs);
    std::map<std::string, const TensorInfo*> stored;
    for (const TensorInfo& tensor : source_->tensors()) stored[tensor.name] = &tensor;
    std::map<std::string, int64_t> parts;  // of each tensor that are still to come
    for (const ParamSpec& spec : specs) add(spec, names.of(spec.name), stored, parts);
    std::string left_over;
    for (const auto& [name, tensor] : stored) {
      if (!parts.contains(name) && left_over.empty()) left_over = name;
    }
    EBB_CHECK(left_over.empty(), FormatError, label(), ": tensor ", quoted(left_over),
              " belongs to no parameter of the network. Use the --as that the file was made for.");
  }

  const std::string& path() const override { return source_->path(); }
  const std::string& label() const override { return source_->label(); }
  const std::map<std::string, std::string>& metadata() const override {
    return source_->metadata();
  }
  const std::vector<TensorInfo>& tensors() const override { return tensors_; }
  std::vector<std::string> warnings() const override { return source_->warnings(); }
  std::string finish() override { return source_->finish(); }

  NonFinite stream(std::string_view name, const Sink& sink) override {
    const size_t index = static_cast<size_t>(
        std::find_if(tensors_.begin(), tensors_.end(),
                     [&](const TensorInfo& tensor) { return tensor.name == name; }) -
        tensors_.begin());
    const Original& original = originals_.at(index);
    const NonFinite found = fetch(original);
    for (const auto& [begin, end] : ranges(original, tensors_[index])) {
      for (size_t at = begin; at < end; at += kChunkBytes) {
        sink(std::span(bytes_).subspan(at, std::min<size_t>(kChunkBytes, end - at)));
      }
    }
    return original.part == 0 ? found : NonFinite{};
  }

 private:
  void add(const ParamSpec& spec, const Original& original,
           const std::map<std::string, const TensorInfo*>& stored,
           std::map<std::string, int64_t>& parts) {
    const auto found = stored.find(original.name);
    EBB_CHECK(found != stored.end(), FormatError, label(), ": has no tensor ",
              quoted(original.name), ", expected for ", spec.name,
              ". Use the --as that the file was made for.");
    const Shape expected = torch_shape(spec);
    TensorInfo tensor{.name = spec.name,
                      .dtype = found->second->dtype,
                      .shape = {expected.begin(), expected.end()}};
    uint64_t elements = 1, wanted = static_cast<uint64_t>(original.parts);
    for (const uint64_t dim : found->second->shape) elements *= dim;
    for (const uint64_t dim : tensor.shape) wanted *= dim;
    const bool has_rows =
        !found->second->shape.empty() &&
        found->second->shape[0] == static_cast<uint64_t>(original.parts) * tensor.shape[0];
    EBB_CHECK(elements == wanted && has_rows, FormatError, label(), ": tensor ",
              quoted(original.name), " has ", elements, " numbers, expected ", wanted, " for ",
              spec.name, ". Use the --as that the file was made for.");
    ++parts[original.name];
    tensors_.push_back(std::move(tensor));
    originals_.push_back(original);
  }

  // Reads a tensor whole, once for the parts that follow each other.
  NonFinite fetch(const Original& original) {
    if (original.name == fetched_) return found_;
    bytes_.clear();
    found_ = source_->stream(original.name, [&](std::span<const std::byte> piece) {
      bytes_.insert(bytes_.end(), piece.begin(), piece.end());
    });
    fetched_ = original.name;
    return found_;
  }

  // Bytes of the tensor that are a part's, in order.
  std::vector<std::pair<size_t, size_t>> ranges(const Original& original,
                                                const TensorInfo& tensor) const {
    if (original.parts == 1) return {{0, bytes_.size()}};
    const size_t rows = tensor.shape[0];
    const size_t row_bytes = bytes_.size() / rows / static_cast<size_t>(original.parts);
    const auto part = static_cast<size_t>(original.part);
    // The keys and values of a text are always those of each head together.
    const bool is_new = order_ == AttentionOrder::kNew && original.parts == 3;
    const size_t run = is_new ? rows : static_cast<size_t>(head_width_);
    std::vector<std::pair<size_t, size_t>> result;
    for (size_t head = 0; head * run < rows; ++head) {
      const size_t first = (head * static_cast<size_t>(original.parts) + part) * run;
      result.emplace_back(first * row_bytes, (first + run) * row_bytes);
    }
    return result;
  }

  std::unique_ptr<WeightSource> source_;
  AttentionOrder order_;
  int64_t head_width_;
  std::vector<TensorInfo> tensors_;
  std::vector<Original> originals_;  // of each tensor
  std::string fetched_;
  std::vector<std::byte> bytes_;  // of the tensor fetched_
  NonFinite found_;
};

}  // namespace

std::unique_ptr<WeightSource> rename_original_unet(std::unique_ptr<WeightSource> source,
                                                   const std::vector<ParamSpec>& specs,
                                                   AttentionOrder order, int64_t head_width) {
  return std::make_unique<RenamedSource>(std::move(source), specs, order, head_width);
}

}  // namespace ebb
