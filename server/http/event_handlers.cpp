#include "server/http/body_stream.hpp"
#include "server/http/event_feed.hpp"
#include "server/http/handlers.hpp"
#include "server/http/problem.hpp"
#include "server/http/query.hpp"

namespace switchback {
namespace {

constexpr const char* kRetryAfterSeconds = "10";

}  // namespace

HttpResponse HandleEvents(const ControlPlaneParts& parts, const HttpRequest& request) {
  if (parts.events == nullptr)
    return ProblemResponse({ErrorCode::kUnavailable, "this server publishes no events"});
  const auto query = ParseQuery(request.query);
  if (!query) return ProblemResponse(query.error());
  std::string topics;
  for (const auto& [name, value] : *query) {
    if (name != "topics")
      return ProblemResponse({ErrorCode::kInvalidArgument, "unknown parameter " + name});
    topics = value;
  }
  auto stream = parts.events->Open(topics, request.Header("last-event-id"));
  if (!stream) {
    auto refusal = ProblemResponse(stream.error());
    if (refusal.status == 503) refusal.headers.emplace_back("Retry-After", kRetryAfterSeconds);
    return refusal;
  }
  HttpResponse response;
  response.content_type = "text/event-stream";
  // A proxy that gathers the answer before it passes it on would pass on nothing.
  response.headers.emplace_back("X-Accel-Buffering", "no");
  response.stream = *std::move(stream);
  return response;
}

}  // namespace switchback
