#include "flags/targeting/logic.hpp"

#include <gtest/gtest.h>

#include <string>
#include <tuple>

#include "tests/support/expect_ok.hpp"

namespace switchback {
namespace {

using Json = nlohmann::ordered_json;

Json Apply(const std::string& rule, const std::string& data = "{}") {
  const Json parsed = Json::parse(rule);
  EXPECT_TRUE(CheckLogic(parsed)) << rule;
  return test::Must(ApplyLogic(parsed, Json::parse(data)));
}

struct Case {
  const char* rule;
  const char* data;
  const char* expected;
};

void PrintTo(const Case& one, std::ostream* out) {
  *out << one.rule;
}

class LogicTable : public testing::TestWithParam<Case> {};

TEST_P(LogicTable, GivesWhatTheReferenceGives) {
  const auto& [rule, data, expected] = GetParam();
  EXPECT_TRUE(IsStrictlyEqual(Apply(rule, data), Json::parse(expected)))
      << rule << " of " << data << " is " << Apply(rule, data).dump();
}

// What json-logic-js 2.0.5 answers.
INSTANTIATE_TEST_SUITE_P(
    Values, LogicTable,
    testing::Values(Case{"1", "{}", "1"}, Case{"[1,{\"+\":[1,1]}]", "{}", "[1,2]"},
                    Case{R"({"var":"a"})", R"({"a":5})", "5"},
                    Case{R"({"var":["b",9]})", R"({"a":5})", "9"},
                    Case{R"({"var":"a.b.1"})", R"({"a":{"b":[3,4]}})", "4"},
                    Case{R"({"var":""})", R"({"a":1})", R"({"a":1})"},
                    Case{R"({"var":1})", "[7,8]", "8"},
                    Case{R"({"var":"a.b"})", R"({"a":null})", "null"},
                    Case{R"({"missing":["a","b"]})", R"({"a":1,"b":""})", R"(["b"])"},
                    Case{R"({"missing_some":[1,["a","b"]]})", R"({"a":1})", "[]"},
                    Case{R"({"missing_some":[2,["a","b"]]})", R"({"a":1})", R"(["b"])"}));

INSTANTIATE_TEST_SUITE_P(
    Comparisons, LogicTable,
    testing::Values(
        Case{R"({"==":[1,"1"]})", "{}", "true"}, Case{R"({"===":[1,"1"]})", "{}", "false"},
        Case{R"({"==":[0,""]})", "{}", "true"}, Case{R"({"==":[null,0]})", "{}", "false"},
        Case{R"({"==":[null,null]})", "{}", "true"}, Case{R"({"==":[true,"1"]})", "{}", "true"},
        Case{R"({"==":[1,"x"]})", "{}", "false"}, Case{R"({"!=":[1,"x"]})", "{}", "true"},
        Case{R"({"===":[1,1.0]})", "{}", "true"}, Case{R"({"!==":[1,"1"]})", "{}", "true"},
        Case{R"({"<":[1,2,3]})", "{}", "true"}, Case{R"({"<":[1,3,2]})", "{}", "false"},
        Case{R"({"<=":[1,1,1]})", "{}", "true"}, Case{R"({"<":["a",5]})", "{}", "false"},
        Case{R"({">=":["a",5]})", "{}", "false"}, Case{R"({"<":["10","9"]})", "{}", "true"},
        Case{R"({"<":["10",9]})", "{}", "false"}, Case{R"({">":[null,-1]})", "{}", "true"},
        Case{R"({">":["0x10",15]})", "{}", "true"}, Case{R"({">":[" 12 ",11]})", "{}", "true"}));

INSTANTIATE_TEST_SUITE_P(
    Logic, LogicTable,
    testing::Values(
        Case{R"({"if":[]})", "{}", "null"}, Case{R"({"if":["apple"]})", "{}", "\"apple\""},
        Case{R"({"if":[0,1]})", "{}", "null"}, Case{R"({"if":[0,1,2]})", "{}", "2"},
        Case{R"({"if":[0,1,[],2,"0",3,4]})", "{}", "3"}, Case{R"({"?:":[true,1,2]})", "{}", "1"},
        Case{R"({"and":[1,"",3]})", "{}", "\"\""}, Case{R"({"and":[1,3]})", "{}", "3"},
        Case{R"({"or":[0,"",3]})", "{}", "3"}, Case{R"({"or":[0,false]})", "{}", "false"},
        Case{R"({"!":[[]]})", "{}", "true"}, Case{R"({"!":"0"})", "{}", "false"},
        Case{R"({"!!":[{"var":"o"}]})", R"({"o":{}})", "true"}));

INSTANTIATE_TEST_SUITE_P(
    Arithmetic, LogicTable,
    testing::Values(Case{R"({"+":[1,"2",3.5]})", "{}", "6.5"},
                    Case{R"({"+":"3.14"})", "{}", "3.14"}, Case{R"({"+":["12px",1]})", "{}", "13"},
                    Case{R"({"-":5})", "{}", "-5"}, Case{R"({"-":["7",2]})", "{}", "5"},
                    Case{R"({"*":[2,3,"4"]})", "{}", "24"}, Case{R"({"/":[1,4]})", "{}", "0.25"},
                    Case{R"({"%":[-7,3]})", "{}", "-1"}, Case{R"({"max":[1,"7",3]})", "{}", "7"},
                    Case{R"({"min":[3,-2]})", "{}", "-2"},
                    Case{R"({"cat":[1.0,"-",true,null,[1,2]]})", "{}", R"("1-true1,2")"}));

INSTANTIATE_TEST_SUITE_P(
    TextsAndLists, LogicTable,
    testing::Values(
        Case{R"({"in":["Spring","Springfield"]})", "{}", "true"},
        Case{R"({"in":[1,["1",2]]})", "{}", "false"}, Case{R"({"in":["a",null]})", "{}", "false"},
        Case{R"({"substr":["jsonlogic",4]})", "{}", "\"logic\""},
        Case{R"({"substr":["jsonlogic",-5]})", "{}", "\"logic\""},
        Case{R"({"substr":["jsonlogic",1,3]})", "{}", "\"son\""},
        Case{R"({"substr":["jsonlogic",4,-2]})", "{}", "\"log\""},
        Case{R"({"substr":["abc",-50,2]})", "{}", "\"ab\""},
        Case{R"({"merge":[1,[2,3],[[4]]]})", "{}", "[1,2,3,[4]]"},
        Case{R"({"map":[{"var":"l"},{"*":[{"var":""},2]}]})", R"({"l":[1,2]})", "[2,4]"},
        Case{R"({"map":[{"var":"none"},1]})", "{}", "[]"},
        Case{R"({"filter":[[1,2,3],{">":[{"var":""},1]}]})", "{}", "[2,3]"},
        Case{R"({"reduce":[[1,2,3],{"+":[{"var":"current"},{"var":"accumulator"}]},0]})", "{}",
             "6"},
        Case{R"({"reduce":[null,1,7]})", "{}", "7"}, Case{R"({"all":[[],true]})", "{}", "false"},
        Case{R"({"all":[[1,2],{">":[{"var":""},0]}]})", "{}", "true"},
        Case{R"({"none":[[],true]})", "{}", "true"},
        Case{R"({"some":[[1,2],{">":[{"var":""},1]}]})", "{}", "true"}));

// What flagd's own evaluator (@openfeature/flagd-core 4.0.1) answers.
INSTANTIATE_TEST_SUITE_P(
    Flagd, LogicTable,
    testing::Values(Case{R"({"starts_with":["abcdef","abc"]})", "{}", "true"},
                    Case{R"({"starts_with":[123,"1"]})", "{}", "null"},
                    Case{R"({"ends_with":["uvwxyz","xyz"]})", "{}", "true"},
                    Case{R"({"ends_with":["xyz"]})", "{}", "null"},
                    Case{R"({"sem_ver":["2.0.0-alpha","<","2.0.0"]})", "{}", "true"},
                    Case{R"({"sem_ver":["2.0.0.0","<","2.0.0"]})", "{}", "null"},
                    Case{R"({"sem_ver":["3.0.1","~","3.0.0"]})", "{}", "true"},
                    Case{R"({"sem_ver":["3.1.0","^","3.0.0"]})", "{}", "true"},
                    Case{R"({"sem_ver":["1.5.0","^","1"]})", "{}", "true"},
                    Case{R"({"sem_ver":["v1.0.0","=","1.0.0+build"]})", "{}", "true"},
                    Case{R"({"sem_ver":["1.0.0-2","<","1.0.0-11"]})", "{}", "true"},
                    Case{R"({"sem_ver":["1.0.0-a.b","<","1.0.0-a"]})", "{}", "false"},
                    Case{R"({"sem_ver":["01.0.0","=","1.0.0"]})", "{}", "null"},
                    Case{R"({"sem_ver":["1.0.0","===","1.0.0"]})", "{}", "null"}));

// Keys of flagd's own conformance tests (flagd-testbed, fractional.feature, "v2").
INSTANTIATE_TEST_SUITE_P(
    Fractional, LogicTable,
    testing::Values(
        Case{R"({"fractional":[{"var":"targetingKey"},["lower",50],["upper",50]]})",
             R"({"targetingKey":"ejOoVL"})", "\"lower\""},
        Case{R"({"fractional":[{"var":"targetingKey"},["lower",50],["upper",50]]})",
             R"({"targetingKey":"6LvT0"})", "\"upper\""},
        Case{
            R"({"fractional":[{"cat":["shared-seed",{"var":"u"}]},["c",25],["d",25],["h",25],["s",25]]})",
            R"({"u":"seven"})", "\"h\""},
        Case{
            R"({"fractional":[{"cat":["shared-seed",{"var":"u"}]},["c",25],["d",25],["h",25],["s",25]]})",
            R"({"u":"two"})", "\"s\""},
        Case{
            R"({"fractional":[["heads"],["tails",1]]})",
            R"({"targetingKey":"jane@company.com","$flagd":{"flagKey":"fractional-flag-shorthand"}})",
            "\"tails\""},
        Case{R"({"fractional":[["a",1]]})", "{}", "null"},
        Case{R"({"fractional":["k",["a",-5],["b",1]]})", "{}", "\"b\""},
        Case{R"({"fractional":["k",["a",0],["b",0]]})", "{}", "null"},
        Case{R"({"fractional":["k",["a",0.5],["b",1]]})", "{}", "null"},
        Case{R"({"fractional":["k",["a",2147483647],["b",1]]})", "{}", "null"},
        Case{R"({"fractional":["k",["a",2147483647]]})", "{}", "\"a\""},
        Case{R"({"fractional":["k",["a",1,1]]})", "{}", "null"}));

TEST(CheckLogic, SaysWhatIsNoRule) {
  EXPECT_FALSE(CheckLogic(Json::parse(R"({"bogus":[1]})")));
  EXPECT_FALSE(CheckLogic(Json::parse(R"({"if":[{"a":1,"b":2}]})")));
  EXPECT_FALSE(CheckLogic(Json::parse(R"([{"and":[{"Var":"x"}]}])")));
  EXPECT_TRUE(CheckLogic(Json::parse(R"({"if":[{},"on"]})")));
}

TEST(ApplyLogic, EndsWhatWouldTakeTooLong) {
  const char* loop = R"({"map":[{"var":"l"},{"map":[{"var":"l"},1]}]})";
  EXPECT_EQ(Apply(loop, R"({"l":[]})"), Json::array());
  std::string list = "[1";
  for (int i = 0; i < 60; ++i) list += ",1";
  list += "]";
  const std::string nested = R"({"map":[)" + list + R"(,{"map":[)" + list + R"(,{"map":[)" + list +
                             R"(,{"+":[1,1]}]}]}]})";
  const auto slow = ApplyLogic(Json::parse(nested), Json::object());
  ASSERT_FALSE(slow);
  EXPECT_EQ(slow.error().code, ErrorCode::kTooLarge);
  // Doubles what it has with each element: 2^61 bytes.
  for (const char* doubling : {R"({"cat":[{"var":"accumulator"},{"var":"accumulator"}]})",
                               R"({"merge":[{"var":"accumulator"},{"var":"accumulator"}]})",
                               R"([{"var":"accumulator"},{"var":"accumulator"}])"}) {
    const std::string rule = R"({"reduce":[)" + list + "," + doubling + R"(,"x"]})";
    EXPECT_FALSE(ApplyLogic(Json::parse(rule), Json::object())) << doubling;
  }
}

}  // namespace
}  // namespace switchback
