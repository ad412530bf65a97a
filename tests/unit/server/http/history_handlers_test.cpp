// The routes of the history and of evidence: what they answer and what they refuse.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "rollback/evidence.hpp"
#include "server/http/control_plane.hpp"
#include "tests/unit/server/http/scratch_folder.hpp"
#include "tests/unit/server/http/stub_service.hpp"

namespace switchback {
namespace {

using Json = nlohmann::ordered_json;

class HistoryHandlersTest : public testing::Test {
 protected:
  HttpResponse Ask(const std::string& method, const std::string& path, const std::string& body = "",
                   const std::string& accept = "*/*") {
    ControlPlaneParts parts{service_,
                            watcher_,
                            *migrator_,
                            SystemClock(),
                            [] { return ServerCounters(); },
                            {folder_.path(), "", {}}};
    parts.journal = has_journal_ ? journal_.get() : nullptr;
    const ControlPlane control_plane(std::move(parts), AccessOptions{});
    HttpRequest request;
    request.method = method;
    request.path = path.substr(0, path.find('?'));
    if (path.find('?') != std::string::npos) request.query = path.substr(path.find('?') + 1);
    request.headers = {
        {"host", "127.0.0.1"}, {"content-type", "application/json"}, {"accept", accept}};
    request.body = body;
    return control_plane.Handle(request);
  }
  Json Get(const std::string& path) { return Json::parse(Ask("GET", path).body); }
  std::int64_t Run(const std::string& kind) {
    const auto id = journal_->BeginOperation(kind, "ada", "why").value();
    EXPECT_TRUE(journal_->EndOperation(id, "done", "{}").has_value());
    return id;
  }

  bool has_journal_ = true;
  ScratchFolder folder_;
  StubService service_;
  FlagWatcher watcher_{folder_.path() + "/flags.json", service_.flags(), [](const auto&) {},
                       SystemClock()};
  std::unique_ptr<Journal> journal_ =
      Journal::Open(folder_.path() + "/control.sqlite", SystemClock()).value();
  const std::unique_ptr<Migrator> migrator_ =
      Migrator::Open(service_, *journal_, SystemClock(), {}).value();
};

TEST_F(HistoryHandlersTest, PagesLeadFromTheNewestToTheOldest) {
  for (int i = 0; i < 5; ++i) Run(i == 2 ? "schema" : "verify");

  const Json first = Get("/v1/history?limit=3");
  EXPECT_EQ(first["entries"].size(), 3u);
  EXPECT_EQ(first["entries"][0]["number"], 5);
  EXPECT_EQ(first["entries"][0]["record"]["actor"], "ada");
  EXPECT_EQ(first["next_before"], 3);
  EXPECT_EQ(first["head"]["hash"], first["entries"][0]["hash"]);
  const Json second = Get("/v1/history?limit=3&before=3");
  EXPECT_EQ(second["entries"].size(), 2u);
  EXPECT_TRUE(second["next_before"].is_null());
  EXPECT_EQ(second["head"], first["head"]);
  EXPECT_EQ(Get("/v1/history?kind=schema")["entries"].size(), 1u);
  EXPECT_EQ(Get("/v1/history?kind=other")["entries"].size(), 0u);
}

TEST_F(HistoryHandlersTest, TheFormatIsWhatIsAskedForOrAccepted) {
  Run("verify");

  EXPECT_EQ(Ask("GET", "/v1/history", "", "text/csv").content_type, "text/csv; charset=utf-8");
  EXPECT_EQ(Ask("GET", "/v1/history", "", "text/markdown").body.find("# History"), 0u);
  EXPECT_EQ(Ask("GET", "/v1/history?format=csv").body.find("number,time"), 0u);
  EXPECT_EQ(Ask("GET", "/v1/history?format=json", "", "text/csv").content_type, "application/json");
}

TEST_F(HistoryHandlersTest, QueriesAndBodiesAreChecked) {
  Run("verify");
  for (const char* path : {"/v1/history?limit=0", "/v1/history?limit=1001", "/v1/history?limit=x",
                           "/v1/history?before=-1", "/v1/history?format=xml", "/v1/history?other=1",
                           "/v1/history/x", "/v1/history/0", "/v1/history/1x",
                           "/v1/history/verify?head=abc", "/v1/history/verify?tail=1"})
    EXPECT_EQ(Ask("GET", path).status, 400u) << path;
  for (const char* body : {"{}", R"({"text": 1})", R"({"text": ""})", R"({"txt": "a"})",
                           R"({"text": "a", "kind": "rumour"})"})
    EXPECT_EQ(Ask("POST", "/v1/history/1/notes", body).status, 400u) << body;
  EXPECT_EQ(Ask("GET", "/v1/history/2").status, 404u);
  EXPECT_EQ(Ask("POST", "/v1/history/2/notes", R"({"text": "a"})").status, 404u);
}

TEST_F(HistoryHandlersTest, ANoteIsPartOfItsOperation) {
  const auto id = std::to_string(Run("verify"));

  const auto added = Ask("POST", "/v1/history/" + id + "/notes",
                         R"({"text": "the disk\nwas full", "kind": "root-cause", "actor": "eve"})");

  EXPECT_EQ(added.status, 200u) << added.body;
  EXPECT_EQ(Json::parse(added.body)["number"], 2);
  const Json shown = Get("/v1/history/" + id);
  EXPECT_EQ(shown["operation"]["status"], "SUCCESS");
  ASSERT_EQ(shown["entries"].size(), 2u);
  EXPECT_EQ(shown["entries"][1]["record"]["note"], "root-cause");
  EXPECT_EQ(shown["entries"][1]["record"]["actor"], "eve");
}

TEST_F(HistoryHandlersTest, TheVerdictNamesTheHead) {
  Run("verify");
  const Json verdict = Get("/v1/history/verify");
  Run("verify");

  EXPECT_EQ(verdict["is_intact"], true);
  const Json later = Get("/v1/history/verify?head=" + verdict["head"].get<std::string>());
  EXPECT_EQ(later["is_intact"], true);
  EXPECT_EQ(later["expected_head_at"], 1);
  EXPECT_EQ(later["entries"], 2);
  EXPECT_EQ(Get("/v1/history/verify?head=" + std::string(64, 'a'))["is_intact"], false);
}

TEST_F(HistoryHandlersTest, EvidenceIsListedAndSent) {
  EXPECT_EQ(Get("/v1/evidence")["count"], 0);
  const auto bundle = WriteEvidence(folder_.path() + "/evidence", "20260131T120000Z-operator-7",
                                    {{"a.json", "{}"}});
  ASSERT_TRUE(bundle.has_value());

  const Json list = Get("/v1/evidence");
  ASSERT_EQ(list["count"], 1);
  EXPECT_EQ(list["evidence"][0]["name"], bundle->name);
  const auto sent = Ask("GET", list["evidence"][0]["path"].get<std::string>());
  EXPECT_EQ(sent.status, 200u);
  EXPECT_EQ(sent.content_type, "application/zstd");
  EXPECT_EQ(sent.body.size(), list["evidence"][0]["bytes"]);
  EXPECT_EQ(sent.body.substr(0, 4), "\x28\xb5\x2f\xfd");
  EXPECT_EQ(Ask("GET", "/v1/evidence/" + bundle->name + ".tar.zst").body, sent.body);
}

TEST_F(HistoryHandlersTest, NoNameLeadsOutOfTheDirectory) {
  ASSERT_TRUE(WriteEvidence(folder_.path() + "/evidence", "e", {{"a.json", "{}"}}).has_value());
  for (const char* name :
       {"..%2Fcontrol.sqlite", "%2e%2e", ".hidden", "a%2Fb", "e%00", "a%0Ab", ".tar.zst"})
    EXPECT_GE(Ask("GET", std::string("/v1/evidence/") + name).status, 400u) << name;
  EXPECT_EQ(Ask("GET", "/v1/evidence/..%2Fevidence%2Fe").status, 400u);
  EXPECT_EQ(Ask("GET", "/v1/evidence/other").status, 404u);
}

TEST_F(HistoryHandlersTest, AServerWithoutAJournalSaysSo) {
  has_journal_ = false;
  for (const char* path : {"/v1/history", "/v1/history/1", "/v1/history/verify"})
    EXPECT_EQ(Ask("GET", path).status, 503u) << path;
  EXPECT_EQ(Ask("POST", "/v1/history/1/notes", R"({"text": "a"})").status, 503u);
}

}  // namespace
}  // namespace switchback
