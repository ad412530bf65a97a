// The routes of the schema and of queries, on a service that has no SQL to offer: what they refuse.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "server/http/control_plane.hpp"
#include "tests/unit/server/http/scratch_folder.hpp"
#include "tests/unit/server/http/stub_service.hpp"

namespace switchback {
namespace {

class SchemaHandlersTest : public testing::Test {
 protected:
  HttpResponse Ask(const std::string& method, const std::string& path, const std::string& body) {
    const ControlPlane control_plane(ControlPlaneParts{service_,
                                                       watcher_,
                                                       *migrator_,
                                                       SystemClock(),
                                                       [] { return ServerCounters(); },
                                                       {folder_.path(), "", {}},
                                                       nullptr,
                                                       has_schema_ ? &schema_ : nullptr,
                                                       has_schema_ ? &queries_ : nullptr},
                                     AccessOptions{});
    HttpRequest request;
    request.method = method;
    request.path = path;
    request.headers = {{"host", "127.0.0.1"}, {"content-type", "application/json"}};
    request.body = body;
    return control_plane.Handle(request);
  }

  bool has_schema_ = true;
  ScratchFolder folder_;
  StubService service_;
  FlagWatcher watcher_{folder_.path() + "/flags.json", service_.flags(), [](const auto&) {},
                       SystemClock()};
  std::unique_ptr<Journal> journal_ =
      Journal::Open(folder_.path() + "/control.sqlite", SystemClock()).value();
  const std::unique_ptr<Migrator> migrator_ =
      Migrator::Open(service_, *journal_, SystemClock(), {}).value();
  SchemaRunner schema_{
      service_, *journal_, SystemClock(), {folder_.path() + "/schema", folder_.path() + "/copies"}};
  SqlQueries queries_{service_};
};

TEST_F(SchemaHandlersTest, BodiesAreChecked) {
  const std::pair<const char*, const char*> wrong[] = {
      {"/v1/schema/up", R"({"count": -1})"},       {"/v1/schema/up", R"({"number": 1})"},
      {"/v1/schema/down", R"({"count": "1"})"},    {"/v1/schema/to", "{}"},
      {"/v1/schema/to", R"({"version": 1.5})"},    {"/v1/schema/up", R"({"actor": 1})"},
      {"/v1/schema/validate", R"({"count": 1})"},  {"/v1/query", "{}"},
      {"/v1/schema/validate", R"({"reason": []})"}};
  for (const auto& [path, body] : wrong)
    EXPECT_EQ(Ask("POST", path, body).status, 400u) << path << " " << body;
}

TEST_F(SchemaHandlersTest, AStoreThatIsNotInSyncIsRefusedWithWhatToDo) {
  FollowerStatus& unified = service_.status.followers[Index(Role::kUnified)];
  unified.state = FollowerState::kDetached;
  for (const char* path : {"/v1/schema/up", "/v1/schema/down", "/v1/schema/validate"}) {
    const HttpResponse response = Ask("POST", path, "{}");
    EXPECT_EQ(response.status, 409u) << path;
    EXPECT_NE(response.body.find("migrate start"), std::string::npos) << response.body;
  }
  EXPECT_EQ(Ask("POST", "/v1/query", R"({"sql": "SELECT 1"})").status, 409u);
}

TEST_F(SchemaHandlersTest, AServerWithoutASchemaSaysSo) {
  has_schema_ = false;

  EXPECT_EQ(Ask("GET", "/v1/schema", "").status, 503u);
  EXPECT_EQ(Ask("POST", "/v1/schema/up", "{}").status, 503u);
  EXPECT_EQ(Ask("POST", "/v1/query", R"({"sql": "SELECT 1"})").status, 503u);
}

}  // namespace
}  // namespace switchback
