#pragma once

#include <cstdint>
#include <span>

namespace ebb::test {

// Each gives any bytes to a reader and checks what the reader promises whatever they are: a result
// that is consistent, or a FormatError with a short message that is safe to print. A broken promise
// is a std::logic_error; any other exception leaves as it came.
void fuzz_safetensors(std::span<const uint8_t> bytes);
void fuzz_idx(std::span<const uint8_t> bytes);
void fuzz_shard_index(std::span<const uint8_t> bytes);
void fuzz_torch(std::span<const uint8_t> bytes);   // a file of torch.save()
void fuzz_pickle(std::span<const uint8_t> bytes);  // its inner part, without the archive's checks

// In text_targets.cc: a model of SentencePiece, and texts through it.
void fuzz_sentencepiece(std::span<const uint8_t> bytes);

// In config_targets.cc.
void fuzz_unet_config(std::span<const uint8_t> bytes);

// The decoders of images, in image_targets.cc. Inputs that announce more than a megapixel are only
// looked at.
void fuzz_png(std::span<const uint8_t> bytes);
void fuzz_jpeg(std::span<const uint8_t> bytes);
void fuzz_webp(std::span<const uint8_t> bytes);
void fuzz_gif(std::span<const uint8_t> bytes);
void fuzz_bmp(std::span<const uint8_t> bytes);
void fuzz_pnm(std::span<const uint8_t> bytes);
void fuzz_tga(std::span<const uint8_t> bytes);

}  // namespace ebb::test
