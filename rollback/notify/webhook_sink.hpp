// Sends notifications as HTTP POST requests, signed if there is a secret.
//
// Only to the address that the operator has configured: redirections are not followed. The secret
// and an address from a file are read anew for each attempt, so that they can be changed while the
// server runs; neither is ever logged or shown.
#pragma once

#include <memory>
#include <string>

#include "common/clock.hpp"
#include "rollback/http_transfer.hpp"
#include "rollback/notify/sink.hpp"

namespace switchback {

struct WebhookOptions {
  std::string url;          // http:// or https://
  std::string url_file;     // instead: a file that holds it, for an address that is a secret
  std::string secret_file;  // what requests are signed with; "" = that of secret_env
  std::string secret_env;   // name of an environment variable; "" = requests are not signed
  std::string ca_file;      // certificates to trust; "" = the machine's
  bool is_slack = false;    // SlackJson instead of NotificationJson
};

// "https://host:port" of an address: what may be shown. kInvalidArgument: neither http nor https,
// without a host, or with a user in it. The message does not quote it.
Result<std::string> OriginOf(const std::string& url);

// "<hex>" of HMAC-SHA256 with `secret` over "<timestamp>.<body>".
std::string SignWebhook(std::string_view secret, std::string_view timestamp, std::string_view body);

class WebhookSink final : public NotificationSink {
 public:
  static constexpr std::chrono::seconds kConnectTimeMax{5};
  static constexpr std::chrono::seconds kTotalTimeMax{10};
  static constexpr std::size_t kAnswerBytesMax = 4096;  // what is longer is not read

  // `transport` is for tests; null = the network.
  WebhookSink(WebhookOptions options, const Clock& clock,
              std::unique_ptr<HttpTransport> transport = nullptr);

  SinkOutcome Send(const Notification& notification,
                   const std::function<bool()>& is_cancelled) override;
  [[nodiscard]] const char* kind() const override { return "webhook"; }
  [[nodiscard]] std::string target() const override;

 private:
  [[nodiscard]] Result<std::string> Url() const;
  [[nodiscard]] Result<std::string> Secret() const;
  [[nodiscard]] Result<HttpCall> MakeCall(const Notification& notification) const;
  [[nodiscard]] SinkOutcome Judge(const HttpReply& reply) const;

  const WebhookOptions options_;
  const Clock& clock_;
  const std::unique_ptr<HttpTransport> transport_;
};

}  // namespace switchback
