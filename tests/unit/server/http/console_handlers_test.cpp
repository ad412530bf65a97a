// What a browser is given of the console, without sockets.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "server/http/console_files.hpp"
#include "server/http/handlers.hpp"

namespace switchback {
namespace {

using testing::HasSubstr;
using testing::Not;

const ConsoleFile& Index() {
  const auto files = ConsoleFiles();
  const auto found = std::find_if(files.begin(), files.end(),
                                  [](const ConsoleFile& file) { return file.path == "/"; });
  EXPECT_NE(found, files.end());
  return *found;
}

HttpResponse Ask(const ConsoleFile& file, const char* header = "accept", const char* value = "*") {
  HttpRequest request;
  request.method = "GET";
  request.headers = {{header, value}};
  return HandleConsoleFile(file, request);
}

std::string Header(const HttpResponse& response, std::string_view name) {
  for (const auto& [header, value] : response.headers) {
    if (header == name) return value;
  }
  return "";
}

TEST(ConsoleHandlers, GivesEachFileAsItIsWithPolicyAndTag) {
  for (const ConsoleFile& file : ConsoleFiles()) {
    const auto response = Ask(file);

    EXPECT_EQ(response.status, 200u);
    EXPECT_EQ(response.body, file.content);
    EXPECT_EQ(Header(response, "ETag"), file.etag);
    EXPECT_EQ(Header(response, "Cache-Control"), "no-cache");
    EXPECT_EQ(Header(response, "Referrer-Policy"), "no-referrer");
    EXPECT_THAT(Header(response, "Content-Security-Policy"), HasSubstr("frame-ancestors 'none'"));
    EXPECT_THAT(Header(response, "Content-Security-Policy"), Not(HasSubstr("unsafe")));
  }
}

TEST(ConsoleHandlers, CompressesForThoseWhoAcceptIt) {
  for (const char* accepted : {"gzip", "br, gzip", "gzip;q=0.5, br", "deflate, gzip , br"}) {
    const auto response = Ask(Index(), "accept-encoding", accepted);
    EXPECT_EQ(Header(response, "Content-Encoding"), "gzip") << accepted;
    EXPECT_EQ(response.body, Index().gzip);
    EXPECT_THAT(response.body, testing::StartsWith("\x1f\x8b"));
  }
  for (const char* refused : {"br", "gzip;q=0", "xgzip", "gzipx"})
    EXPECT_EQ(Ask(Index(), "accept-encoding", refused).body, Index().content) << refused;
}

TEST(ConsoleHandlers, SaysThatAFileIsUnchanged) {
  const std::string tag(Index().etag);
  for (const std::string& known : {tag, "\"other\", " + tag}) {
    const auto response = Ask(Index(), "if-none-match", known.c_str());
    EXPECT_EQ(response.status, 304u);
    EXPECT_EQ(response.body, "");
    EXPECT_EQ(Header(response, "ETag"), tag);
  }
  EXPECT_EQ(Ask(Index(), "if-none-match", "\"other\"").status, 200u);
}

TEST(ConsoleHandlers, IsSmall) {
  std::size_t bytes = 0;
  for (const ConsoleFile& file : ConsoleFiles()) bytes += file.gzip.size();

  EXPECT_LT(bytes, 150'000u);
}

TEST(ConsoleHandlers, HoldsNoInlineScriptOrStyle) {
  EXPECT_THAT(std::string(Index().content), Not(HasSubstr("<style")));
  EXPECT_THAT(std::string(Index().content), Not(HasSubstr("style=")));
  EXPECT_THAT(std::string(Index().content), Not(HasSubstr("<script>")));
  EXPECT_THAT(std::string(Index().content), Not(testing::ContainsRegex(" on[a-z]*=")));
}

}  // namespace
}  // namespace switchback
