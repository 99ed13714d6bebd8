#include "base/json.h"

#include <functional>
#include <nlohmann/json.hpp>
#include <sstream>
#include <tuple>

#include "testing/catch.h"

using namespace ebb;
using Catch::Matchers::Contains;

namespace {

// Events as text: {k"a"[1]}.
class Recorder : public JsonEvents {
 public:
  std::string text;

  void null() override { text += "null"; }
  void boolean(bool value) override { text += value ? "true" : "false"; }
  void number_integer(int64_t value) override { text += "i" + std::to_string(value); }
  void number_unsigned(uint64_t value) override { text += "u" + std::to_string(value); }
  void number_float(double value) override { text += "f" + std::to_string(value); }
  void string(std::string& value) override { text += "s" + value; }
  void start_object() override { text += "{"; }
  void key(std::string& name) override { text += "k" + name; }
  void end_object() override { text += "}"; }
  void start_array() override { text += "["; }
  void end_array() override { text += "]"; }
  void parse_error(size_t position, const std::string&) override {
    text += "!" + std::to_string(position);
  }
};

std::string events(std::string_view text) {
  Recorder recorder;
  parse_json(text, recorder);
  return recorder.text;
}

std::string failure(const std::function<void()>& run) {
  try {
    run();
  } catch (const JsonError& error) {
    return error.what();
  }
  return "";
}

}  // namespace

TEST_CASE("JSON comes out as the library writes it") {
  const char* texts[] = {
      R"({"z":1,"a":[true,false,null],"m":{"y":-3,"b":"\u00e4\n"}})",
      R"([0.1,1e300,-0.0,3.0,18446744073709551615,-9223372036854775808,1e-7])",
      R"({"a":1,"b":2,"a":3})",
      R"("plain")",
      "{}",
      "[]",
  };
  for (const char* text : texts) {
    INFO(text);
    const Json json = Json::parse(text);
    const auto ordered = nlohmann::ordered_json::parse(text);
    CHECK(json.dump() == ordered.dump());
    CHECK(json.dump(2) == ordered.dump(2));
    CHECK(json.dump(-1, ' ', true) == ordered.dump(-1, ' ', true));
    CHECK(json.dump_sorted() == nlohmann::json::parse(text).dump());
    CHECK(json == Json::parse(json.dump()));
    CHECK(Json(json) == json);
  }
}

TEST_CASE("braces make an object of pairs that start with text, else an array") {
  CHECK(Json{{"a", 1}, {"b", {1, 2}}, {"c", {{"d", nullptr}}}}.dump() ==
        R"({"a":1,"b":[1,2],"c":{"d":null}})");
  CHECK(Json{1, 2.5, "x"}.dump() == R"([1,2.5,"x"])");
  CHECK(Json(std::vector<double>{1, 0.5}).dump() == "[1.0,0.5]");
  CHECK(Json(std::map<std::string, std::string>{{"b", "1"}, {"a", "2"}}).dump() ==
        R"({"a":"2","b":"1"})");
  Json grown;
  grown["x"] = 1;
  grown["y"] = Json::array();
  grown["x"] = 2;
  CHECK(grown.dump() == R"({"x":2,"y":[]})");
}

TEST_CASE("values of JSON are read by type") {
  const Json json = Json::parse(R"({"n":3,"f":2.5,"t":"x","b":true,"l":[1,2]})");
  CHECK(json.at("n").get<int64_t>() == 3);
  CHECK(json["n"].is_number_unsigned());
  CHECK(json["n"] == 3.0);
  CHECK(json["f"].get<double>() == 2.5);
  CHECK(json["t"] == "x");
  CHECK(json.value("b", false));
  CHECK(json.value("missing", "default") == "default");
  CHECK(json["l"].get<std::vector<double>>() == std::vector<double>{1, 2});
  CHECK(json["missing"].is_null());
  CHECK_FALSE(json.contains("missing"));
  CHECK(json.size() == 5);
  CHECK(json["l"][size_t{1}] == 2);
  std::ostringstream out;
  out << json["l"];
  CHECK(out.str() == "[1,2]");
}

TEST_CASE("JSON that does not fit is refused in the library's words") {
  const Json json = Json::parse(R"({"t":"x"})");
  const auto library = nlohmann::json::parse(R"({"t":"x"})");
  const auto library_failure = [](const std::function<void()>& run) {
    try {
      run();
    } catch (const nlohmann::json::exception& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  CHECK(failure([&] { json.at("u"); }) == library_failure([&] { (void)library.at("u"); }));
  CHECK(failure([&] { json["t"].get<int64_t>(); }) ==
        library_failure([&] { (void)library["t"].get<int64_t>(); }));
  CHECK(failure([&] { json["t"].get<bool>(); }) ==
        library_failure([&] { (void)library["t"].get<bool>(); }));
  CHECK(failure([&] { json["t"].at("x"); }) ==
        library_failure([&] { (void)library["t"].at("x"); }));
  CHECK(failure([&] { json["t"].value("x", 1); }) ==
        library_failure([&] { (void)library["t"].value("x", 1); }));
  CHECK(failure([&] { Json::parse("{"); }) ==
        library_failure([] { std::ignore = nlohmann::json::parse("{"); }));
  CHECK(failure([&] { (void)Json("\xff").dump(); }) ==
        library_failure([] { (void)nlohmann::json("\xff").dump(); }));
  CHECK(Json("\xff").dump(-1, ' ', false, Json::error_handler_t::replace) == "\"\xef\xbf\xbd\"");
}

TEST_CASE("text that is no JSON is neither null nor an object") {
  const Json json = Json::parse("{\"a\": [1, 2", nullptr, /*allow_exceptions=*/false);
  CHECK_FALSE(json.is_object());
  CHECK_FALSE(json.is_null());
}

TEST_CASE("JSON that nests deeper than the stack is read and freed") {
  const std::string deep = std::string(200000, '[') + std::string(200000, ']');
  const Json json = Json::parse("{\"a\": " + deep + "}");
  CHECK(json["a"].is_array());
}

TEST_CASE("a parser hands over what it meets and where it fails") {
  CHECK(events(R"({"a":[1,-2,0.5,"x",null,true]})") == "{ka[u1i-2f0.500000sxnulltrue]}");
  CHECK(events("[1,") == "[u1!4");
}
