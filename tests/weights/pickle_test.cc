#include "weights/pickle.h"

#include "testing/catch.h"
#include "testing/errors.h"
#include "testing/torch_files.h"

namespace ebb {
namespace {

using Catch::Matchers::Contains;
using test::message_of;
using test::pickled;
using test::pickled_name;
using test::whole_pickle;

const std::string kLabel = "x.pth";

std::string refusal(const std::string& bytes) {
  return message_of<FormatError>([&] { read_pickle(bytes, 0, kLabel); });
}

std::string refused(const std::string& object) { return refusal(whole_pickle(object)); }

TEST_CASE("the objects of a pickle are found by number") {
  std::string bytes = "\x80\x02}(" + pickled("a") + "K\7" + pickled("b") + "]q";
  bytes += '\0';
  bytes += "(N\x88h";
  bytes += '\0';
  bytes += "eu.";
  const Pickle pickle = read_pickle(bytes, 0, kLabel);
  CHECK(pickle.end() == bytes.size());
  REQUIRE(pickle.kind(pickle.root()) == PickleKind::kDict);
  const auto& items = pickle.items(pickle.root());
  REQUIRE(items.size() == 4);
  CHECK(pickle.text(items[0]) == "a");
  CHECK(pickle.integer(items[1]) == 7);
  const auto& list = pickle.items(items[3]);
  REQUIRE(list.size() == 3);
  CHECK(pickle.kind(list[0]) == PickleKind::kNone);
  CHECK(pickle.integer(list[1]) == 1);
  CHECK(list[2] == items[3]);  // a list that holds itself
}

TEST_CASE("integers of all forms are read") {
  const auto value = [](const std::string& object) {
    const std::string bytes = whole_pickle(object);
    const Pickle pickle = read_pickle(bytes, 0, kLabel);
    return pickle.integer(pickle.root());
  };
  CHECK(value("K\xff") == 255);
  CHECK(value("M\xff\xff") == 65535);
  CHECK(value("J\xfe\xff\xff\xff") == -2);
  CHECK(value("\x8a\x01\xff") == -1);
  CHECK(value(std::string("\x8a\0", 2)) == 0);
  CHECK(value("\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7f") == INT64_MAX);
  const std::string large = whole_pickle("\x8a\x09\xff\xff\xff\xff\xff\xff\xff\xff\x7f");
  CHECK(read_pickle(large, 0, kLabel).kind(0) == PickleKind::kLargeInt);
}

TEST_CASE("names outside the list are refused by name, and nothing is called") {
  CHECK_THAT(refused(pickled_name("posix", "system") + "(" + pickled("true") + "tR"),
             Contains("names posix.system, which ebb does not run"));
  CHECK_THAT(refused(pickled_name("__main__", "Net") + ")R"),
             Contains("names __main__.Net: this is a whole pickled module"));
  CHECK_THAT(refused(pickled_name("torch._utils", "_rebuild_tensor_v3")),
             Contains("_rebuild_tensor_v3"));
  CHECK_THAT(refused(pickled_name("torch", "Float\x1bStorage")), Contains("Float\\x1bStorage"));
  // Allowed names, called as something else.
  CHECK_THAT(refused(pickled_name("torch", "FloatStorage") + ")R"), Contains("type of storage"));
  CHECK_THAT(refused("})R"), Contains("REDUCE: what is called is a dict"));
}

TEST_CASE("opcodes outside the list are refused by name and offset") {
  CHECK_THAT(refused("(i__main__\nNet\n"), Contains("pickle byte 3: opcode INST (105)"));
  CHECK_THAT(refused("\x93"), Contains("STACK_GLOBAL"));
  CHECK_THAT(refused("\xee"), Contains("unknown (238)"));
  CHECK_THAT(refusal("\x80\x04."), Contains("protocol 4, expected 2"));
  CHECK_THAT(refusal("K\1."), Contains("does not start with a protocol"));
  int allowed = 0;
  for (int opcode = 0; opcode < 256; ++opcode) {
    const std::string message = refused(std::string(1, static_cast<char>(opcode)));
    if (message.find(": opcode ") == std::string::npos) ++allowed;
  }
  CHECK(allowed == 30);  // and PROTO, which starts the pickle only
}

TEST_CASE("operands of the wrong type are refused") {
  CHECK_THAT(refused("]K\1K\2s"), Contains("SETITEM: the container is a list, expected a dict"));
  CHECK_THAT(refused("}K\1a"), Contains("APPEND: the container is a dict"));
  CHECK_THAT(refused("](K\1s"), Contains("empty stack"));
  CHECK_THAT(refused("}(K\1u"), Contains("1 keys and values"));
  CHECK_THAT(refused("]}b"), Contains("BUILD: the object is a list"));
  CHECK_THAT(refused(pickled("x") + "Q"), Contains("persistent id is a string"));
  CHECK_THAT(refused("(" + pickled("module") + "tQ"), Contains("no storage"));
}

TEST_CASE("a broken structure is refused") {
  CHECK_THAT(refused("s"), Contains("empty stack"));
  CHECK_THAT(refused("hc"), Contains("memo slot 99 is not set"));
  CHECK_THAT(refused("Nqc"), Contains("memo slot 99 before"));
  CHECK_THAT(refused("t"), Contains("mark that is not there"));
  CHECK_THAT(refused("NN"), Contains("ends with 2 objects"));
  CHECK_THAT(refused(""), Contains("ends with 0 objects"));
  CHECK_THAT(refused("N("), Contains("ends with"));
  CHECK_THAT(refusal("\x80\x02N"), Contains("ends at byte 3, within an object"));
  CHECK_THAT(refusal("\x80\x02X\xff\xff\xff\xff"
                     "abc."),
             Contains("within an object"));
  bool cut = false;
  read_pickle("\x80\x02N", 0, kLabel, &cut);
  CHECK(cut);
}

TEST_CASE("depth and the numbers of objects, marks and opcodes are bounded") {
  CHECK_THAT(refused(")" + std::string(100'000, '\x85')), Contains("deeper than 1000 levels"));
  CHECK_THAT(refused(std::string((1 << 20) + 1, 'N')), Contains("more than 1048576 objects"));
  CHECK_THAT(refused(std::string((1 << 20) + 1, '(')), Contains("more than 1048576 marks"));
}

}  // namespace
}  // namespace ebb
