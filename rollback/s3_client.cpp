#include "rollback/s3_client.hpp"

#include <curl/curl.h>

#include <algorithm>
#include <charconv>
#include <cstring>

#include "common/sha256.hpp"
#include "rollback/s3_answers.hpp"

namespace switchback {
namespace {

constexpr std::chrono::milliseconds kRetryAfterMax{30000};
// A download may be cut more often than a request may fail, as long as this much came in between.
constexpr std::uint64_t kDownloadStepBytes = 1u << 20;

bool IsOneOf(char c, std::string_view others) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || others.find(c) != std::string::npos;
}

bool IsBucketName(std::string_view name) {
  return name.size() >= 3 && name.size() <= 63 && IsOneOf(name.front(), "") &&
         IsOneOf(name.back(), "") && name.find("..") == std::string_view::npos &&
         std::all_of(name.begin(), name.end(), [](char c) { return IsOneOf(c, ".-"); });
}

// Letters, digits, '.', '_', '-' between slashes: nothing that has more than one form in a URL.
bool IsPrefix(std::string_view prefix) {
  if (prefix.size() > 512) return false;
  while (!prefix.empty()) {
    const auto slash = std::min(prefix.find('/'), prefix.size());
    const std::string_view part = prefix.substr(0, slash);
    if (part.empty() || part == "." || part == "..") return false;
    if (!std::all_of(part.begin(), part.end(),
                     [](char c) { return IsOneOf(c, "._-") || (c >= 'A' && c <= 'Z'); }))
      return false;
    if (slash + 1 == prefix.size()) return false;
    prefix.remove_prefix(std::min(slash + 1, prefix.size()));
  }
  return true;
}

tl::unexpected<Error> Wrong(const std::string& message) {
  return Fail(ErrorCode::kInvalidArgument, message);
}

struct UrlFree {
  void operator()(CURLU* url) const noexcept { curl_url_cleanup(url); }
};

std::string UrlPart(CURLU* url, CURLUPart part) {
  char* text = nullptr;
  if (curl_url_get(url, part, &text, 0) != CURLUE_OK || text == nullptr) return "";
  std::string copy(text);
  curl_free(text);
  return copy;
}

bool IsLoopback(const std::string& host) {
  return host == "localhost" || host == "[::1]" || host.starts_with("127.");
}

struct Endpoint {
  std::string scheme;
  std::string authority;  // host[:port]
};

Result<Endpoint> ParseEndpoint(const std::string& text, bool is_plain_http_allowed) {
  const std::unique_ptr<CURLU, UrlFree> url(curl_url());
  const auto wrong = [] {
    return Wrong("backup_target_endpoint must be a URL such as https://s3.example.org:9000");
  };
  if (!url || curl_url_set(url.get(), CURLUPART_URL, text.c_str(), 0) != CURLUE_OK) return wrong();
  const std::string path = UrlPart(url.get(), CURLUPART_PATH);
  for (const CURLUPart part : {CURLUPART_USER, CURLUPART_PASSWORD, CURLUPART_QUERY,
                               CURLUPART_FRAGMENT, CURLUPART_OPTIONS}) {
    if (!UrlPart(url.get(), part).empty()) return wrong();
  }
  Endpoint endpoint{UrlPart(url.get(), CURLUPART_SCHEME), UrlPart(url.get(), CURLUPART_HOST)};
  if ((path != "/" && !path.empty()) || endpoint.authority.empty()) return wrong();
  if (endpoint.scheme != "https" && endpoint.scheme != "http") return wrong();
  if (endpoint.scheme == "http" && !is_plain_http_allowed && !IsLoopback(endpoint.authority))
    return Wrong(
        "backup_target_endpoint: without TLS everybody on the way can read the backups: use "
        "https, or set backup_target_plain_http");
  if (const std::string port = UrlPart(url.get(), CURLUPART_PORT); !port.empty())
    endpoint.authority += ":" + port;
  return endpoint;
}

std::string Encoded(std::string_view text) {
  std::string encoded;
  for (const char c : text) {
    if (IsOneOf(c, "-._~") || (c >= 'A' && c <= 'Z')) {
      encoded += c;
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    encoded += '%';
    encoded += "0123456789ABCDEF"[byte >> 4];
    encoded += "0123456789ABCDEF"[byte & 15];
  }
  return encoded;
}

// What passes by itself: the server's trouble, or its wish for fewer requests.
bool IsWorthAnother(long status, const std::string& code) {
  return status == 429 || status >= 500 || code == "SlowDown" || code == "RequestTimeout" ||
         code == "OperationAborted";
}

std::chrono::milliseconds RetryAfter(const HttpReply& reply) {
  const auto at = reply.headers.find("retry-after");
  if (at == reply.headers.end()) return {};
  unsigned seconds = 0;
  std::from_chars(at->second.data(), at->second.data() + at->second.size(), seconds);
  return std::min<std::chrono::milliseconds>(std::chrono::seconds(std::min(seconds, 3600u)),
                                             kRetryAfterMax);
}

}  // namespace

Result<S3Place> ParseS3Place(std::string_view location, const std::string& endpoint,
                             const std::string& region, int path_style,
                             bool is_plain_http_allowed) {
  constexpr std::string_view kScheme = "s3://";
  if (!location.starts_with(kScheme)) return Wrong("backup_target must begin with s3://");
  location.remove_prefix(kScheme.size());
  const auto slash = std::min(location.find('/'), location.size());
  S3Place place;
  place.bucket = location.substr(0, slash);
  std::string_view prefix = location.substr(std::min(slash + 1, location.size()));
  if (prefix.ends_with('/')) prefix.remove_suffix(1);
  if (!IsBucketName(place.bucket) || !IsPrefix(prefix))
    return Wrong(
        "backup_target must be s3://BUCKET or s3://BUCKET/PREFIX, of letters, digits, '.', '_', "
        "'-'");
  if (!prefix.empty()) place.prefix = std::string(prefix) + "/";
  place.region = region;
  if (region.empty() || region.size() > 64 ||
      !std::all_of(region.begin(), region.end(), [](char c) { return IsOneOf(c, "-"); }))
    return Wrong("backup_target_region must be a region's name, as us-east-1");
  const auto parsed =
      ParseEndpoint(endpoint.empty() ? "https://s3." + region + ".amazonaws.com" : endpoint,
                    is_plain_http_allowed);
  if (!parsed) return Fail(parsed.error());
  const bool has_dots = place.bucket.find('.') != std::string::npos;
  place.is_path_style = path_style < 0 ? !endpoint.empty() || has_dots : path_style != 0;
  place.base =
      parsed->scheme + "://" + (place.is_path_style ? "" : place.bucket + ".") + parsed->authority;
  return place;
}

std::string S3Client::Url(const S3Call& call) const {
  std::string url = place_.base + "/";
  if (place_.is_path_style) url += place_.bucket + (call.key.empty() ? "" : "/");
  if (!call.key.empty()) url += place_.prefix + call.key;
  char separator = '?';
  for (const auto& [name, value] : call.query) {
    url += separator + Encoded(name) + "=" + Encoded(value);
    separator = '&';
  }
  return url;
}

// Each with what to do about it. A HEAD has no document that says more.
Error S3Client::ErrorOf(const S3Call& call, const HttpReply& reply) const {
  const S3Failure failure = ParseS3Failure(reply.text);
  const std::string& code = failure.code;
  const std::string said =
      code.empty() ? "status " + std::to_string(reply.status) : code + ": " + failure.message;
  const auto error = [&](ErrorCode kind, const std::string& what) {
    return Error{kind, place_.Name() + ": " + what + " (" + said + ")"};
  };
  const auto region = reply.headers.find("x-amz-bucket-region");
  if (code == "NoSuchBucket")
    return error(ErrorCode::kNotFound,
                 "there is no such bucket: make it, or correct backup_target");
  if (code == "AuthorizationHeaderMalformed" || code == "PermanentRedirect" ||
      (reply.status >= 300 && reply.status < 400))
    return error(ErrorCode::kRefused,
                 "the bucket is in another region: set backup_target_region" +
                     (region == reply.headers.end() ? "" : " to " + region->second) +
                     ", or correct backup_target_endpoint");
  if (code == "RequestTimeTooSkewed")
    return error(ErrorCode::kRefused, "this machine's clock is wrong: set it");
  if (code == "SignatureDoesNotMatch")
    return error(ErrorCode::kRefused, "the secret key, or backup_target_region, is wrong");
  if (code == "InvalidAccessKeyId" || code == "ExpiredToken" || code == "InvalidToken")
    return error(ErrorCode::kRefused, "the access key is unknown there, or expired");
  if (reply.status == 401 || reply.status == 403)
    return error(ErrorCode::kRefused,
                 "the keys are wrong, or may not " + call.method + " there: look at their rights");
  if (reply.status == 404) return error(ErrorCode::kNotFound, "there is no " + call.key);
  if (reply.status == 507 || code == "QuotaExceeded" || code == "EntityTooLarge")
    return error(ErrorCode::kNoSpace, "it takes no more");
  if (code == "BadDigest" || code == "XAmzContentSHA256Mismatch")
    return error(ErrorCode::kUnavailable, "bytes were changed on the way");
  if (IsWorthAnother(reply.status, code))
    return error(ErrorCode::kUnavailable, "it cannot answer for now");
  return error(ErrorCode::kIo, call.method + " failed");
}

Status S3Client::PauseBefore(int number, const Error& last, std::chrono::milliseconds asked_for,
                             BackupProgress& progress) {
  if (number >= retries_.attempts)
    return Fail({last.code, last.message + ", after " + std::to_string(number) + " attempts"});
  auto time = retries_.first;
  for (int i = 1; i < number && time < retries_.longest; ++i) time *= 2;
  time = std::max(std::min(time, retries_.longest), asked_for);
  return retries_.wait ? retries_.wait(progress, time) : progress.Pause(time);
}

Result<HttpReply> S3Client::Send(const S3Call& call, BackupProgress& progress) {
  HttpCall http{call.method, Url(call), {}, call.text, call.source, {}, call.text_bytes_max, {}};
  http.headers = {"x-amz-content-sha256: " +
                  (call.sha256.empty() ? Sha256Hex(call.text) : call.sha256)};
  if (call.method == "PUT" || call.method == "POST")
    http.headers.emplace_back("Content-Type: application/octet-stream");
  // What an attempt sends again is no progress.
  std::uint64_t counted = 0;
  std::uint64_t sent = 0;
  http.step = [&](std::uint64_t bytes) {
    sent += bytes;
    const std::uint64_t more = call.is_counted && sent > counted ? sent - counted : 0;
    counted += more;
    return progress.Advance(more);
  };
  for (int number = 1;; ++number) {
    sent = 0;
    std::uint64_t sunk = 0;
    auto reply = transport_->Perform(http, sunk);
    if (reply && reply->status >= 200 && reply->status < 300) return reply;
    const Error error = reply ? ErrorOf(call, *reply) : WithContext(reply.error(), place_.Name());
    if (error.code != ErrorCode::kUnavailable) return Fail(error);
    SB_RETURN_IF_ERROR(PauseBefore(
        number, error, reply ? RetryAfter(*reply) : std::chrono::milliseconds(0), progress));
  }
}

Status S3Client::Download(const std::string& key, int fd, std::uint64_t bytes,
                          BackupProgress& progress) {
  const S3Call call{.method = "GET", .key = key};
  std::uint64_t done = 0;
  for (int number = 1;; ++number) {
    HttpCall http{"GET",    Url(call), {"x-amz-content-sha256: " + Sha256Hex("")}, {}, {}, {},
                  1u << 20, {}};
    http.sink = {fd, done, bytes - done};
    http.step = [&](std::uint64_t more) { return progress.Advance(more); };
    if (done > 0) http.headers.push_back("Range: bytes=" + std::to_string(done) + "-");
    std::uint64_t sunk = 0;
    auto reply = transport_->Perform(http, sunk);
    if (reply && reply->status != (done > 0 ? 206 : 200)) {
      const Error error =
          reply->status == 200
              ? Error{ErrorCode::kUnsupported, place_.Name() + " cannot go on with a download"}
              : ErrorOf(call, *reply);
      if (error.code != ErrorCode::kUnavailable) return Fail(error);
      SB_RETURN_IF_ERROR(PauseBefore(number, error, RetryAfter(*reply), progress));
      continue;
    }
    done += sunk;
    if (reply && done == bytes) return {};
    if (reply)
      return Fail(ErrorCode::kCorruption, key + " has " + std::to_string(done) + " bytes there, " +
                                              std::to_string(bytes) + " in its manifest");
    if (reply.error().code != ErrorCode::kUnavailable) return Fail(WithContext(reply.error(), key));
    if (done == bytes) return {};  // cut behind its last byte
    if (sunk >= kDownloadStepBytes) number = 1;
    SB_RETURN_IF_ERROR(
        PauseBefore(number, WithContext(reply.error(), place_.Name()), {}, progress));
  }
}

}  // namespace switchback
