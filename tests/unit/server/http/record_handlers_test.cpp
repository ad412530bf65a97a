// Records as a client of HTTP meets them, over a service in memory and without sockets.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "common/text.hpp"
#include "server/http/control_plane.hpp"
#include "server/http/query.hpp"
#include "tests/support/expect_ok.hpp"
#include "tests/support/fake_db_service.hpp"
#include "tests/unit/server/http/scratch_folder.hpp"

namespace switchback {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using Headers = std::map<std::string, std::string, std::less<>>;
using Json = nlohmann::ordered_json;

constexpr char kAlice[] = "/v1/collections/users/records/alice";

class RecordHandlersTest : public testing::Test {
 protected:
  HttpResponse Ask(const std::string& method, const std::string& target,
                   const std::string& body = "", Headers headers = {}) {
    HttpRequest request;
    request.method = method;
    const auto question = target.find('?');
    request.path = target.substr(0, question);
    if (question != std::string::npos) request.query = target.substr(question + 1);
    request.headers = std::move(headers);
    request.headers.emplace("host", "127.0.0.1:8080");
    if (method == "POST") request.headers.emplace("content-type", "application/json");
    request.body = body;
    return plane_.Handle(request);
  }
  Json AskJson(const std::string& method, const std::string& target, const std::string& body = "") {
    return Json::parse(Ask(method, target, body).body, nullptr, false);
  }
  static std::string HeaderOf(const HttpResponse& response, const std::string& name) {
    for (const auto& [header, value] : response.headers) {
      if (header == name) return value;
    }
    return "";
  }

  ScratchFolder folder_;
  const std::string flags_path_ = folder_.path() + "/flags.json";
  FakeDbService service_;
  FlagWatcher watcher_{flags_path_, service_.flags(), [](const auto&) {}, SystemClock()};
  const std::unique_ptr<Journal> journal_ =
      test::Must(Journal::Open(folder_.path() + "/control.sqlite", SystemClock()));
  const std::unique_ptr<Migrator> migrator_ =
      test::Must(Migrator::Open(service_, *journal_, SystemClock(), {}));
  ControlPlane plane_{ControlPlaneParts{service_,
                                        watcher_,
                                        *migrator_,
                                        SystemClock(),
                                        [] { return ServerCounters(); },
                                        {folder_.path(), flags_path_, {}}},
                      AccessOptions{}};
};

TEST_F(RecordHandlersTest, StoresAndGivesBackTheSameOctets) {
  const std::string octets("\0\xff\r\n%x", 6);

  EXPECT_EQ(Ask("PUT", kAlice, octets).status, 201u);
  EXPECT_EQ(Ask("PUT", kAlice, octets).status, 204u);
  const HttpResponse response = Ask("GET", kAlice);

  EXPECT_EQ(response.status, 200u);
  EXPECT_EQ(response.body, octets);
  EXPECT_EQ(response.content_type, "application/octet-stream");
  EXPECT_EQ(service_.RecordsOf("users")["alice"], octets);
  EXPECT_EQ(service_.open_turns(), 0);
}

TEST_F(RecordHandlersTest, DeletesWhatIsThere) {
  Ask("PUT", kAlice, "1");

  const HttpResponse deleted = Ask("DELETE", kAlice);

  EXPECT_EQ(deleted.status, 204u);
  EXPECT_EQ(deleted.content_type, "");
  EXPECT_EQ(Ask("DELETE", kAlice).status, 404u);
  EXPECT_EQ(Ask("GET", kAlice).status, 404u);
}

TEST_F(RecordHandlersTest, TakesKeysOfAnyBytes) {
  const std::string key("a/b\0%\xfe", 6);
  const std::string target = "/v1/collections/users/records/" + PercentEncode(key);

  EXPECT_EQ(Ask("PUT", target, "1").status, 201u);

  EXPECT_EQ(Ask("GET", target).body, "1");
  EXPECT_EQ(service_.RecordsOf("users").count(key), 1u);
}

TEST_F(RecordHandlersTest, RefusesKeysAndCollectionsThatCannotBe) {
  const std::string long_key(512, 'k');

  EXPECT_EQ(Ask("PUT", "/v1/collections/users/records/" + long_key, "1").status, 400u);
  EXPECT_EQ(Ask("GET", "/v1/collections/users/records/" + long_key).status, 400u);
  EXPECT_EQ(Ask("PUT", "/v1/collections/__switchback/records/a", "1").status, 400u);
  EXPECT_EQ(Ask("GET", "/v1/collections/a%2Fb/records/a").status, 400u);
  EXPECT_EQ(Ask("GET", "/v1/collections/users/records/").status, 404u);
}

TEST_F(RecordHandlersTest, ReadsOfInventedCollectionsLeaveNoTrace) {
  const std::size_t before = service_.catalog().All().size();

  EXPECT_EQ(Ask("GET", "/v1/collections/invented/records/a").status, 404u);
  EXPECT_EQ(AskJson("GET", "/v1/collections/invented/records")["records"].size(), 0u);

  EXPECT_EQ(service_.catalog().All().size(), before);
}

TEST_F(RecordHandlersTest, RefusesValuesPastTheLimit) {
  service_.SetValueBytesMax(3);

  EXPECT_EQ(Ask("PUT", kAlice, "1234").status, 413u);
  EXPECT_EQ(Ask("PUT", kAlice, "123").status, 201u);
}

TEST_F(RecordHandlersTest, ChecksWhatTheBodySaysItIs) {
  EXPECT_EQ(Ask("PUT", kAlice, "{", {{"content-type", "application/json"}}).status, 400u);
  EXPECT_EQ(Ask("PUT", kAlice, "{ }", {{"content-type", "application/json"}}).status, 201u);
  EXPECT_EQ(service_.RecordsOf("users")["alice"], "{ }");  // as it was sent
  EXPECT_EQ(Ask("PUT", kAlice, "\xff", {{"content-type", "text/plain"}}).status, 400u);
  EXPECT_EQ(
      Ask("PUT", kAlice, "a=b", {{"content-type", "application/x-www-form-urlencoded"}}).status,
      415u);
}

TEST_F(RecordHandlersTest, GivesTheTypeThatIsAccepted) {
  Ask("PUT", kAlice, R"({"a":1})");
  const auto type_of = [&](const std::string& accept) {
    const HttpResponse response = Ask("GET", kAlice, "", {{"accept", accept}});
    return response.status == 200 ? response.content_type : std::to_string(response.status);
  };

  EXPECT_EQ(type_of("*/*"), "application/octet-stream");
  EXPECT_EQ(type_of("text/plain"), "text/plain; charset=utf-8");
  EXPECT_EQ(type_of("application/json, */*;q=0.1"), "application/json");
  EXPECT_EQ(type_of("text/html"), "406");
  EXPECT_EQ(type_of("application/json;q=0"), "406");
  Ask("PUT", kAlice, "\xff");
  EXPECT_EQ(type_of("text/plain"), "406");
  EXPECT_EQ(type_of("application/json, application/octet-stream"), "application/octet-stream");
}

TEST_F(RecordHandlersTest, TagsChangeWithTheContent) {
  const std::string first = HeaderOf(Ask("PUT", kAlice, "1"), "ETag");
  const std::string second = HeaderOf(Ask("PUT", kAlice, "2"), "ETag");

  EXPECT_NE(first, second);
  EXPECT_EQ(HeaderOf(Ask("GET", kAlice), "ETag"), second);
  EXPECT_EQ(HeaderOf(Ask("PUT", kAlice, "1"), "ETag"), first);
}

TEST_F(RecordHandlersTest, ComparesAndSets) {
  const std::string tag = HeaderOf(Ask("PUT", kAlice, "1"), "ETag");

  EXPECT_EQ(Ask("PUT", kAlice, "2", {{"if-match", tag}}).status, 204u);
  EXPECT_EQ(Ask("PUT", kAlice, "3", {{"if-match", tag}}).status, 412u);
  EXPECT_EQ(Ask("PUT", kAlice, "3", {{"if-match", "W/" + tag}}).status, 412u);
  EXPECT_EQ(Ask("DELETE", kAlice, "", {{"if-match", tag}}).status, 412u);
  EXPECT_EQ(service_.RecordsOf("users")["alice"], "2");
  EXPECT_EQ(Ask("PUT", kAlice, "4", {{"if-match", "*"}}).status, 204u);
}

TEST_F(RecordHandlersTest, CreatesOnlyWhatIsNotThere) {
  EXPECT_EQ(Ask("PUT", kAlice, "1", {{"if-match", "*"}}).status, 412u);
  EXPECT_EQ(Ask("PUT", kAlice, "1", {{"if-none-match", "*"}}).status, 201u);
  EXPECT_EQ(Ask("PUT", kAlice, "2", {{"if-none-match", "*"}}).status, 412u);
  EXPECT_EQ(Ask("PUT", kAlice, "2", {{"if-none-match", "nonsense"}}).status, 400u);
}

TEST_F(RecordHandlersTest, SaysThatARecordIsAsTheClientHasIt) {
  const std::string tag = HeaderOf(Ask("PUT", kAlice, "1"), "ETag");

  const HttpResponse same = Ask("GET", kAlice, "", {{"if-none-match", "\"x\", W/" + tag}});
  const HttpResponse other = Ask("GET", kAlice, "", {{"if-none-match", "\"x\""}});

  EXPECT_EQ(same.status, 304u);
  EXPECT_EQ(same.body, "");
  EXPECT_EQ(HeaderOf(same, "ETag"), tag);
  EXPECT_EQ(other.status, 200u);
  EXPECT_EQ(Ask("GET", kAlice, "", {{"if-match", "\"x\""}}).status, 412u);
}

TEST_F(RecordHandlersTest, ErrorsOfTheServiceAreProblems) {
  Ask("PUT", kAlice, "1");

  service_.FailWrites(Error{ErrorCode::kNoSpace, "the disk is full"});
  service_.FailReads(Error{ErrorCode::kUnavailable, "no store"});

  EXPECT_EQ(Ask("PUT", kAlice, "2").status, 507u);
  EXPECT_EQ(Ask("DELETE", kAlice).status, 507u);
  EXPECT_EQ(Ask("GET", kAlice).status, 503u);
  EXPECT_EQ(AskJson("GET", "/v1/collections/users/records")["status"], 503);
}

TEST_F(RecordHandlersTest, RefusesParametersThatItDoesNotKnow) {
  EXPECT_EQ(Ask("GET", std::string(kAlice) + "?role=sqlite").status, 400u);
  EXPECT_EQ(Ask("PUT", std::string(kAlice) + "?role=legacy", "1").status, 400u);
  EXPECT_EQ(Ask("GET", "/v1/collections/users/records?limits=1").status, 400u);
  EXPECT_EQ(Ask("GET", "/v1/collections/users/records?limit=0").status, 400u);
  EXPECT_EQ(Ask("GET", "/v1/collections/users/records?limit=1001").status, 400u);
  EXPECT_EQ(Ask("GET", "/v1/collections/users/records?values=1").status, 400u);
  EXPECT_EQ(Ask("GET", "/v1/collections/users/records?cursor=%21").status, 400u);
  EXPECT_EQ(Ask("GET", "/v1/collections?count=all").status, 400u);
}

TEST_F(RecordHandlersTest, ListsPageByPageInTheOrderOfKeys) {
  const std::string binary("b\0", 2);
  for (const std::string& key : {std::string("a"), std::string("b"), binary, std::string("b1"),
                                 std::string("b\xff"), std::string("c")})
    Ask("PUT", "/v1/collections/users/records/" + PercentEncode(key), "v" + key);

  std::vector<std::string> keys;
  std::size_t page_count = 0;
  Json next = "/v1/collections/users/records?prefix=b&limit=1";
  while (next.is_string()) {
    const Json page = AskJson("GET", next.get<std::string>());
    for (const Json& record : page["records"])
      keys.push_back(*DecodeBase64(record["key_base64"].get<std::string>()));
    next = page["next"];
    ++page_count;
  }

  EXPECT_THAT(keys, ElementsAre("b", binary, "b1", "b\xff"));
  EXPECT_EQ(page_count, 4u);
}

TEST_F(RecordHandlersTest, ListsValuesWhenAsked) {
  Ask("PUT", kAlice, "1");
  Ask("PUT", "/v1/collections/users/records/%FF", "\xfe");

  const Json bare = AskJson("GET", "/v1/collections/users/records");
  const Json full = AskJson("GET", "/v1/collections/users/records?values=true");

  EXPECT_EQ(bare["records"][0], Json({{"key", "alice"}, {"key_base64", "YWxpY2U="}, {"bytes", 1}}));
  EXPECT_EQ(full["records"][0]["value"], "1");
  EXPECT_EQ(full["records"][0]["value_base64"], "MQ==");
  EXPECT_FALSE(full["records"][1].contains("key"));
  EXPECT_FALSE(full["records"][1].contains("value"));
  EXPECT_EQ(full["records"][1]["value_base64"], "/g==");
  EXPECT_EQ(full["next"], nullptr);
}

TEST_F(RecordHandlersTest, ListsLinesForWhoeverAcceptsThem) {
  Ask("PUT", "/v1/collections/users/records/a", "1");
  Ask("PUT", "/v1/collections/users/records/b%FF", std::string("\0", 1));
  Ask("PUT", "/v1/collections/users/records/c", std::string((1u << 20) + 1, 'x'));
  const Headers accept{{"accept", "application/x-ndjson"}};

  const HttpResponse first = Ask("GET", "/v1/collections/users/records?limit=2", "", accept);
  const HttpResponse second =
      Ask("GET", "/v1/collections/users/records?limit=2&cursor=Yv8%3D", "", accept);

  EXPECT_EQ(first.content_type, "application/x-ndjson");
  EXPECT_EQ(
      first.body,
      "{\"collection\":\"users\",\"key\":\"a\",\"value\":\"1\"}\n"
      "{\"collection\":\"users\",\"key_base64\":\"Yv8=\",\"value_base64\":\"AA==\"}\n"
      "{\"next\":\"/v1/collections/users/records?prefix=&cursor=Yv8%3D&limit=2&values=true\"}\n");
  EXPECT_EQ(second.body, "{\"is_left_out\":true,\"key_base64\":\"Yw==\"}\n");
  EXPECT_EQ(Ask("GET", "/v1/collections/nobody/records", "", accept).body, "");
}

TEST_F(RecordHandlersTest, LeavesLargeValuesOutOfLists) {
  Ask("PUT", kAlice, std::string(kRecordListValueBytesMax + 1, 'x'));

  const Json record = AskJson("GET", "/v1/collections/users/records?values=true")["records"][0];

  EXPECT_EQ(record["is_left_out"], true);
  EXPECT_FALSE(record.contains("value_base64"));
  EXPECT_EQ(record["bytes"], kRecordListValueBytesMax + 1);
}

TEST_F(RecordHandlersTest, ListsCollectionsWithExactCounts) {
  Ask("PUT", kAlice, "1");
  Ask("PUT", "/v1/collections/teams/records/a", "1");

  const Json list = AskJson("GET", "/v1/collections?count=exact");

  EXPECT_EQ(list["is_exact"], true);
  EXPECT_EQ(list["collections"],
            Json::parse(R"([{"name":"teams","records":1},{"name":"users","records":1}])"));
  EXPECT_EQ(service_.open_turns(), 0);
}

TEST_F(RecordHandlersTest, ABatchDoesEverything) {
  Ask("PUT", kAlice, "1");

  const Json answer = AskJson("POST", "/v1/collections/users/batch", R"({"operations": [
      {"op": "delete", "key": "alice"},
      {"op": "put", "key": "alice", "value_json": {"a": [1, 2]}, "if_none_match": "*"},
      {"op": "put", "key_base64": "/w==", "value_base64": "AAE="},
      {"op": "delete", "key": "nobody"}]})");

  ASSERT_EQ(answer["results"].size(), 4u) << answer;
  EXPECT_EQ(answer["results"][0]["was_present"], true);
  EXPECT_EQ(answer["results"][1]["was_present"], false);
  EXPECT_EQ(answer["results"][3], Json({{"op", "delete"}, {"was_present", false}}));
  const auto records = service_.RecordsOf("users");
  EXPECT_EQ(records.at("alice"), R"({"a":[1,2]})");
  EXPECT_EQ(records.at("\xff"), std::string("\0\1", 2));
}

TEST_F(RecordHandlersTest, ABatchDoesNothingWhenOneConditionFails) {
  Ask("PUT", kAlice, "1");

  const HttpResponse answer = Ask("POST", "/v1/collections/users/batch", R"({"operations": [
      {"op": "put", "key": "bob", "value": "2"},
      {"op": "delete", "key": "alice", "if_match": "\"other\""}]})");

  EXPECT_EQ(answer.status, 412u);
  EXPECT_EQ(Json::parse(answer.body)["operations"], Json({"1"}));
  EXPECT_EQ(service_.RecordsOf("users").size(), 1u);
}

TEST_F(RecordHandlersTest, AnInsertStoresOnlyWhereThereIsNoRecord) {
  Ask("PUT", kAlice, "1");

  const Json answer = AskJson("POST", "/v1/collections/users/batch", R"({"operations": [
      {"op": "insert", "key": "alice", "value": "1"},
      {"op": "insert", "key": "alice", "value": "2", "on_conflict": "skip"},
      {"op": "insert", "key": "bob", "value": "3"}]})");

  ASSERT_EQ(answer["results"].size(), 3u) << answer;
  EXPECT_EQ(answer["results"][0],
            Json({{"op", "insert"}, {"was_present", true}, {"is_stored", false}}));
  EXPECT_EQ(answer["results"][1]["is_stored"], false);
  EXPECT_EQ(answer["results"][2],
            Json({{"op", "insert"}, {"was_present", false}, {"is_stored", true}}));
  EXPECT_EQ(service_.RecordsOf("users").at("alice"), "1");
  EXPECT_EQ(service_.RecordsOf("users").at("bob"), "3");
}

TEST_F(RecordHandlersTest, AnInsertOverAnotherValueFailsTheBatch) {
  Ask("PUT", kAlice, "1");

  const HttpResponse answer = Ask("POST", "/v1/collections/users/batch", R"({"operations": [
      {"op": "insert", "key": "bob", "value": "3"},
      {"op": "insert", "key": "alice", "value": "2"}]})");

  EXPECT_EQ(answer.status, 412u);
  EXPECT_EQ(Json::parse(answer.body)["operations"], Json({"1"}));
  EXPECT_EQ(service_.RecordsOf("users").count("bob"), 0u);
}

TEST_F(RecordHandlersTest, ABatchThatIsWrittenWronglyIsRefused) {
  for (const char* body :
       {"", R"({"operations": []})", R"({"operations": [1]})",
        R"({"operations": [{"op": "get", "key": "a"}]})",
        R"({"operations": [{"op": "put", "key": "a"}]})",
        R"({"operations": [{"op": "put", "key": "", "value": ""}]})",
        R"({"operations": [{"op": "put", "key": "a", "value": "", "value_json": 1}]})",
        R"({"operations": [{"op": "put", "key": "a", "key_base64": "YQ==", "value": ""}]})",
        R"({"operations": [{"op": "put", "key_base64": "?", "value": ""}]})",
        R"({"operations": [{"op": "delete", "key": "a", "value": ""}]})",
        R"({"operations": [{"op": "put", "key": "a", "value": "", "ttl": 1}]})",
        R"({"operations": [{"op": "put", "key": "a", "value": "", "if_match": "x"}]})",
        R"({"operations": [{"op": "insert", "key": "a", "value": "", "if_none_match": "*"}]})",
        R"({"operations": [{"op": "insert", "key": "a", "value": "", "on_conflict": "x"}]})",
        R"({"operations": [{"op": "put", "key": "a", "value": "", "on_conflict": "skip"}]})"})
    EXPECT_EQ(Ask("POST", "/v1/collections/users/batch", body).status, 400u) << body;
  EXPECT_EQ(service_.RecordsOf("users").size(), 0u);
}

TEST_F(RecordHandlersTest, LargeBodiesAreAdmittedByRoute) {
  const auto admitted = [&](const std::string& method, const std::string& path) {
    HttpRequest head;
    head.method = method;
    head.path = path;
    head.headers = {{"host", "127.0.0.1"}};
    return plane_.Admit(head);
  };

  EXPECT_EQ(admitted("PUT", kAlice).body_bytes_max, kValueBytesMaxDefault);
  EXPECT_TRUE(admitted("PUT", kAlice).is_record);
  EXPECT_FALSE(admitted("PUT", kAlice).refuse().has_value());
  EXPECT_EQ(admitted("POST", "/v1/rollback").body_bytes_max, 0u);
  EXPECT_FALSE(admitted("GET", "/v1/status").is_record);
}

}  // namespace
}  // namespace switchback
