#include "apps/ebb/examples.h"

#include <map>

namespace ebb {
namespace {

using Examples = std::map<std::string, std::vector<Example>>;

// A function, since exceptions of a global's constructor could not be caught.
const Examples& table() {
  static const Examples examples = {
      {"ebb",
       {{"ebb sample --class 7", "a handwritten seven in out_000.png"},
        {"ebb test-image tower -o tower.png", "an image to try the other commands on"},
        {"ebb anagram --prompts 6 9 -b 4 --grid", "a six that is a nine upside down"}}},
      {"sample",
       {{"ebb sample --class 7 -o seven.png", "one image"},
        {"ebb sample --class 3,8 -b 10 --grid", "threes and eights in one file"},
        {"ebb sample --class 7 --scale 1", "a seven of 28 x 28 pixels"},
        {"ebb sample --class all -b 50000 -o samples.npz --part 0/8",
         "the first of eight processes, all images in one file"},
        {"ebb sample -p '' -b 16 --grid", "whatever the model chooses: no prompt, no guidance"},
        {"ebb sample --model DeepFloyd/IF-I-L-v1.0 --embeddings e.pth -p 'a rocket ship'",
         "a model that reads text, from the Hugging Face cache"}}},
      {"edit",
       {{"ebb edit -i photo.jpg -p seven --grid", "from much noise to little"},
        {"ebb edit -i pencil.jpg --i-start 15 20 -b 4", "a drawing on paper at two levels"}}},
      {"inpaint",
       {{"ebb inpaint -i digit.png --mask right -b 4 --grid", "four new right halves"},
        {"ebb inpaint -i digit.png --mask mask.png -p 8",
         "what is white in the mask, as an eight"}}},
      {"upscale",
       {{"ebb upscale --model DeepFloyd/IF-II-L-v1.0 --embeddings e.pth -p 'a rocket ship' in.png",
         "four times the side"}}},
      {"anagram",
       {{"ebb anagram --prompts 6 9 -b 4 --grid", "upright a six, turned a nine"},
        {"ebb anagram --prompts 6 9 --best 4 --turn turn.gif",
         "the four best, and how they turn"}}},
      {"hybrid",
       {{"ebb hybrid --far 8 --near 3 --best 4 --grid", "an eight from afar, a three up close"},
        {"ebb hybrid --inverse photo.png --near 5",
         "the coarse part of an image with new detail"}}},
      {"denoise",
       {{"ebb denoise -i digit.png --one-step -t 250,500,750 --grid", "estimates in one step"},
        {"ebb denoise -i digit.png --i-start 10 --show-every 5", "the way back, step by step"}}},
      {"forward",
       {{"ebb forward -i digit.png -t 250,500,750 --grid", "an image in more and more noise"}}},
      {"blur", {{"ebb blur -i digit.png -t 250,500 --grid", "the best Gaussian blur of each"}}},
      {"test-image", {{"ebb test-image tower", "writes tower.png"}}},
      {"report",
       {{"ebb report -o report", "every figure and its command on one page"},
        {"ebb report -o preview --fast", "the same in a few steps"}}},
      {"info", {{"ebb info out_000.png", "the command, model and seed behind an image"}}},
      {"rerun", {{"ebb rerun out_000.png -o again.png", "the same pixels again"}}},
      {"inspect",
       {{"ebb inspect mnist-class", "a pretrained model"},
        {"ebb inspect data/mnist/train-images-idx3-ubyte.gz --json", "a data set, for programs"}}},
      {"tokenize",
       {{"ebb tokenize --model DeepFloyd/IF-I-M-v1.0 'a rocket ship'", "[3, 9, 15721, 4383]"},
        {"ebb tokenize --model spiece.model --jsonl prompts.jsonl", "a list of ids a line"}}},
      {"models", {{"ebb models", "what --model finds by name"}}},
      {"eval",
       {{"ebb eval mnist-class --samples 100", "how many samples a classifier reads as meant"},
        {"ebb eval mnist-denoiser --sigmas 0.2 0.5", "error at two noise levels"}}},
      {"plot",
       {{"ebb plot mnist-class mnist-time -o loss.png", "two training losses in one chart"}}},
      {"compare",
       {{"ebb compare mnist-class outputs.safetensors", "layer by layer against another program"},
        {"ebb compare DeepFloyd/IF-I-M-v1.0 run.safetensors",
         "a whole sampling run, step by step"}}},
      {"convert", {{"ebb convert mnist-class -o half.safetensors --dtype f16", "half the size"}}},
      {"devices", {{"ebb devices", "what --device accepts here"}}},
      {"help", {{"ebb help sample", "the flags of one command"}}},
      {"completion",
       {{"source <(ebb completion bash)", "for this shell; put it into ~/.bashrc to keep it"},
        {"ebb completion fish > ~/.config/fish/completions/ebb.fish", "for fish"}}},
  };
  return examples;
}

}  // namespace

const std::vector<Example>& examples_of(const std::string& command) {
  static const std::vector<Example> none;
  const auto found = table().find(command);
  return found == table().end() ? none : found->second;
}

}  // namespace ebb
