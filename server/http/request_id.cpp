#include "server/http/request_id.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <atomic>
#include <nlohmann/json.hpp>
#include <random>

#include "server/http/json_text.hpp"

namespace switchback {
namespace {

bool IsSane(std::string_view id) {
  constexpr std::string_view kOthers = "._:/+=@-";
  return !id.empty() && id.size() <= kRequestIdBytesMax &&
         std::all_of(id.begin(), id.end(), [&](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  kOthers.find(c) != std::string_view::npos;
         });
}

// Not a secret: a number of this process, and one of the request.
std::string NewId() {
  static const std::uint32_t process = std::random_device{}();
  static std::atomic<std::uint64_t> next{1};
  return fmt::format("{:08x}-{:x}", process, next.fetch_add(1, std::memory_order_relaxed));
}

}  // namespace

std::string RequestIdOf(const HttpRequest& request) {
  const std::string_view sent = request.Header("x-request-id");
  return IsSane(sent) ? std::string(sent) : NewId();
}

void AddRequestId(HttpResponse& response, std::string_view id) {
  response.headers.emplace_back("X-Request-Id", std::string(id));
  if (response.content_type != "application/problem+json") return;
  auto document = nlohmann::ordered_json::parse(response.body, nullptr, false);
  if (!document.is_object()) return;
  document["request_id"] = id;
  response.body = JsonText(document);
}

}  // namespace switchback
