#include "server/errors.hpp"

#include <gtest/gtest.h>

namespace switchback {
namespace {

TEST(Errors, TellAClientWhatToDoByTheirFirstWord) {
  EXPECT_EQ(RespErrorText({ErrorCode::kBusy, "x"}), "BUSY x");
  EXPECT_EQ(RespErrorText({ErrorCode::kNoSpace, "x"}), "NOSPACE x");
  EXPECT_EQ(RespErrorText({ErrorCode::kIo, "x"}), "IOERR x");
  EXPECT_EQ(RespErrorText({ErrorCode::kUnavailable, "x"}), "UNAVAILABLE x");
  EXPECT_EQ(RespErrorText({ErrorCode::kCancelled, "x"}), "UNAVAILABLE x");
  EXPECT_EQ(RespErrorText({ErrorCode::kInvalidArgument, "x"}), "ERR x");
  EXPECT_EQ(RespErrorText({ErrorCode::kTooLarge, std::string(kStringTooLongMessage)}),
            "ERR string exceeds maximum allowed size (proto-max-bulk-len)");
}

TEST(Errors, AnUnknownOutcomeSaysSo) {
  EXPECT_EQ(RespErrorText({ErrorCode::kUnknownOutcome, "fdatasync: I/O error"}),
            "UNKNOWN the write may or may not have been stored: fdatasync: I/O error");
}

TEST(Errors, AMessageStaysOnOneLine) {
  EXPECT_EQ(RespErrorText({ErrorCode::kIo, "a\r\nb"}), "IOERR a  b");
}

TEST(Errors, MapToHttp) {
  EXPECT_EQ(HttpStatus(ErrorCode::kInvalidArgument), 400);
  EXPECT_EQ(HttpStatus(ErrorCode::kNotFound), 404);
  EXPECT_EQ(HttpStatus(ErrorCode::kRefused), 409);
  EXPECT_EQ(HttpStatus(ErrorCode::kBusy), 429);
  EXPECT_EQ(HttpStatus(ErrorCode::kUnavailable), 503);
  EXPECT_EQ(HttpStatus(ErrorCode::kNoSpace), 507);
  EXPECT_EQ(HttpStatus(ErrorCode::kInternal), 500);
}

TEST(Errors, MapToExitCodes) {
  EXPECT_EQ(ExitCode(Status()), 0);
  EXPECT_EQ(ExitCode(ErrorCode::kIo), 1);
  EXPECT_EQ(ExitCode(ErrorCode::kInvalidArgument), 2);
  EXPECT_EQ(ExitCode(ErrorCode::kRefused), 3);
  EXPECT_EQ(ExitCode(Status(Fail(ErrorCode::kRefused, "x"))), 3);
}

}  // namespace
}  // namespace switchback
