#include <algorithm>
#include <memory>
#include <ostream>

#include "apps/ebb/commands.h"
#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/text.h"
#include "diffusion/find_tokenizer.h"
#include "text/prompt_text.h"
#include "text/tokenizer.h"

namespace ebb {
namespace {

constexpr int64_t kPromptLength = 77;  // of DeepFloyd IF's pipelines
constexpr uint64_t kMaxBytes = 256u << 20;

struct Flags {
  std::string model;
  std::vector<std::string> texts;
  std::string jsonl;
  bool pipeline = false;
};

void print_ids(std::ostream& out, const std::vector<int32_t>& ids) {
  out << '[';
  for (size_t i = 0; i < ids.size(); ++i) out << (i > 0 ? ", " : "") << ids[i];
  out << "]\n";
}

class Printer {
 public:
  Printer(const Flags& flags, const Invocation& invocation, const Tokenizer& tokenizer)
      : flags_(flags), invocation_(invocation), tokenizer_(tokenizer) {}

  void operator()(const std::string& text) const {
    if (!flags_.pipeline) return print_ids(invocation_.out, tokenizer_.encode(text));
    const PromptTokens tokens = encode_prompt(tokenizer_, lower_and_strip(text), kPromptLength);
    if (tokens.cut > 0) {
      invocation_.err << "warning: " << terminal_safe(text, 60) << ": the last " << tokens.cut
                      << " of its ids do not fit into " << kPromptLength << " and are left out\n";
    }
    print_ids(invocation_.out, tokens.ids);
  }

 private:
  const Flags& flags_;
  const Invocation& invocation_;
  const Tokenizer& tokenizer_;
};

std::string string_of(std::string_view line, const std::string& label, int64_t number) {
  const Json json = Json::parse(line, nullptr, false);
  EBB_CHECK(json.is_string(), FormatError, label, ": line ", number,
            ": is no JSON string. Write one string a line, in double quotes");
  return json.get<std::string>();
}

void print_lines(const std::string& path, const Printer& print) {
  const std::vector<std::byte> bytes = read_file(path, kMaxBytes);
  std::string_view left(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  for (int64_t number = 1; !left.empty(); ++number) {
    const size_t end = std::min(left.find('\n'), left.size());
    const std::string_view line = left.substr(0, end);
    if (!line.empty()) print(string_of(line, path_label(path), number));
    left.remove_prefix(std::min(end + 1, left.size()));
  }
}

void run(const Flags& flags, const Invocation& invocation) {
  EBB_CHECK(!flags.texts.empty() || !flags.jsonl.empty(), UsageError,
            "ebb tokenize: no text. Give texts, or a file of them with --jsonl.");
  const std::string file = find_tokenizer(flags.model);
  const Tokenizer tokenizer(read_sentencepiece_model(file), path_label(file));
  const Printer print(flags, invocation, tokenizer);
  for (const std::string& text : flags.texts) print(text);
  if (!flags.jsonl.empty()) print_lines(flags.jsonl, print);
}

}  // namespace

// `ebb tokenize --model DIR TEXT...`: the ids that the tokenizer of a model makes of texts, a JSON
// list a line.
void add_tokenize(Command command, const Invocation& invocation) {
  auto flags = std::make_shared<Flags>();
  command.add_option("texts", flags->texts, "Texts, each in quotes");
  command
      .add_option("--model", flags->model,
                  "Directory of a model or a tokenizer, owner/name in the Hugging Face cache, or "
                  "spiece.model itself")
      .required()
      .takes(FlagValue::kModel);
  command.add_option("--jsonl", flags->jsonl, "File with a JSON string a line, each of them a text")
      .takes(FlagValue::kFile);
  command.add_flag("--pipeline", flags->pipeline,
                   "As DeepFloyd IF's pipelines do: lower case, 77 ids with </s> and padding");
  command.callback([flags, &invocation] { run(*flags, invocation); });
}

}  // namespace ebb
