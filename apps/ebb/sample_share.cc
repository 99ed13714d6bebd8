#include "apps/ebb/sample_share.h"

#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>

#include "base/available_threads.h"
#include "base/error.h"
#include "base/text.h"
#include "engine/backend.h"
#include "engine/comm/launch.h"

namespace ebb {
namespace {

constexpr int64_t kMaxBlocks = 256;
constexpr int64_t kSmallestBlock = 8;  // images; fewer make a poor batch
constexpr int64_t kMaxParts = 1'000'000;

SampleShare parse_part(const std::string& text) {
  SampleShare share{.part = -1, .parts = -1};
  const char* end = text.data() + text.size();
  const auto part = std::from_chars(text.data(), end, share.part);
  bool is_valid = part.ec == std::errc() && part.ptr != end && *part.ptr == '/';
  if (is_valid) {
    const auto parts = std::from_chars(part.ptr + 1, end, share.parts);
    is_valid = parts.ec == std::errc() && parts.ptr == end;
  }
  EBB_CHECK(is_valid && share.parts >= 1 && share.parts <= kMaxParts && share.part >= 0 &&
                share.part < share.parts,
            UsageError, "--part ", terminal_safe(text),
            ": must be I/N with I from 0 to N - 1: 0/8 is the first of eight, 7/8 the last");
  return share;
}

}  // namespace

void add_share_flags(Command command, ShareFlags& flags) {
  command.start_group("Several processes");
  Flag part = command
                  .add_option_function(
                      "--part",
                      [&flags](const std::string& text) {
                        parse_part(text);
                        flags.part = text;
                      },
                      "Part of the images to generate, from 0/N to N-1/N, for array jobs and "
                      "machines without a launcher (as mpirun, srun or torchrun says)")
                  .type_name("I/N");
  command.add_flag("--missing", flags.missing,
                   "Generate only what is not there yet, after a process or machine failed");
  add_choice(command, "--launcher", flags.launcher, {"auto", "none"},
             "none: generate all images, whatever the variables of a launcher say (auto)")
      .excludes(part);
  command
      .add_flag("--gray", flags.gray,
                "Keep one channel of gray images in .npz files, instead of three equal ones")
      .group(kOutputGroup);
  command.start_group(kOptionGroup);
}

std::vector<SampleBlock> sample_blocks(int64_t images) {
  const int64_t size = std::max(kSmallestBlock, (images + kMaxBlocks - 1) / kMaxBlocks);
  std::vector<SampleBlock> blocks;
  for (int64_t first = 0; first < images; first += size) {
    blocks.push_back({static_cast<int64_t>(blocks.size()), first, std::min(size, images - first)});
  }
  return blocks;
}

SampleShare read_share(const ShareFlags& flags) {
  if (!flags.part.empty()) return parse_part(flags.part);
  if (flags.launcher == "none") return {};
  const Launch launch = read_launch(process_environment());
  return {.part = launch.rank,
          .parts = launch.ranks,
          .launched = !launch.launcher.empty(),
          .local_part = launch.local_rank,
          .local_parts = launch.local_ranks};
}

std::string device_of_share(const std::string& device, const SampleShare& share, int64_t gpus) {
  if (share.local_parts == 1) return device;
  EBB_CHECK(!device.starts_with("cuda:"), UsageError, "--device ", terminal_safe(device), ": ",
            share.local_parts,
            " processes of this machine would take the same GPU. Give --device cuda: each takes "
            "one of its own.");
  // A launcher that shows each process one GPU has dealt them out.
  if (gpus <= 1 || (device != "cuda" && device != "auto")) return device;
  EBB_CHECK(share.local_part < gpus, DeviceError, "--device ", device, ": process ",
            share.local_part + 1, " of this machine, which shows ", gpus,
            " GPUs. Start no more processes than GPUs.");
  return cat("cuda:", share.local_part);
}

int64_t threads_of_share(const SampleShare& share, int64_t available, int64_t cpus) {
  if (available < cpus) return available;
  return std::max<int64_t>(1, available / share.local_parts);
}

void share_machine(const SampleShare& share, DeviceFlags& flags) {
  if (share.local_parts == 1) return;
  const std::vector<std::string> devices = list_devices();
  const auto gpus = std::count_if(devices.begin(), devices.end(), [](const std::string& line) {
    return line.starts_with("cuda:");
  });
  flags.device = device_of_share(flags.device, share, gpus);
  const bool is_chosen = flags.threads != DeviceFlags::kThreadsNotGiven ||
                         std::getenv("EBB_THREADS") != nullptr ||
                         std::getenv("OMP_NUM_THREADS") != nullptr;
  if (is_chosen) return;
  flags.threads = threads_of_share(share, available_threads(), ::sysconf(_SC_NPROCESSORS_ONLN));
}

}  // namespace ebb
