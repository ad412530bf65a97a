// A bucket in memory that speaks as much S3 as the client does, and fails when it is told to.
#pragma once

#include <algorithm>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "common/file.hpp"
#include "common/sha256.hpp"
#include "rollback/http_transfer.hpp"

namespace switchback::test {

// Belongs to one thread. The bucket outlives the transports on it.
struct FakeBucket {
  std::map<std::string, std::string> objects;               // by key
  std::map<std::string, std::map<int, std::string>> parts;  // of uploads, by "<key> <n>"
  int upload_count = 0;
  std::vector<std::string> requests;  // "PUT <target>"
  // Looked at before each request: an answer or an error instead.
  std::function<std::optional<Result<HttpReply>>(const HttpCall&, std::size_t number)> fault;
  std::uint64_t cut_downloads_after = 0;  // bytes; 0 = never

  [[nodiscard]] std::size_t CountOf(const std::string& what) const {
    return static_cast<std::size_t>(std::count_if(
        requests.begin(), requests.end(),
        [&](const std::string& request) { return request.find(what) != std::string::npos; }));
  }
};

class FakeTransport final : public HttpTransport {
 public:
  explicit FakeTransport(FakeBucket& bucket) : bucket_(bucket) {}

  Result<HttpReply> Perform(const HttpCall& call, std::uint64_t& sunk) override {
    sunk = 0;
    const std::string target = call.url.substr(call.url.find("/bucket") + 7);
    bucket_.requests.push_back(call.method + " " + target);
    if (call.step) SB_RETURN_IF_ERROR(call.step(0));
    if (bucket_.fault) {
      if (auto instead = bucket_.fault(call, bucket_.requests.size())) return *std::move(instead);
    }
    const auto question = target.find('?');
    const std::string key =
        target.substr(std::min<std::size_t>(1, target.size()), question == 0 ? 0 : question - 1);
    const std::string query = question == std::string::npos ? "" : target.substr(question + 1);
    return Answer(call, key, query, sunk);
  }

 private:
  static std::string Body(const HttpCall& call) {
    if (call.source.fd < 0) return call.text;
    std::string body(call.source.bytes, '\0');
    (void)ReadAt(call.source.fd, body.data(), body.size(), call.source.offset);
    return body;
  }
  static std::string Tag(const std::string& body) {
    Md5 md5;
    md5.Add(body);
    return "\"" + md5.FinishHex() + "\"";
  }
  static std::string Value(const std::string& query, const std::string& name) {
    const auto at = query.find(name + "=");
    return at == std::string::npos
               ? ""
               : query.substr(at + name.size() + 1, query.find('&', at) - at - name.size() - 1);
  }

  Result<HttpReply> Answer(const HttpCall& call, const std::string& key, const std::string& query,
                           std::uint64_t& sunk) {
    if (call.method == "PUT") return Put(call, key, query);
    if (call.method == "POST") return Post(key, query);
    if (call.method == "DELETE") return Delete(key, query);
    if (query.find("list-type") != std::string::npos) return ListObjects();
    if (query.find("uploads=") != std::string::npos) return ListUploads();
    if (query.find("uploadId=") != std::string::npos) return ListParts(key, query);
    return Get(call, key, sunk);
  }

  Result<HttpReply> Put(const HttpCall& call, const std::string& key, const std::string& query) {
    const std::string body = Body(call);
    if (call.headers.front() != "x-amz-content-sha256: " + Sha256Hex(body))
      return HttpReply{400, {}, "<Error><Code>XAmzContentSHA256Mismatch</Code></Error>"};
    if (call.step) SB_RETURN_IF_ERROR(call.step(body.size()));
    if (query.empty()) {
      bucket_.objects[key] = body;
    } else {
      bucket_.parts[key + " " + Value(query, "uploadId")][std::stoi(Value(query, "partNumber"))] =
          body;
    }
    return HttpReply{200, {{"etag", Tag(body)}}, ""};
  }
  Result<HttpReply> Post(const std::string& key, const std::string& query) {
    if (query == "uploads=") {
      const std::string id = std::to_string(++bucket_.upload_count);
      bucket_.parts[key + " " + id];
      return HttpReply{200,
                       {},
                       "<InitiateMultipartUploadResult><UploadId>" + id +
                           "</UploadId></InitiateMultipartUploadResult>"};
    }
    const auto upload = bucket_.parts.find(key + " " + Value(query, "uploadId"));
    if (upload == bucket_.parts.end())
      return HttpReply{404, {}, "<Error><Code>NoSuchUpload</Code></Error>"};
    std::string whole;
    for (const auto& part : upload->second) whole += part.second;
    bucket_.objects[key] = whole;
    bucket_.parts.erase(upload);
    return HttpReply{200, {}, "<CompleteMultipartUploadResult/>"};
  }
  Result<HttpReply> Delete(const std::string& key, const std::string& query) {
    if (query.empty()) {
      bucket_.objects.erase(key);
    } else {
      bucket_.parts.erase(key + " " + Value(query, "uploadId"));
    }
    return HttpReply{204, {}, ""};
  }
  Result<HttpReply> ListObjects() {
    std::string xml = "<ListBucketResult>";
    for (const auto& object : bucket_.objects)
      xml += "<Contents><Key>" + object.first + "</Key></Contents>";
    return HttpReply{200, {}, xml + "</ListBucketResult>"};
  }
  Result<HttpReply> ListUploads() {
    std::string xml = "<ListMultipartUploadsResult>";
    for (const auto& upload : bucket_.parts) {
      const auto blank = upload.first.find(' ');
      xml += "<Upload><Key>" + upload.first.substr(0, blank) + "</Key><UploadId>" +
             upload.first.substr(blank + 1) + "</UploadId></Upload>";
    }
    return HttpReply{200, {}, xml + "</ListMultipartUploadsResult>"};
  }
  Result<HttpReply> ListParts(const std::string& key, const std::string& query) {
    std::string xml = "<ListPartsResult>";
    for (const auto& part : bucket_.parts[key + " " + Value(query, "uploadId")])
      xml += "<Part><PartNumber>" + std::to_string(part.first) + "</PartNumber><ETag>" +
             Tag(part.second) + "</ETag><Size>" + std::to_string(part.second.size()) +
             "</Size></Part>";
    return HttpReply{200, {}, xml + "</ListPartsResult>"};
  }
  Result<HttpReply> Get(const HttpCall& call, const std::string& key, std::uint64_t& sunk) {
    const auto object = bucket_.objects.find(key);
    if (object == bucket_.objects.end())
      return HttpReply{
          404, {}, call.method == "HEAD" ? "" : "<Error><Code>NoSuchKey</Code></Error>"};
    const std::string& content = object->second;
    HttpReply reply{200, {{"content-length", std::to_string(content.size())}}, ""};
    if (call.method == "HEAD") return reply;
    if (call.sink.fd < 0) {
      if (content.size() > call.text_bytes_max) return Fail(ErrorCode::kTooLarge, "too large");
      reply.text = content;
      return reply;
    }
    std::size_t from = 0;
    for (const std::string& header : call.headers) {
      if (header.starts_with("Range: bytes=")) from = std::stoul(header.substr(13));
    }
    reply.status = from == 0 ? 200 : 206;
    std::string rest = content.substr(from);
    const bool is_cut =
        bucket_.cut_downloads_after > 0 && rest.size() > bucket_.cut_downloads_after;
    if (is_cut) rest.resize(bucket_.cut_downloads_after);
    if (rest.size() > call.sink.bytes) return Fail(ErrorCode::kCorruption, "more than it says");
    SB_RETURN_IF_ERROR(WriteAt(call.sink.fd, rest, call.sink.offset));
    sunk = rest.size();
    if (call.step) SB_RETURN_IF_ERROR(call.step(rest.size()));
    if (is_cut) return Fail(ErrorCode::kUnavailable, "cut");
    return reply;
  }

  FakeBucket& bucket_;
};

}  // namespace switchback::test
