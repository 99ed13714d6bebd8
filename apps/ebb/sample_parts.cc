#include "apps/ebb/sample_parts.h"

#include <unistd.h>

#include <algorithm>
#include <ostream>

#include "apps/cli/output_pattern.h"
#include "apps/ebb/sample_blocks.h"
#include "apps/ebb/stored_samples.h"
#include "base/text.h"
#include "diffusion/conditioner.h"

namespace ebb {
namespace {

Overwrite overwrite_of(const SampleFlags& flags) {
  return flags.force ? Overwrite::kReplace : Overwrite::kRefuse;
}

// The blocks that this process is to draw, with what each of them needs.
std::vector<SampleBlock> owned(const std::vector<SampleBlock>& blocks, const SampleShare& share) {
  std::vector<SampleBlock> own;
  std::copy_if(blocks.begin(), blocks.end(), std::back_inserter(own),
               [&](const SampleBlock& block) { return share.owns(block); });
  return own;
}

int64_t count_images(const std::vector<SampleBlock>& blocks) {
  int64_t images = 0;
  for (const SampleBlock& block : blocks) images += block.images;
  return images;
}

GenerateRequest request_of(const GenerateRequest& all, const SamplePlan& plan,
                           const SampleBlock& block) {
  GenerateRequest request = all;
  request.images = block.images;
  request.seed += static_cast<uint64_t>(block.first);
  const auto first = plan.labels.begin() + block.first;
  request.labels.assign(first, first + block.images);
  return request;
}

// Draws the blocks one after the other and gives the images of each to `use`.
void draw_blocks(SampleJob& job, const GenerateRequest& all, const SamplePlan& plan,
                 const std::vector<SampleBlock>& blocks,
                 const std::function<void(const SampleBlock&, std::vector<Image>)>& use) {
  const int64_t images = count_images(blocks);
  int64_t done = 0;
  for (const SampleBlock& block : blocks) {
    const std::vector<float> values =
        job.generate_block(request_of(all, plan, block), done, images);
    use(block, to_images(values, job.image(), job.range()));
    done += block.images;
  }
}

// Says "cuda:0" on every GPU: its number is the process's, and the bytes are those of one process.
Provenance provenance_of(SampleJob& job, const GenerateRequest& request, const SamplePlan& plan) {
  Provenance provenance = job.provenance(&request, plan.text);
  const Device device = job.context().device();
  provenance.device = to_string(Device{device.type, 0});
  return provenance;
}

void say_share(SampleJob& job, const SampleShare& share, int64_t drawn, const SamplePlan& plan) {
  if (share.is_all()) return;
  job.out() << "part " << share.part << " of " << share.parts << ": " << drawn << " of "
            << plan.images << (plan.images == 1 ? " image\n" : " images\n");
}

// Each image in a file of its own.
class ImageFiles {
 public:
  ImageFiles(SampleJob& job, const SampleFlags& flags, const SamplePlan& plan)
      : flags_(flags), files_(job.files(plan.images, plan.columns)) {
    files_.overwrite = overwrite_of(flags);
  }

  // The images of these blocks that are to be drawn, in runs without a gap.
  std::vector<SampleBlock> to_draw(const std::vector<SampleBlock>& blocks, bool missing) const {
    std::vector<SampleBlock> runs;
    for (const SampleBlock& block : blocks) {
      for (int64_t k = block.first; k < block.first + block.images; ++k) {
        if (is_kept(k, missing)) continue;
        const bool goes_on = !runs.empty() && runs.back().index == block.index &&
                             runs.back().first + runs.back().images == k;
        if (!goes_on) runs.push_back({block.index, k, 0});
        ++runs.back().images;
      }
    }
    return runs;
  }

  const OutputFiles& files() const { return files_; }

 private:
  // IoError for a file that cannot be written.
  bool is_kept(int64_t k, bool missing) const {
    const std::string path = OutputPattern(files_.output, k + 1).path(k);
    if (missing && ::access(path.c_str(), F_OK) == 0) return true;
    check_output_file(path, overwrite_of(flags_));
    return false;
  }

  const SampleFlags& flags_;
  OutputFiles files_;
};

void draw_files(SampleJob& job, const SampleFlags& flags, const ShareFlags& share_flags,
                const SampleShare& share, const SamplePlan& plan) {
  const ImageFiles files(job, flags, plan);
  const GenerateRequest request = job.request(plan.images);
  const std::vector<SampleBlock> runs =
      files.to_draw(owned(sample_blocks(plan.images), share), share_flags.missing);
  const auto write = [&](const SampleBlock& run, const std::vector<Image>& images) {
    const Provenance common = provenance_of(job, request, plan);
    for (int64_t i = 0; i < run.images; ++i) {
      const int64_t k = run.first + i;
      write_image(job.results(), files.files(), k,
                  {.image = images[i],
                   .seed = request.seed + static_cast<uint64_t>(k),
                   .prompt = job.text_of(plan.labels[k]),
                   .note = ""},
                  common);
    }
  };
  draw_blocks(job, request, plan, runs, write);
  say_share(job, share, count_images(runs), plan);
  job.print_summary(count_images(runs), request_of(request, plan, {.images = 1}));
}

StoredSamples stored(const SamplePlan& plan, const SampleBlock& block, const Shape& shape,
                     const std::vector<Image>& images) {
  StoredSamples samples{.images = block.images,
                        .height = shape[0],
                        .width = shape[1],
                        .channels = shape[2],
                        .pixels = {},
                        .labels = {}};
  for (const Image& image : images) {
    samples.pixels.insert(samples.pixels.end(), image.pixels.begin(), image.pixels.end());
  }
  const bool all_have_one =
      std::find(plan.labels.begin(), plan.labels.end(), kNoClass) == plan.labels.end();
  if (all_have_one) {
    const auto first = plan.labels.begin() + block.first;
    samples.labels.assign(first, first + block.images);
  }
  return samples;
}

// All images in one file. IoError or FormatError for files that are in the way.
class SamplesFile {
 public:
  SamplesFile(const SampleFlags& flags, const ShareFlags& share_flags, const SampleShare& share,
              const SamplePlan& plan, const std::string& made)
      : flags_(flags),
        share_flags_(share_flags),
        made_(made),
        blocks_(flags.output, plan.images, cat(made, share_flags.gray ? ", gray" : "")),
        own_(owned(blocks_.blocks(), share)) {}

  // Whether the file is there, from this command.
  bool is_finished() const {
    if (!share_flags_.missing || ::access(flags_.output.c_str(), F_OK) != 0) return false;
    const std::string made = samples_made(flags_.output);
    EBB_CHECK(made.empty() || made == made_, IoError, path_label(flags_.output),
              ": the file exists and is kept: it holds images of another command, model or device. "
              "Remove it, or choose another output.");
    blocks_.remove_leftovers();
    return true;
  }

  std::vector<SampleBlock> to_draw() const {
    if (own_.empty()) return {};
    if (!share_flags_.missing) check_output_file(flags_.output, overwrite_of(flags_));
    std::vector<SampleBlock> wanted;
    for (const SampleBlock& block : own_) {
      if (flags_.force) blocks_.remove(block);
      if (share_flags_.missing && blocks_.has(block)) continue;
      blocks_.check_new(block);
      wanted.push_back(block);
    }
    return wanted;
  }

  void write(const SampleBlock& block, const StoredSamples& samples) const {
    blocks_.write(block, samples);
  }

  bool join() const {
    return blocks_.join(share_flags_.gray, flags_.no_metadata ? "" : made_, overwrite_of(flags_));
  }

 private:
  const SampleFlags& flags_;
  const ShareFlags& share_flags_;
  std::string made_;
  SampleBlocks blocks_;
  std::vector<SampleBlock> own_;
};

void draw_samples(SampleJob& job, const SampleFlags& flags, const ShareFlags& share_flags,
                  const SampleShare& share, const SamplePlan& plan) {
  job.results().check_output("-o", flags.output);
  const GenerateRequest request = job.request(plan.images);
  Provenance provenance = provenance_of(job, request, plan);
  provenance.seeds = {request.seed};
  const SamplesFile file(flags, share_flags, share, plan, provenance_json(provenance));
  const std::string label = path_label(flags.output);
  if (file.is_finished()) {
    job.out() << label << ": is there already\n";
    job.results().set("images", 0);
    return job.print_results();
  }
  const std::vector<SampleBlock> blocks = file.to_draw();
  draw_blocks(job, request, plan, blocks,
              [&](const SampleBlock& block, const std::vector<Image>& images) {
                file.write(block, stored(plan, block, job.image(), images));
              });
  say_share(job, share, count_images(blocks), plan);
  if (file.join()) {
    job.out() << label << "  " << plan.images << (plan.images == 1 ? " image" : " images")
              << "  seeds " << request.seed << ".."
              << request.seed + static_cast<uint64_t>(plan.images) - 1 << '\n';
    job.results().add_file(flags.output, "samples", {{"images", plan.images}});
  } else if (share.is_all()) {
    job.err() << "warning: " << label
              << ": another process joins the images. Look for it when it has ended.\n";
  }
  job.print_summary(count_images(blocks), request_of(request, plan, {.images = 1}));
}

}  // namespace

bool draws_parts(const SampleFlags& flags, const ShareFlags& share_flags,
                 const SampleShare& share) {
  const bool one_file = is_samples_name(flags.output);
  refuse_flag("--gray", share_flags.gray && !flags.output.ends_with(".npz"), "without -o FILE.npz");
  EBB_CHECK(!share_flags.missing || !flags.force, UsageError,
            "--missing excludes --force: it keeps what is there. Leave one of them out.");
  if (!one_file && share.is_all() && !share_flags.missing) return false;
  const std::string why = one_file         ? "with an output of all images"
                          : share.is_all() ? "with --missing"
                                           : cat("with ", share.parts, " processes");
  refuse_flag("--grid", flags.grid, why);
  refuse_flag("--gif", flags.gif, why);
  refuse_flag("--scale", one_file && flags.scale > 0, why);
  EBB_CHECK(flags.seed >= 0 || (share.is_all() && !share_flags.missing), UsageError, "--seed ",
            flags.seed, ": a random seed is another one in every process. Give a number from 0.");
  return true;
}

void draw_parts(SampleJob& job, const SampleFlags& flags, const ShareFlags& share_flags,
                const SampleShare& share, const SamplePlan& plan) {
  is_samples_name(flags.output) ? draw_samples(job, flags, share_flags, share, plan)
                                : draw_files(job, flags, share_flags, share, plan);
}

}  // namespace ebb
