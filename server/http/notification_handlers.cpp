#include <nlohmann/json.hpp>

#include "rollback/notify/notifier.hpp"
#include "server/http/body.hpp"
#include "server/http/handlers.hpp"
#include "server/http/json_text.hpp"
#include "server/http/notification_json.hpp"
#include "server/http/problem.hpp"

namespace switchback {

HttpResponse HandleNotificationList(const ControlPlaneParts& parts) {
  HttpResponse response;
  response.body = JsonText(NotificationsJson(
      parts.notifier != nullptr ? parts.notifier->GetStatus() : std::vector<SinkStatus>()));
  return response;
}

HttpResponse HandleNotificationTest(const ControlPlaneParts& parts, const std::string& body) {
  const auto document = ParseBody(body, {"sink"});
  if (!document) return ProblemResponse(document.error());
  std::string sink;
  if (auto taken = TakeText(*document, "sink", sink); !taken) return ProblemResponse(taken.error());
  if (parts.notifier == nullptr)
    return ProblemResponse(Error{ErrorCode::kUnavailable, "this server notifies nobody"});
  const auto outcomes = parts.notifier->Test(sink);
  if (!outcomes) return ProblemResponse(outcomes.error());
  HttpResponse response;
  response.body = JsonText(TestOutcomesJson(*outcomes));
  return response;
}

}  // namespace switchback
