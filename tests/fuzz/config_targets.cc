#include <string_view>

#include "base/error.h"
#include "nn/unet_config.h"
#include "tests/fuzz/promises.h"
#include "tests/fuzz/targets.h"

namespace ebb::test {

void fuzz_unet_config(std::span<const uint8_t> bytes) {
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  const Json json = Json::parse(text, nullptr, false);
  if (!json.is_object()) return;
  try {
    const UNetConfig any = parse_unet_config(json, "fuzz", kUNet2DClass);
    std::visit(
        [](const UNetConfigBase& config) {
          const size_t levels = config.levels();
          expect(levels >= 1 && levels <= 16, "a wrong number of levels");
          expect(config.down_block_types.size() == levels, "lists of different lengths");
          expect(config.up_block_types.size() == levels, "lists of different lengths");
          expect(config.layers_per_block.size() == levels, "lists of different lengths");
          for (const int64_t channels : config.block_out_channels) {
            expect(channels > 0 && channels % config.norm_num_groups == 0, "wrong channels");
          }
        },
        any);
  } catch (const FormatError& error) {
    check_message(error.what(), "fuzz: ", 8000);
  }
}

}  // namespace ebb::test
