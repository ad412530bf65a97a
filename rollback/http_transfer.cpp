#include "rollback/http_transfer.hpp"

#include <curl/curl.h>

#include <algorithm>
#include <array>
#include <mutex>
#include <optional>

#include "common/check.hpp"
#include "common/file.hpp"

namespace switchback {
namespace {

constexpr std::size_t kHeaderCountMax = 200;

struct ListFree {
  void operator()(curl_slist* list) const noexcept { curl_slist_free_all(list); }
};
using HeaderList = std::unique_ptr<curl_slist, ListFree>;

HeaderList MakeHeaders(const std::vector<std::string>& headers) {
  HeaderList list;
  for (const std::string& header : headers) {
    curl_slist* longer = curl_slist_append(list.get(), header.c_str());
    SB_CHECK(longer != nullptr, "memory for a header");
    list.release();  // the same list, or empty before
    list.reset(longer);
  }
  return list;
}

// What libcurl's callbacks work on. They give back what makes libcurl stop, and keep why.
class Exchange {
 public:
  Exchange(CURL* handle, const HttpCall& call, const std::string& ca_option, std::uint64_t& sunk)
      : handle_(handle), call_(call), ca_option_(ca_option), sunk_(sunk) {}

  void Attach();
  Result<HttpReply> Finish(CURLcode code);

 private:
  static std::size_t OnRead(char* buffer, std::size_t size, std::size_t count, void* self);
  static int OnSeek(void* self, curl_off_t offset, int origin);
  static std::size_t OnWrite(char* bytes, std::size_t size, std::size_t count, void* self);
  static std::size_t OnHeader(char* bytes, std::size_t size, std::size_t count, void* self);
  static int OnProgress(void* self, curl_off_t, curl_off_t, curl_off_t, curl_off_t);

  std::size_t Read(char* buffer, std::size_t size);
  bool Write(std::string_view bytes);
  bool Sink(std::string_view bytes);
  bool Keep(const Status& status) {
    if (status) return true;
    if (!error_) error_ = status.error();
    return false;
  }

  CURL* const handle_;
  const HttpCall& call_;
  const std::string& ca_option_;
  std::uint64_t& sunk_;
  std::uint64_t sent_ = 0;
  HttpReply reply_;
  bool is_cut_ = false;  // the rest of the answer is not wanted
  std::optional<Error> error_;
  std::array<char, CURL_ERROR_SIZE> message_{};
};

void Exchange::Attach() {
  curl_easy_setopt(handle_, CURLOPT_ERRORBUFFER, message_.data());
  curl_easy_setopt(handle_, CURLOPT_READFUNCTION, OnRead);
  curl_easy_setopt(handle_, CURLOPT_READDATA, this);
  curl_easy_setopt(handle_, CURLOPT_SEEKFUNCTION, OnSeek);
  curl_easy_setopt(handle_, CURLOPT_SEEKDATA, this);
  curl_easy_setopt(handle_, CURLOPT_WRITEFUNCTION, OnWrite);
  curl_easy_setopt(handle_, CURLOPT_WRITEDATA, this);
  curl_easy_setopt(handle_, CURLOPT_HEADERFUNCTION, OnHeader);
  curl_easy_setopt(handle_, CURLOPT_HEADERDATA, this);
  curl_easy_setopt(handle_, CURLOPT_NOPROGRESS, 0L);
  curl_easy_setopt(handle_, CURLOPT_XFERINFOFUNCTION, OnProgress);
  curl_easy_setopt(handle_, CURLOPT_XFERINFODATA, this);
}

std::size_t Exchange::OnRead(char* buffer, std::size_t size, std::size_t count, void* self) {
  return static_cast<Exchange*>(self)->Read(buffer, size * count);
}

std::size_t Exchange::Read(char* buffer, std::size_t size) {
  const std::uint64_t bytes = call_.source.fd < 0 ? call_.text.size() : call_.source.bytes;
  const auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(size, bytes - sent_));
  if (wanted == 0) return 0;
  if (call_.source.fd < 0) {
    call_.text.copy(buffer, wanted, static_cast<std::size_t>(sent_));
  } else {
    const auto got = ReadAt(call_.source.fd, buffer, wanted, call_.source.offset + sent_);
    if (!got) return Keep(Fail(got.error())) ? 0 : CURL_READFUNC_ABORT;
    if (*got != wanted) {
      Keep(Fail(ErrorCode::kCorruption, "the file was cut while it was read"));
      return CURL_READFUNC_ABORT;
    }
  }
  sent_ += wanted;
  if (call_.step && !Keep(call_.step(wanted))) return CURL_READFUNC_ABORT;
  return wanted;
}

int Exchange::OnSeek(void* self, curl_off_t offset, int origin) {
  if (origin != SEEK_SET || offset < 0) return CURL_SEEKFUNC_CANTSEEK;
  static_cast<Exchange*>(self)->sent_ = static_cast<std::uint64_t>(offset);
  return CURL_SEEKFUNC_OK;
}

std::size_t Exchange::OnWrite(char* bytes, std::size_t size, std::size_t count, void* self) {
  return static_cast<Exchange*>(self)->Write({bytes, size * count}) ? size * count : 0;
}

bool Exchange::Write(std::string_view bytes) {
  long status = 0;
  curl_easy_getinfo(handle_, CURLINFO_RESPONSE_CODE, &status);
  if (call_.sink.fd >= 0 && (status == 200 || status == 206)) return Sink(bytes);
  const bool is_too_long = reply_.text.size() + bytes.size() > call_.text_bytes_max;
  is_cut_ = is_too_long && call_.is_answer_cut;
  if (is_cut_) return false;
  if (is_too_long)
    return Keep(Fail(ErrorCode::kTooLarge, "the answer is larger than " +
                                               std::to_string(call_.text_bytes_max) + " bytes"));
  reply_.text += bytes;
  return true;
}

bool Exchange::Sink(std::string_view bytes) {
  if (bytes.size() > call_.sink.bytes - sunk_)
    return Keep(Fail(ErrorCode::kCorruption, "there is more of it than the manifest says"));
  if (!Keep(WriteAt(call_.sink.fd, bytes, call_.sink.offset + sunk_))) return false;
  sunk_ += bytes.size();
  return !call_.step || Keep(call_.step(bytes.size()));
}

std::size_t Exchange::OnHeader(char* bytes, std::size_t size, std::size_t count, void* self) {
  HttpReply& reply = static_cast<Exchange*>(self)->reply_;
  const std::string_view line(bytes, size * count);
  const auto colon = line.find(':');
  if (line.starts_with("HTTP/")) reply.headers.clear();  // after a 100
  if (colon == std::string_view::npos || reply.headers.size() >= kHeaderCountMax)
    return size * count;
  std::string name(line.substr(0, colon));
  std::transform(name.begin(), name.end(), name.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  const auto first = line.find_first_not_of(" \t", colon + 1);
  const auto last = line.find_last_not_of(" \t\r\n");
  if (first != std::string_view::npos && last >= first)
    reply.headers[name] = line.substr(first, last - first + 1);
  return size * count;
}

// At least once a second, so that a cancelled call ends while nothing moves.
int Exchange::OnProgress(void* self, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  auto* exchange = static_cast<Exchange*>(self);
  return !exchange->call_.step || exchange->Keep(exchange->call_.step(0)) ? 0 : 1;
}

Result<HttpReply> Exchange::Finish(CURLcode code) {
  curl_easy_getinfo(handle_, CURLINFO_RESPONSE_CODE, &reply_.status);
  if (error_) return Fail(*error_);
  if (code == CURLE_OK || is_cut_) return std::move(reply_);
  // An answer that came before the whole body was sent is one.
  if (code == CURLE_SEND_ERROR && reply_.status >= 400) return std::move(reply_);
  const std::string text = message_[0] == '\0' ? curl_easy_strerror(code) : message_.data();
  switch (code) {
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
      return Fail(ErrorCode::kRefused,
                  "TLS: " + text + " (a certificate of your own: " + ca_option_ + ")");
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL: return Fail(ErrorCode::kInvalidArgument, text);
    default: return Fail(ErrorCode::kUnavailable, text);
  }
}

void SetBody(CURL* handle, const HttpCall& call) {
  const auto bytes =
      static_cast<curl_off_t>(call.source.fd < 0 ? call.text.size() : call.source.bytes);
  if (call.method == "HEAD") {
    curl_easy_setopt(handle, CURLOPT_NOBODY, 1L);
  } else if (call.method == "PUT") {
    curl_easy_setopt(handle, CURLOPT_UPLOAD, 1L);
    curl_easy_setopt(handle, CURLOPT_INFILESIZE_LARGE, bytes);
  } else if (call.method == "POST") {
    curl_easy_setopt(handle, CURLOPT_POST, 1L);
    curl_easy_setopt(handle, CURLOPT_POSTFIELDSIZE_LARGE, bytes);
  } else if (call.method != "GET") {
    curl_easy_setopt(handle, CURLOPT_CUSTOMREQUEST, call.method.c_str());
  }
}

}  // namespace

void HttpTransfer::Free::operator()(void* handle) const noexcept {
  curl_easy_cleanup(handle);
}

HttpTransfer::HttpTransfer(HttpTransferOptions options, TargetCredentials credentials)
    : options_(std::move(options)), credentials_(std::move(credentials)) {
  static std::once_flag once;
  std::call_once(once, [] {
    SB_CHECK(curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK, "libcurl can be initialised");
  });
  handle_.reset(curl_easy_init());
  SB_CHECK(handle_ != nullptr, "memory for a libcurl handle");
}

HttpTransfer::~HttpTransfer() = default;

Result<HttpReply> HttpTransfer::Perform(const HttpCall& call, std::uint64_t& sunk) {
  MutexLock lock(mutex_);
  sunk = 0;
  CURL* handle = handle_.get();
  curl_easy_reset(handle);  // connections stay
  auto lines = call.headers;
  if (!credentials_.session_token.empty())
    lines.push_back("x-amz-security-token: " + credentials_.session_token);
  const HeaderList headers = MakeHeaders(lines);
  curl_easy_setopt(handle, CURLOPT_HTTPHEADER, headers.get());
  const std::string signature = "aws:amz:" + options_.region + ":s3";
  SetOptions(call, signature);
  SetBody(handle, call);
  Exchange exchange(handle, call, options_.ca_option, sunk);
  exchange.Attach();
  auto reply = exchange.Finish(curl_easy_perform(handle));
  curl_easy_reset(handle);  // it must not look at what is gone
  return reply;
}

void HttpTransfer::SetOptions(const HttpCall& call, const std::string& signature) {
  CURL* handle = handle_.get();
  curl_easy_setopt(handle, CURLOPT_URL, call.url.c_str());
  if (!credentials_.access_key_id.empty()) {
    curl_easy_setopt(handle, CURLOPT_AWS_SIGV4, signature.c_str());
    curl_easy_setopt(handle, CURLOPT_USERNAME, credentials_.access_key_id.c_str());
    curl_easy_setopt(handle, CURLOPT_PASSWORD, credentials_.secret_access_key.c_str());
  }
  curl_easy_setopt(handle, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(handle, CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
  curl_easy_setopt(handle, CURLOPT_PATH_AS_IS, 1L);
  curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(handle, CURLOPT_CONNECTTIMEOUT,
                   static_cast<long>(options_.connect_time_max.count()));
  curl_easy_setopt(handle, CURLOPT_LOW_SPEED_LIMIT, 1L);
  curl_easy_setopt(handle, CURLOPT_LOW_SPEED_TIME, static_cast<long>(options_.silence_max.count()));
  curl_easy_setopt(handle, CURLOPT_TIMEOUT, static_cast<long>(options_.total_time_max.count()));
  if (!options_.ca_file.empty()) curl_easy_setopt(handle, CURLOPT_CAINFO, options_.ca_file.c_str());
}

}  // namespace switchback
