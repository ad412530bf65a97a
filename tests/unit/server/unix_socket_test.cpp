#include "server/unix_socket.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "common/file.hpp"
#include "tests/support/expect_ok.hpp"
#include "tests/support/temp_dir.hpp"

namespace switchback {
namespace {

class UnixSocketTest : public testing::Test {
 protected:
  test::TempDir directory_;
  const std::string path_ = directory_.path() + "/s";
};

TEST_F(UnixSocketTest, HasItsModeWhateverTheUmask) {
  for (const mode_t mode : {0600u, 0660u}) {
    const mode_t before = ::umask(0);
    const UniqueFd socket(test::Must(ListenOnUnixSocket(path_, mode)));
    ::umask(before);
    struct stat info {};
    ASSERT_EQ(::stat(path_.c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0777u, mode);
    RemoveUnixSocket(path_);
    EXPECT_NE(::stat(path_.c_str(), &info), 0);
  }
}

TEST_F(UnixSocketTest, TakesThePlaceOfOneThatNobodyListensAt) {
  { const UniqueFd dead(test::Must(ListenOnUnixSocket(path_, 0600))); }

  const UniqueFd alive(test::Must(ListenOnUnixSocket(path_, 0600)));

  EXPECT_EQ(ListenOnUnixSocket(path_, 0600).error().code, ErrorCode::kConflict);
}

TEST_F(UnixSocketTest, LeavesFilesAlone) {
  test::Must(OpenFile(path_, O_CREAT | O_WRONLY));

  EXPECT_EQ(ListenOnUnixSocket(path_, 0600).error().code, ErrorCode::kRefused);
  RemoveUnixSocket(path_);

  struct stat info {};
  EXPECT_EQ(::stat(path_.c_str(), &info), 0);
}

TEST_F(UnixSocketTest, RefusesPathsThatCannotBe) {
  EXPECT_EQ(ListenOnUnixSocket("", 0600).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(ListenOnUnixSocket("/" + std::string(200, 'p'), 0600).error().code,
            ErrorCode::kInvalidArgument);
  EXPECT_EQ(ListenOnUnixSocket(directory_.path() + "/none/s", 0600).error().code,
            ErrorCode::kNotFound);
  EXPECT_FALSE(ParseSocketMode("0666").has_value());
}

}  // namespace
}  // namespace switchback
