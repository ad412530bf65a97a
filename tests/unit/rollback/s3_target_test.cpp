// The S3 client without a network: attempts, parts, answers that lie. tests/integration/target_test
// has a real server.
#include "rollback/s3_target.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <fstream>

#include "rollback/backup_target_options.hpp"
#include "rollback/target_credentials.hpp"
#include "tests/support/expect_ok.hpp"
#include "tests/support/shifted_clock.hpp"
#include "tests/support/temp_dir.hpp"
#include "tests/unit/rollback/fake_bucket.hpp"

namespace switchback {
namespace {

using std::chrono::milliseconds;
using test::FailsWith;
using test::FakeBucket;
using test::IsOk;
using test::Must;

constexpr const char* kId = "20260101T120000Z-1a2b";
constexpr const char* kKey = "p/20260101T120000Z-1a2b/legacy.mdb";

class S3TargetTest : public ::testing::Test {
 protected:
  S3TargetTest() {
    S3Retries retries;
    retries.wait = [this](BackupProgress&, milliseconds time) {
      waits_.push_back(time);
      return Status();
    };
    const S3Place place =
        Must(ParseS3Place("s3://bucket/p", "http://127.0.0.1:9", "us-east-1", -1, false));
    target_ = std::make_unique<S3Target>(
        std::make_unique<S3Client>(place, std::make_unique<test::FakeTransport>(bucket_), retries),
        kS3PartBytesMin);
  }
  // A file of three parts and a bit, no two parts alike.
  void MakeFile(std::uint64_t bytes = 3 * kS3PartBytesMin + 77) {
    content_.resize(bytes);
    for (std::size_t i = 0; i < bytes; ++i)
      content_[i] = static_cast<char>((i >> 20) * 31 + i % 251);
    std::ofstream(dir_.File("file"), std::ios::binary) << content_;
    file_ = Must(OpenFile(dir_.File("file"), O_RDONLY));
    sum_ = {bytes, Sha256Hex(content_)};
  }
  Status Put() { return target_->PutFile(kId, "legacy.mdb", file_.get(), sum_, progress_); }
  Status Get(std::uint64_t bytes) {
    const auto out = Must(OpenFile(dir_.File("out"), O_RDWR | O_CREAT | O_TRUNC));
    const Status got = target_->GetFile(kId, "legacy.mdb", out.get(), bytes, progress_);
    out_.resize(bytes + 1);
    out_.resize(Must(ReadAt(out.get(), out_.data(), out_.size(), 0)));
    return got;
  }
  // The n-th request from now on gets this, once.
  void FailAt(std::size_t number, Result<HttpReply> instead) {
    const std::size_t at = bucket_.requests.size() + number;
    bucket_.fault = [at, instead](const HttpCall&, std::size_t now) {
      return now == at ? std::optional(instead) : std::nullopt;
    };
  }
  static HttpReply Reply(long status, const std::string& code = "") {
    return {status, {}, code.empty() ? "" : "<Error><Code>" + code + "</Code></Error>"};
  }

  test::TempDir dir_;
  test::ShiftedClock clock_;
  BackupProgress progress_{clock_, 0};
  FakeBucket bucket_;
  std::vector<milliseconds> waits_;
  std::unique_ptr<S3Target> target_;
  std::string content_, out_;
  UniqueFd file_;
  FileSum sum_;
};

TEST_F(S3TargetTest, ALargeFileGoesInPartsAndComesBack) {
  MakeFile();

  ASSERT_TRUE(IsOk(Put()));

  EXPECT_TRUE(bucket_.objects[kKey] == content_);
  EXPECT_EQ(bucket_.CountOf("partNumber="), 4u);
  EXPECT_TRUE(bucket_.parts.empty());
  ASSERT_TRUE(IsOk(Get(sum_.bytes)));
  EXPECT_TRUE(out_ == content_);
}

TEST_F(S3TargetTest, CutOffAtAnyRequestItGoesOnWithThePartsThatAreThere) {
  MakeFile();
  // List, begin, four parts, complete.
  for (std::size_t cut = 1; cut <= 7; ++cut) {
    bucket_.objects.clear();
    bucket_.parts.clear();
    FailAt(cut, Fail(ErrorCode::kCancelled, "the process ended here"));
    EXPECT_TRUE(FailsWith(Put(), ErrorCode::kCancelled)) << cut;
    EXPECT_TRUE(bucket_.objects.empty()) << cut;
    bucket_.fault = nullptr;
    const std::size_t there = bucket_.parts.empty() ? 0 : bucket_.parts.begin()->second.size();
    EXPECT_EQ(there, cut < 3 ? 0 : cut - 3) << cut;
    const std::size_t sent = bucket_.CountOf("partNumber=");

    ASSERT_TRUE(IsOk(Put())) << cut;

    EXPECT_TRUE(bucket_.objects[kKey] == content_) << cut;
    EXPECT_EQ(bucket_.CountOf("partNumber=") - sent, 4 - there) << cut;
    EXPECT_TRUE(bucket_.parts.empty()) << cut;
  }
}

TEST_F(S3TargetTest, APartThatIsThereWithOtherContentIsSentAgain) {
  MakeFile();
  FailAt(6, Fail(ErrorCode::kCancelled, "the process ended here"));
  EXPECT_FALSE(Put().has_value());
  bucket_.fault = nullptr;
  bucket_.parts.begin()->second[2][5] ^= 1;
  bucket_.parts.begin()->second[1].pop_back();

  ASSERT_TRUE(IsOk(Put()));

  EXPECT_TRUE(bucket_.objects[kKey] == content_);
}

TEST_F(S3TargetTest, AFileThatIsNotTheManifestsLeavesNothing) {
  MakeFile();
  sum_.sha256[0] ^= 1;
  EXPECT_TRUE(FailsWith(Put(), ErrorCode::kCorruption));
  EXPECT_TRUE(bucket_.objects.empty());
  EXPECT_TRUE(bucket_.parts.empty());
  sum_.bytes += 1;
  EXPECT_TRUE(FailsWith(Put(), ErrorCode::kCorruption));
  MakeFile(100);
  sum_.sha256[0] ^= 1;
  EXPECT_TRUE(FailsWith(Put(), ErrorCode::kCorruption));
  EXPECT_TRUE(bucket_.objects.empty());
}

TEST_F(S3TargetTest, WhatPassesByItselfIsTriedAgainWithGrowingPauses) {
  MakeFile(100);
  const std::vector<Result<HttpReply>> faults{Reply(500),
                                              Reply(503, "SlowDown"),
                                              Reply(429),
                                              Reply(400, "RequestTimeout"),
                                              Fail(ErrorCode::kUnavailable, "connection reset"),
                                              Reply(502)};
  bucket_.fault = [&](const HttpCall&, std::size_t now) {
    return now <= faults.size() ? std::optional(faults[now - 1]) : std::nullopt;
  };

  ASSERT_TRUE(IsOk(Put()));

  EXPECT_EQ(waits_, (std::vector<milliseconds>{milliseconds(250), milliseconds(500),
                                               milliseconds(1000), milliseconds(2000),
                                               milliseconds(4000), milliseconds(8000)}));
  EXPECT_EQ(progress_.GetStatus().bytes_done, 100u) << "an attempt is counted once";
}

TEST_F(S3TargetTest, AttemptsEndAndRetryAfterHasALimit) {
  MakeFile(100);
  HttpReply reply = Reply(503, "SlowDown");
  reply.headers["retry-after"] = "86400";
  bucket_.fault = [&](const HttpCall&, std::size_t) {
    return std::optional<Result<HttpReply>>(reply);
  };

  EXPECT_TRUE(FailsWith(Put(), ErrorCode::kUnavailable));

  EXPECT_EQ(bucket_.requests.size(), 7u);
  EXPECT_EQ(waits_, std::vector<milliseconds>(6, milliseconds(30000)));
}

TEST_F(S3TargetTest, WhatDoesNotPassIsSaidAtOnce) {
  MakeFile(100);
  const std::vector<std::tuple<HttpReply, ErrorCode, std::string>> cases{
      {Reply(403, "InvalidAccessKeyId"), ErrorCode::kRefused, "access key"},
      {Reply(403, "SignatureDoesNotMatch"), ErrorCode::kRefused, "secret key"},
      {Reply(403, "AccessDenied"), ErrorCode::kRefused, "rights"},
      {Reply(403, "RequestTimeTooSkewed"), ErrorCode::kRefused, "clock"},
      {Reply(400, "AuthorizationHeaderMalformed"), ErrorCode::kRefused, "region"},
      {Reply(301), ErrorCode::kRefused, "region"},
      {Reply(404, "NoSuchBucket"), ErrorCode::kNotFound, "bucket"},
      {Reply(507), ErrorCode::kNoSpace, "no more"},
      {Reply(418), ErrorCode::kIo, "418"},
      {HttpReply{400, {}, "<not xml"}, ErrorCode::kIo, "400"}};
  for (const auto& [reply, code, text] : cases) {
    FailAt(1, reply);
    const Status put = Put();
    ASSERT_TRUE(FailsWith(put, code)) << text;
    EXPECT_NE(put.error().message.find(text), std::string::npos) << put.error().message;
  }
  EXPECT_TRUE(waits_.empty());
}

TEST_F(S3TargetTest, AnAnswerToTheLastRequestThatWasLostIsNoError) {
  MakeFile();
  ASSERT_TRUE(IsOk(Put()));
  // Completed, but the answer never came: the second attempt finds no upload.
  bool is_lost = false;
  bucket_.fault = [&](const HttpCall& call, std::size_t) -> std::optional<Result<HttpReply>> {
    if (call.method != "POST" || call.text.empty() || is_lost) return std::nullopt;
    is_lost = true;
    bucket_.parts.clear();
    return Fail(ErrorCode::kUnavailable, "cut");
  };
  EXPECT_TRUE(IsOk(Put()));
}

TEST_F(S3TargetTest, A200WithAnErrorInItIsAnError) {
  MakeFile();
  FailAt(7, HttpReply{200, {}, "<Error><Code>InternalError</Code></Error>"});

  EXPECT_TRUE(FailsWith(Put(), ErrorCode::kUnavailable));
}

TEST_F(S3TargetTest, ADownloadGoesOnAfterACutAndTakesNoMoreThanItsBytes) {
  MakeFile(5u << 20);
  ASSERT_TRUE(IsOk(Put()));
  bucket_.cut_downloads_after = (1u << 20) + 5;

  ASSERT_TRUE(IsOk(Get(sum_.bytes)));
  EXPECT_TRUE(out_ == content_);
  EXPECT_EQ(waits_, std::vector<milliseconds>(4, milliseconds(250)));
  bucket_.cut_downloads_after = 0;
  EXPECT_TRUE(FailsWith(Get(sum_.bytes - 1), ErrorCode::kCorruption));
  EXPECT_LE(out_.size(), sum_.bytes - 1);
  EXPECT_TRUE(FailsWith(Get(sum_.bytes + 1), ErrorCode::kCorruption));
  bucket_.cut_downloads_after = 1;
  EXPECT_TRUE(FailsWith(Get(sum_.bytes), ErrorCode::kUnavailable)) << "a byte at a time is no way";
}

TEST_F(S3TargetTest, ListsOnlyWhatHasAManifestAndARightName) {
  bucket_.objects = {{"p/a1/MANIFEST.json", "x"},  {"p/b2/MANIFEST.json", "x"},
                     {"p/c3/legacy.mdb", "x"},     {"p/../MANIFEST.json", "x"},
                     {"p/d/e/MANIFEST.json", "x"}, {"q/f6/MANIFEST.json", "x"}};

  EXPECT_EQ(Must(target_->ListBackups(progress_)), (std::vector<std::string>{"b2", "a1"}));
}

TEST_F(S3TargetTest, ListsThatDoNotEndAreGivenUp) {
  bucket_.fault = [](const HttpCall&, std::size_t) {
    return std::optional<Result<HttpReply>>(
        HttpReply{200,
                  {},
                  "<ListBucketResult><IsTruncated>true</IsTruncated><NextContinuationToken>x"
                  "</NextContinuationToken></ListBucketResult>"});
  };
  EXPECT_TRUE(FailsWith(target_->ListBackups(progress_), ErrorCode::kTooLarge));
}

TEST_F(S3TargetTest, RemovesTheManifestFirstAndUnfinishedUploads) {
  MakeFile();
  FailAt(6, Fail(ErrorCode::kCancelled, "the process ended here"));
  EXPECT_FALSE(Put().has_value());
  bucket_.fault = nullptr;
  for (const char* name : {"MANIFEST.json", "STATE.json", "unified.sqlite"})
    bucket_.objects[std::string("p/") + kId + "/" + name] = "x";
  bucket_.requests.clear();

  ASSERT_TRUE(IsOk(target_->Remove(kId, progress_)));

  EXPECT_TRUE(bucket_.objects.empty());
  EXPECT_TRUE(bucket_.parts.empty());
  const auto first = std::find_if(bucket_.requests.begin(), bucket_.requests.end(),
                                  [](const auto& one) { return one.starts_with("DELETE"); });
  EXPECT_TRUE(first->ends_with("MANIFEST.json"));
  EXPECT_TRUE(FailsWith(target_->Remove(kId, progress_), ErrorCode::kNotFound));
}

TEST(S3PlaceTest, AddressesAndWhatIsNoAddress) {
  const auto base = [](const char* location, const char* endpoint = "", int style = -1) {
    return Must(ParseS3Place(location, endpoint, "eu-west-1", style, false)).base;
  };
  EXPECT_EQ(base("s3://buck"), "https://buck.s3.eu-west-1.amazonaws.com");
  EXPECT_EQ(base("s3://buck.et/a/b/"), "https://s3.eu-west-1.amazonaws.com");
  EXPECT_EQ(base("s3://buck", "https://o.example:9000/"), "https://o.example:9000");
  EXPECT_EQ(base("s3://buck", "https://o.example", 0), "https://buck.o.example");
  EXPECT_EQ(base("s3://buck", "http://127.0.0.1:1"), "http://127.0.0.1:1");
  for (const char* location : {"s3:/buck", "s3://", "s3://b", "s3://Buck", "s3://buck//a",
                               "s3://buck/../a", "s3://buck/a b", "s3://buck/a?b", "s3://a..b"})
    EXPECT_TRUE(FailsWith(ParseS3Place(location, "", "r", -1, false), ErrorCode::kInvalidArgument))
        << location;
  for (const char* endpoint : {"http://o.example", "ftp://o.example", "https://u:p@o.example",
                               "https://o.example/path", "https://o.example/?q", "", "nonsense "})
    EXPECT_EQ(ParseS3Place("s3://buck", endpoint, "r", -1, false).has_value(), *endpoint == '\0')
        << endpoint;
  EXPECT_TRUE(ParseS3Place("s3://buck", "http://o.example", "r", -1, true).has_value());
}

TEST(S3PartsTest, AreLargeEnoughForTenThousand) {
  EXPECT_EQ(S3PartBytes(1, 1), kS3PartBytesMin);
  EXPECT_EQ(S3PartBytes(100ull << 30, kS3PartBytesDefault), kS3PartBytesDefault);
  const std::uint64_t large = 1ull << 42;
  EXPECT_LE((large + S3PartBytes(large, 1) - 1) / S3PartBytes(large, 1), kS3PartCountMax);
}

TEST(S3AnswersTest, WhatIsNotTheDocumentIsAnError) {
  for (const char* xml : {"", "<", "<a/>", "<ListBucketResult", "<Error><Code>x</Code></Error>"}) {
    EXPECT_FALSE(ParseS3Objects(xml).has_value()) << xml;
    EXPECT_FALSE(ParseS3Uploads(xml).has_value()) << xml;
    EXPECT_FALSE(ParseS3Parts(xml).has_value()) << xml;
    EXPECT_FALSE(ParseS3UploadId(xml).has_value()) << xml;
    EXPECT_FALSE(IsS3UploadComplete(xml)) << xml;
  }
  const auto page =
      Must(ParseS3Parts("<ListPartsResult><Part><PartNumber>-1</PartNumber><Size>5</Size></Part>"
                        "<Part><PartNumber>2</PartNumber><Size>99999999999999999999</Size></Part></"
                        "ListPartsResult>"));
  EXPECT_TRUE(page.parts.empty());
  const S3Failure failure = ParseS3Failure("<Error><Code>A\nB</Code><Message>" +
                                           std::string(9999, 'm') + "</Message></Error>");
  EXPECT_EQ(failure.code, "A?B");
  EXPECT_EQ(failure.message.size(), 300u);
}

TEST(TargetCredentialsTest, ComeFromAFileThatNobodyElseCanRead) {
  test::TempDir dir;
  const std::string path = dir.File("keys");
  const auto write = [&](const std::string& text, mode_t mode) {
    std::ofstream(path) << text;
    ::chmod(path.c_str(), mode);
  };
  ::unsetenv("AWS_ACCESS_KEY_ID");
  write(R"({"access_key_id": "a", "secret_access_key": "s/x+"})", 0600);
  EXPECT_EQ(Must(LoadTargetCredentials(path)).secret_access_key, "s/x+");
  write(R"({"access_key_id": "a", "secret_access_key": "s/x+"})", 0640);
  EXPECT_TRUE(FailsWith(LoadTargetCredentials(path), ErrorCode::kRefused));
  for (const char* text : {"", "{}", "[]", R"({"access_key_id": "a"})",
                           R"({"access_key_id": "a", "secret_access_key": "topsecret\n"})",
                           R"({"access_key_id": "a", "secret_access_key": "topsecret", "x": 1})"}) {
    write(text, 0600);
    const auto loaded = LoadTargetCredentials(path);
    ASSERT_TRUE(FailsWith(loaded, ErrorCode::kInvalidArgument)) << text;
    EXPECT_EQ(loaded.error().message.find("topsecret"), std::string::npos);
  }
  EXPECT_TRUE(FailsWith(LoadTargetCredentials(""), ErrorCode::kRefused));
}

}  // namespace
}  // namespace switchback
