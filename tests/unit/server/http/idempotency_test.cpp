#include "server/http/idempotency.hpp"

#include <gtest/gtest.h>

#include "server/http/problem.hpp"
#include "tests/support/expect_ok.hpp"
#include "tests/support/shifted_clock.hpp"
#include "tests/unit/server/http/scratch_folder.hpp"

namespace switchback {
namespace {

class IdempotencyTest : public testing::Test {
 protected:
  HttpResponse Ask(const std::string& key, const std::string& body = "{}", unsigned status = 202,
                   const std::string& owner = "ann") {
    HttpRequest request;
    request.method = "POST";
    request.path = "/v1/backups";
    request.headers = {{"idempotency-key", key}};
    request.body = body;
    return book_->Run(owner, request, [&] {
      HttpResponse response;
      response.status = status;
      response.body = "answer " + std::to_string(++done_count_);
      return response;
    });
  }
  // As after a restart of the server.
  void Reopen() {
    book_.reset();
    journal_.reset();
    journal_ = test::Must(Journal::Open(path_, clock_));
    book_ = std::make_unique<IdempotencyBook>(*journal_, clock_);
  }

  ScratchFolder folder_;
  const std::string path_ = folder_.path() + "/control.sqlite";
  test::ShiftedClock clock_;
  std::unique_ptr<Journal> journal_ = test::Must(Journal::Open(path_, clock_));
  std::unique_ptr<IdempotencyBook> book_ = std::make_unique<IdempotencyBook>(*journal_, clock_);
  int done_count_ = 0;
};

TEST_F(IdempotencyTest, TheSameRequestIsDoneOnce) {
  const HttpResponse first = Ask("k");
  const HttpResponse second = Ask("k");

  EXPECT_EQ(done_count_, 1);
  EXPECT_EQ(second.status, 202u);
  EXPECT_EQ(second.body, first.body);
  ASSERT_EQ(second.headers.size(), 1u);
  EXPECT_EQ(second.headers[0].first, "Idempotency-Replayed");
}

TEST_F(IdempotencyTest, AlsoAfterARestart) {
  Ask("k");

  Reopen();

  EXPECT_EQ(Ask("k").body, "answer 1");
  EXPECT_EQ(done_count_, 1);
}

TEST_F(IdempotencyTest, AnotherRequestMayNotHaveTheSameKey) {
  Ask("k");

  EXPECT_EQ(Ask("k", R"({"note":"other"})").status, 422u);
  EXPECT_EQ(done_count_, 1);
}

TEST_F(IdempotencyTest, KeysOfTwoOwnersAreTwoKeys) {
  Ask("k", "{}", 202, "ann");
  Ask("k", "{}", 202, "bob");

  EXPECT_EQ(done_count_, 2);
}

TEST_F(IdempotencyTest, ARequestUnderWayIsNotBegunAgain) {
  HttpRequest request;
  request.method = "POST";
  request.path = "/v1/backups";
  request.headers = {{"idempotency-key", "k"}};

  unsigned second = 0;
  book_->Run("ann", request, [&] {
    second = book_->Run("ann", request, [] { return HttpResponse(); }).status;
    return HttpResponse();
  });

  EXPECT_EQ(second, 409u);
}

TEST_F(IdempotencyTest, AKeyThatACrashCutOffIsNotUsedAgain) {
  HttpRequest request;
  request.method = "POST";
  request.path = "/v1/backups";
  request.headers = {{"idempotency-key", "k"}};
  request.body = "{}";
  // What the next process finds when this one dies in the middle of it.
  std::vector<Finding> found;
  book_->Run("ann", request, [&] {
    found = test::Must(journal_->Findings("idempotency", "", "", 10));
    return HttpResponse();
  });
  ASSERT_EQ(found.size(), 1u);
  ASSERT_TRUE(journal_->AddFindings("idempotency", found));

  Reopen();

  EXPECT_EQ(Ask("k").status, 409u);
  EXPECT_EQ(done_count_, 0);
}

TEST_F(IdempotencyTest, WhatWasNotDoneMayBeAskedAgain) {
  for (const unsigned status : {400u, 403u, 409u, 429u, 503u}) Ask("k", "{}", status);

  EXPECT_EQ(done_count_, 5);
  EXPECT_EQ(Ask("k").status, 202u);
  Reopen();
  EXPECT_EQ(Ask("k").body, "answer 6");
}

TEST_F(IdempotencyTest, AFailureInTheMiddleIsAnAnswer) {
  Ask("k", "{}", 500);

  EXPECT_EQ(Ask("k").status, 500u);
  EXPECT_EQ(done_count_, 1);
}

TEST_F(IdempotencyTest, KeysAreForgottenAfterADay) {
  Ask("old");
  clock_.Advance(std::chrono::hours(23));
  EXPECT_EQ(Ask("old").body, "answer 1");
  clock_.Advance(std::chrono::hours(2));

  EXPECT_EQ(Ask("old").body, "answer 2");
  EXPECT_EQ(*journal_->CountFindings("idempotency"), 1u);
}

TEST_F(IdempotencyTest, RefusesWhatIsNoKey) {
  for (const std::string& key : {std::string(), std::string("a\nb"), std::string(256, 'k')})
    EXPECT_EQ(Ask(key).status, 400u) << key;
  EXPECT_EQ(Ask(std::string(255, 'k')).status, 202u);
}

TEST_F(IdempotencyTest, AJournalThatFailsKeepsItFromBeingDone) {
  book_.reset();
  journal_.reset();
  auto read_only = test::Must(Journal::OpenToRead(path_, clock_));
  IdempotencyBook book(*read_only, clock_);
  HttpRequest request;
  request.headers = {{"idempotency-key", "k"}};
  bool is_done = false;

  const HttpResponse answer = book.Run("ann", request, [&] {
    is_done = true;
    return HttpResponse();
  });

  EXPECT_GE(answer.status, 400u);
  EXPECT_FALSE(is_done);
}

}  // namespace
}  // namespace switchback
