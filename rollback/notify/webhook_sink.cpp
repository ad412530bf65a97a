#include "rollback/notify/webhook_sink.hpp"

#include <curl/curl.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

#include "common/file.hpp"
#include "common/sha256.hpp"

namespace switchback {
namespace {

constexpr std::size_t kSecretFileBytesMax = 4096;

struct UrlFree {
  void operator()(CURLU* url) const noexcept { curl_url_cleanup(url); }
};

std::string UrlPart(CURLU* url, CURLUPart part, unsigned flags = 0) {
  char* text = nullptr;
  if (curl_url_get(url, part, &text, flags) != CURLUE_OK) return "";
  std::string copy(text);
  curl_free(text);
  return copy;
}

// The one line that a file holds.
Result<std::string> ReadLine(const std::string& path) {
  auto content = ReadWholeFile(path, kSecretFileBytesMax);
  if (!content) return content;
  while (content->ends_with('\n') || content->ends_with('\r')) content->pop_back();
  if (content->empty()) return Fail(ErrorCode::kInvalidArgument, path + " is empty");
  return content;
}

// Seconds, or a date.
std::optional<std::chrono::seconds> RetryAfter(const HttpReply& reply, WallTime now) {
  const auto header = reply.headers.find("retry-after");
  if (header == reply.headers.end()) return std::nullopt;
  const std::string& text = header->second;
  const bool is_number =
      !text.empty() && text.size() < 10 &&
      std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
  if (is_number) return std::chrono::seconds(std::stol(text));
  const std::time_t date = curl_getdate(text.c_str(), nullptr);
  if (date < 0) return std::nullopt;
  const auto left = std::chrono::system_clock::from_time_t(date) - now;
  return std::max(std::chrono::ceil<std::chrono::seconds>(left), std::chrono::seconds(0));
}

HttpTransferOptions TransferOptions(const WebhookOptions& options) {
  HttpTransferOptions transfer;
  transfer.ca_file = options.ca_file;
  transfer.ca_option = "ca_file of the notification";
  transfer.connect_time_max = WebhookSink::kConnectTimeMax;
  transfer.total_time_max = WebhookSink::kTotalTimeMax;
  return transfer;
}

}  // namespace

Result<std::string> OriginOf(const std::string& url) {
  const std::unique_ptr<CURLU, UrlFree> parsed(curl_url());
  if (curl_url_set(parsed.get(), CURLUPART_URL, url.c_str(), 0) != CURLUE_OK)
    return Fail(ErrorCode::kInvalidArgument, "is no address as https://host/path");
  const std::string scheme = UrlPart(parsed.get(), CURLUPART_SCHEME);
  if (scheme != "http" && scheme != "https")
    return Fail(ErrorCode::kInvalidArgument, "must begin with https:// or http://");
  if (!UrlPart(parsed.get(), CURLUPART_USER).empty())
    return Fail(ErrorCode::kInvalidArgument,
                "must not hold a user or a password; what is secret belongs into secret_file or "
                "url_file");
  return scheme + "://" + UrlPart(parsed.get(), CURLUPART_HOST) + ":" +
         UrlPart(parsed.get(), CURLUPART_PORT, CURLU_DEFAULT_PORT);
}

std::string SignWebhook(std::string_view secret, std::string_view timestamp,
                        std::string_view body) {
  return HmacSha256Hex(secret, std::string(timestamp) + "." + std::string(body));
}

WebhookSink::WebhookSink(WebhookOptions options, const Clock& clock,
                         std::unique_ptr<HttpTransport> transport)
    : options_(std::move(options)),
      clock_(clock),
      transport_(transport != nullptr ? std::move(transport)
                                      : std::make_unique<HttpTransfer>(TransferOptions(options_),
                                                                       TargetCredentials{})) {}

Result<std::string> WebhookSink::Url() const {
  auto url =
      options_.url_file.empty() ? Result<std::string>(options_.url) : ReadLine(options_.url_file);
  if (!url) return Fail(WithContext(url.error(), "url_file"));
  if (const auto origin = OriginOf(*url); !origin) return Fail(WithContext(origin.error(), "url"));
  return url;
}

std::string WebhookSink::target() const {
  const auto url = Url();
  if (!url) return options_.url_file;
  return OriginOf(*url).value_or("");
}

Result<std::string> WebhookSink::Secret() const {
  if (!options_.secret_file.empty()) {
    auto secret = ReadLine(options_.secret_file);
    if (!secret) return Fail(WithContext(secret.error(), "secret_file"));
    return secret;
  }
  if (options_.secret_env.empty()) return std::string();
  const char* value = std::getenv(options_.secret_env.c_str());
  if (value != nullptr && *value != '\0') return std::string(value);
  return Fail(ErrorCode::kNotFound, "the environment has no " + options_.secret_env);
}

Result<HttpCall> WebhookSink::MakeCall(const Notification& notification) const {
  auto url = Url();
  if (!url) return Fail(url.error());
  const auto secret = Secret();
  if (!secret) return Fail(secret.error());
  const auto now = std::chrono::floor<std::chrono::seconds>(clock_.WallNow().time_since_epoch());
  const std::string timestamp = std::to_string(now.count());
  HttpCall call;
  call.method = "POST";
  call.url = *std::move(url);
  call.text = options_.is_slack ? SlackJson(notification) : NotificationJson(notification);
  call.headers = {"Content-Type: application/json", "User-Agent: switchback",
                  "Expect:", "X-Switchback-Id: " + notification.id,
                  "X-Switchback-Timestamp: " + timestamp};
  if (!secret->empty())
    call.headers.push_back("X-Switchback-Signature: sha256=" +
                           SignWebhook(*secret, timestamp, call.text));
  call.text_bytes_max = kAnswerBytesMax;
  call.is_answer_cut = true;
  return call;
}

SinkOutcome WebhookSink::Judge(const HttpReply& reply) const {
  using Kind = SinkOutcome::Kind;
  const std::string text = fmt::format("status {}", reply.status);
  if (reply.status >= 200 && reply.status < 300) return {Kind::kDelivered, text};
  if (reply.status >= 300 && reply.status < 400)
    return {Kind::kRefused, text + ": redirections are not followed; configure where it leads to"};
  const bool is_for_now = reply.status == 408 || reply.status == 429;
  if (reply.status >= 400 && reply.status < 500 && !is_for_now) return {Kind::kRefused, text};
  return {Kind::kFailed, text, RetryAfter(reply, clock_.WallNow())};
}

SinkOutcome WebhookSink::Send(const Notification& notification,
                              const std::function<bool()>& is_cancelled) {
  auto call = MakeCall(notification);
  if (!call) return {SinkOutcome::Kind::kFailed, call.error().message};
  call->step = [&](std::uint64_t) -> Status {
    if (is_cancelled()) return Fail(ErrorCode::kCancelled, "the server is stopping");
    return {};
  };
  std::uint64_t sunk = 0;
  const auto reply = transport_->Perform(*call, sunk);
  if (!reply) return {SinkOutcome::Kind::kFailed, reply.error().message};
  return Judge(*reply);
}

}  // namespace switchback
