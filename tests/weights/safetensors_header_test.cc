#include "weights/safetensors_header.h"

#include "base/error.h"
#include "testing/catch.h"
#include "testing/errors.h"

namespace ebb {
namespace {

using Catch::Matchers::Contains;
using Catch::Matchers::StartsWith;

SafetensorsHeader parse(std::string_view json, uint64_t data_bytes) {
  return parse_safetensors_header(json, data_bytes, LoadLimits{}, "file");
}

std::string refusal(std::string_view json, uint64_t data_bytes) {
  return test::message_of<FormatError>([&] { parse(json, data_bytes); });
}

// "t":{...} with the given fields as raw JSON.
std::string entry(const std::string& shape, const std::string& offsets,
                  const std::string& dtype = "\"F32\"", const std::string& name = "t") {
  return "\"" + name + R"(":{"dtype":)" + dtype + R"(,"shape":)" + shape + R"(,"data_offsets":)" +
         offsets + "}";
}

std::string one(const std::string& shape, const std::string& offsets,
                const std::string& dtype = "\"F32\"") {
  return cat("{", entry(shape, offsets, dtype), "}");
}

TEST_CASE("a header gives tensors in the order of their bytes, and its metadata") {
  const SafetensorsHeader header = parse(
      R"( {"b":{"dtype":"F16","shape":[4],"data_offsets":[16,24]},
          "__metadata__":{"format":"pt","caf\u00e9":"\u65e5"},
          "a":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16],"extra":[1,{"x":null}]}}  )",
      24);
  REQUIRE(header.entries.size() == 2);
  CHECK(header.entries[0].name == "a");
  CHECK(header.entries[0].shape == std::vector<uint64_t>{2, 2});
  CHECK(header.entries[1].name == "b");
  CHECK(header.entries[1].dtype == StDType::kF16);
  CHECK(header.entries[1].begin == 16);
  CHECK(header.entries[1].bytes() == 8);
  CHECK(header.metadata.at("format") == "pt");
  CHECK(header.metadata.at("caf\u00e9") == "\u65e5");
}

TEST_CASE("unusual headers that the format allows are accepted") {
  CHECK(parse("{}", 0).entries.empty());
  CHECK(parse("\t\n{}\r ", 0).entries.empty());
  CHECK(parse(R"({"__metadata__":null})", 0).metadata.empty());
  CHECK(parse(one("[]", "[0,4]"), 4).entries[0].shape.empty());
  CHECK(parse(one("[2,0]", "[0,0]"), 0).entries[0].bytes() == 0);
  CHECK(parse(one("[18446744073709551615,0]", "[0,0]"), 0).entries[0].shape[0] == UINT64_MAX);
  CHECK(parse(one("[4]", "[0,3]", "\"F6_E2M3\""), 3).entries.size() == 1);
  CHECK(parse(one("[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]", "[0,4]"), 4).entries[0].shape.size() == 16);
  CHECK(
      parse(R"({"a\u0000b":{"dtype":"U8","shape":[],"data_offsets":[0,1]}})", 1).entries[0].name ==
      std::string("a\0b", 3));
  const std::string deep = std::string(126, '[') + std::string(126, ']');
  CHECK(parse(R"({"t":{"x":)" + deep + R"(,"dtype":"U8","shape":[],"data_offsets":[0,1]}})", 1)
            .entries.size() == 1);
}

TEST_CASE("text that is not strict JSON is refused") {
  for (const std::string json : {"",
                                 " ",
                                 "{",
                                 "{}}",
                                 "{} x",
                                 "{},",

                                 "{\"a\":}",
                                 "{a:1}",
                                 "{'a':1}",
                                 "{\"__metadata__\":{\"a\":\"b\",}}",
                                 "{\"x\":NaN}",
                                 "{\"x\":Infinity}",
                                 "{/**/}",
                                 "{}//",
                                 "{\"\xff\":{}}",
                                 "\xff",
                                 "{\"\xed\xa0\x80\":{}}",
                                 "{\"\xc0\x80\":{}}",
                                 "{\"a\nb\":{}}",
                                 "{\"\\ud800\":{}}",
                                 "{\"\\udc00\\ud800\":{}}",
                                 "{\"\\x\":{}}",
                                 "{\"t\":{\"x\":01}}",
                                 "{\"t\":{\"x\":+1}}",
                                 "{\"t\":{\"x\":.5}}",
                                 "{\"t\":{\"x\":1.}}"}) {
    INFO(json);
    CHECK_THAT(refusal(json, 0), StartsWith("file: header is not valid JSON at its byte "));
  }
  CHECK_THAT(refusal(std::string("{}\0", 3), 0), Contains("header holds a NUL at its byte 2"));
  CHECK_THAT(refusal("\xef\xbb\xbf{}", 0), Contains("byte order mark"));
}

TEST_CASE("values of the wrong type are refused with their place") {
  CHECK_THAT(refusal("[]", 0), Contains("header is an array, expected a JSON object"));
  CHECK_THAT(refusal("1", 0), Contains("header is a number"));
  CHECK_THAT(refusal("null", 0), Contains("header is null"));
  CHECK_THAT(refusal(R"({"t":1})", 0), Contains("tensor \"t\" is a number"));
  CHECK_THAT(refusal(R"({"t":null})", 0), Contains("tensor \"t\" is null"));
  CHECK_THAT(refusal(R"({"t":[]})", 0), Contains("tensor \"t\" is an array"));
  CHECK_THAT(refusal(R"({"__metadata__":"x"})", 0), Contains("__metadata__ is a string"));
  CHECK_THAT(refusal(R"({"__metadata__":[]})", 0), Contains("__metadata__ is an array"));
  CHECK_THAT(refusal(R"({"__metadata__":{"k":1}})", 0), Contains("entry \"k\" is a number"));
  CHECK_THAT(refusal(R"({"__metadata__":{"k":{}}})", 0), Contains("entry \"k\" is an object"));
  CHECK_THAT(refusal(one("[1]", "[0,4]", "7"), 4), Contains("\"t\": dtype is a number"));
  CHECK_THAT(refusal(one("[1]", "[0,4]", "[]"), 4), Contains("\"t\": dtype is an array"));
  CHECK_THAT(refusal(one("1", "[0,4]"), 4), Contains("\"t\": shape is a number"));
  CHECK_THAT(refusal(one("{}", "[0,4]"), 4), Contains("\"t\": shape is an object"));
  CHECK_THAT(refusal(one("[[1]]", "[0,4]"), 4), Contains("\"t\": shape holds an array"));
  CHECK_THAT(refusal(one("[true]", "[0,4]"), 4), Contains("\"t\": shape holds a boolean"));
  CHECK_THAT(refusal(one("[\"1\"]", "[0,4]"), 4), Contains("\"t\": shape holds a string"));
  CHECK_THAT(refusal(one("[null]", "[0,4]"), 4), Contains("\"t\": shape holds null"));
  CHECK_THAT(refusal(one("[1]", "null"), 4), Contains("\"t\": data_offsets is null"));
}

TEST_CASE("only plain integers from 0 to 2^64 - 1 count as sizes") {
  for (const std::string number :
       {"-1", "-0", "1.0", "1e0", "1E2", "18446744073709551616", "99999999999999999999999999"}) {
    INFO(number);
    CHECK_THAT(refusal(one("[" + number + "]", "[0,4]"), 4), Contains("\"t\": shape holds "));
    CHECK_THAT(refusal(one("[1]", "[0," + number + "]"), 4), Contains("data_offsets holds "));
  }
}

TEST_CASE("missing fields and unknown types are named") {
  CHECK_THAT(refusal(R"({"t":{"shape":[1],"data_offsets":[0,4]}})", 4), Contains("has no dtype"));
  CHECK_THAT(refusal(R"({"t":{"dtype":"F32","data_offsets":[0,4]}})", 4), Contains("no shape"));
  CHECK_THAT(refusal(R"({"t":{"dtype":"F32","shape":[1]}})", 4), Contains("no data_offsets"));
  CHECK_THAT(refusal(one("[1]", "[0,4]", "\"F31\""), 4), Contains("dtype \"F31\" is unknown"));
  CHECK_THAT(refusal(one("[1]", "[0,4]", "\"f32\""), 4), Contains("dtype \"f32\" is unknown"));
  CHECK_THAT(refusal(one("[1]", "[0]"), 4), Contains("data_offsets holds 1 numbers"));
  CHECK_THAT(refusal(one("[1]", "[0,4,4]"), 4), Contains("data_offsets holds more than 2"));
}

TEST_CASE("duplicate names are refused at every level, also when escaped") {
  const std::string t = entry("[1]", "[0,4]");
  CHECK_THAT(refusal("{" + t + "," + t + "}", 4), Contains("duplicate name \"t\""));
  CHECK_THAT(refusal("{" + t + "," + entry("[1]", "[0,4]", "\"F32\"", "\\u0074") + "}", 4),
             Contains("duplicate name \"t\""));
  CHECK_THAT(refusal(R"({"__metadata__":{"k":"a","k":"b"}})", 0), Contains("duplicate name \"k\""));
  CHECK_THAT(refusal(R"({"__metadata__":{},"__metadata__":{}})", 0), Contains("\"__metadata__\""));
  CHECK_THAT(refusal(R"({"t":{"dtype":"F32","dtype":"F32"}})", 0), Contains("\"dtype\""));
  CHECK_THAT(refusal(R"({"t":{"x":{"y":1,"y":2}}})", 0), Contains("duplicate name \"y\""));
}

TEST_CASE("nesting and rank are bounded") {
  const std::string deep = R"({"t":{"x":)" + std::string(100'000, '[');
  CHECK_THAT(refusal(deep, 0), Contains("nests deeper than 128 levels"));
  CHECK_THAT(refusal(R"({"t":{"x":)" + std::string(127, '['), 0), Contains("deeper than 128"));
  CHECK_THAT(refusal(one("[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]", "[0,4]"), 4),
             Contains("more than 16 dimensions"));
}

TEST_CASE("tensors must fill the data section without gap or overlap") {
  CHECK_THAT(refusal(one("[2,2]", "[16,0]"), 16), Contains("[16, 0] run backwards"));
  CHECK_THAT(refusal(one("[1]", "[4,8]"), 8), Contains("\"t\": starts at data byte 4, expected 0"));
  const std::string a = entry("[1]", "[0,4]", "\"F32\"", "a");
  CHECK_THAT(refusal("{" + a + "," + entry("[1]", "[12,16]") + "}", 16),
             Contains("\"t\": starts at data byte 12, expected 4"));
  CHECK_THAT(refusal("{" + a + "," + entry("[1]", "[2,6]") + "}", 6),
             Contains("\"t\": starts at data byte 2, expected 4"));
  CHECK_THAT(refusal("{" + a + "," + entry("[1]", "[0,4]") + "}", 4), Contains("expected 4"));
}

TEST_CASE("a tensor's bytes must fit its shape, in arithmetic that does not wrap") {
  CHECK_THAT(refusal(one("[2,2]", "[0,4]"), 4), Contains("span 4 bytes, expected 16"));
  CHECK_THAT(refusal(one("[2,18446744073709551614]", "[0,16]"), 16), Contains("2^64 bits"));
  CHECK_THAT(refusal(one("[2,9223372036854775807]", "[0,16]"), 16), Contains("2^64 bits"));
  CHECK_THAT(refusal(one("[4294967296,4294967296]", "[0,0]"), 0), Contains("2^64 bits"));
  CHECK_THAT(refusal(one("[4294967296,4294967296,0]", "[0,0]"), 0), Contains("2^64 bits"));
  CHECK_THAT(refusal(one("[1,3]", "[0,2]", "\"F4\""), 2), Contains("are 12 bits"));
}

TEST_CASE("the data section must be as long as the header says") {
  const std::string message = refusal(one("[2,2]", "[0,16]"), 14);
  CHECK_THAT(message, Contains("header says 16 bytes of data, file holds 14 (tensor \"t\", bytes"));
  CHECK_THAT(message, Contains("download looks incomplete"));
  CHECK_THAT(refusal(one("[2,2]", "[0,16]"), 17), Contains("1 byte behind the last tensor"));
  CHECK_THAT(refusal("{}", 5), Contains("5 bytes behind the last tensor"));
}

TEST_CASE("tensors over the memory limit are refused before anything else is believed") {
  const std::string json = one("[4294967296]", "[0,17179869184]");
  LoadLimits limits;
  limits.max_model_bytes = uint64_t{1} << 30;
  const std::string message = test::message_of<FormatError>(
      [&] { parse_safetensors_header(json, 17179869184, limits, "file"); });
  CHECK_THAT(message, Contains("17179869184 bytes (16.0 GiB), allowed are 1073741824 bytes"));
  CHECK(parse(json, 17179869184).entries.size() == 1);
}

TEST_CASE("names from the file cannot reach the terminal raw") {
  const std::string message = refusal(R"({"\u001b[31m\n":{}})", 0);
  CHECK_THAT(message, Contains("tensor \"\\x1b[31m\\n\" has no dtype"));
  const std::string endless = refusal("{\"" + std::string(1'000'000, 'n') + "\":{}}", 0);
  CHECK(endless.size() < 1000);
  const std::string unclosed = refusal("{\"" + std::string(1'000'000, 'n'), 0);
  CHECK(unclosed.size() < 1000);
}

}  // namespace
}  // namespace ebb
