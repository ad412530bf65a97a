#include <gtest/gtest.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "common/file.hpp"
#include "flags/flag_file.hpp"
#include "tests/unit/flags/flag_test_util.hpp"

namespace switchback {
namespace {

namespace fs = std::filesystem;
using testing_flags::FileWith;
using testing_flags::ReadAll;
using testing_flags::TempFolder;
using testing_flags::WriteInPlace;

const std::string kName(kUnifiedFlagName);

class SetFlagInFileTest : public ::testing::Test {
 protected:
  Status Set(bool enabled, std::optional<double> percentage = std::nullopt) {
    return SetFlagInFile(path_, kName, {.enabled = enabled, .percentage = percentage});
  }
  FlagRule Rule() {
    auto flags = LoadFlagFile(path_);
    EXPECT_TRUE(flags) << (flags ? "" : flags.error().message);
    return flags && flags->contains(kName) ? flags->at(kName) : FlagRule();
  }
  struct stat StatOf(const std::string& path) {
    struct stat info {};
    EXPECT_EQ(::stat(path.c_str(), &info), 0);
    return info;
  }

  TempFolder folder_;
  std::string path_ = folder_.File("flags.json");
};

TEST_F(SetFlagInFileTest, MakesTheFileWhenThereIsNone) {
  ASSERT_TRUE(Set(true));

  EXPECT_EQ(ReadAll(path_), "{\n  \"USE_UNIFIED_DB_SERVICE\": true\n}\n");
}

TEST_F(SetFlagInFileTest, AsksOnTheFlagThatTheFileHoldsAtThatMoment) {
  bool was_asked_about_none = false;
  FlagChange change{.enabled = true, .percentage = 5};
  change.may_change = [&](const FlagRule* flag) -> Status {
    was_asked_about_none = flag == nullptr;
    return {};
  };
  ASSERT_TRUE(SetFlagInFile(path_, kName, change));
  EXPECT_TRUE(was_asked_about_none);

  change.percentage = 25;
  change.may_change = [&](const FlagRule* flag) -> Status {
    if (flag != nullptr && flag->share() == 1'000) return {};
    return Fail(ErrorCode::kRefused, "not 1 %");
  };
  const Status set = SetFlagInFile(path_, kName, change);
  ASSERT_FALSE(set);
  EXPECT_EQ(set.error().code, ErrorCode::kRefused);
  EXPECT_EQ(Rule().share(), 5'000u);
}

TEST_F(SetFlagInFileTest, AnEditorThatSavesMeanwhileKeepsItsContent) {
  WriteInPlace(path_, R"({"USE_UNIFIED_DB_SERVICE": false})");
  FlagChange change{.enabled = true, .percentage = 5};
  // The content has been read by then, and nothing is written yet.
  change.may_change = [&](const FlagRule*) -> Status {
    WriteInPlace(path_, R"({"USE_UNIFIED_DB_SERVICE": {"enabled": true, "percentage": 77}})");
    return {};
  };

  const Status set = SetFlagInFile(path_, kName, change);

  ASSERT_FALSE(set);
  EXPECT_EQ(set.error().code, ErrorCode::kBusy);
  EXPECT_EQ(Rule().share(), 77'000u);
  EXPECT_FALSE(fs::exists(folder_.File(".flags.json.tmp")));
}

TEST_F(SetFlagInFileTest, WritesAPercentageAsTheObjectForm) {
  ASSERT_TRUE(Set(true, 25));
  EXPECT_EQ(Rule().share(), 25'000u);
  EXPECT_NE(ReadAll(path_).find("\"percentage\": 25\n"), std::string::npos);

  ASSERT_TRUE(Set(true, 12.345));
  EXPECT_NE(ReadAll(path_).find("\"percentage\": 12.345\n"), std::string::npos);
}

TEST_F(SetFlagInFileTest, FalseKeepsThePercentageAndTrueMeansEverybody) {
  ASSERT_TRUE(Set(true, 25));

  ASSERT_TRUE(Set(false));
  EXPECT_FALSE(Rule().enabled());
  EXPECT_EQ(Rule().configured_share(), 25'000u);

  ASSERT_TRUE(Set(true));
  EXPECT_EQ(Rule().share(), kShareTotal);
}

TEST_F(SetFlagInFileTest, KeepsAllElseInItsOrder) {
  WriteInPlace(path_, R"({"$schema": "s", "z": true, "USE_UNIFIED_DB_SERVICE":
      {"salt": "pepper", "allow": ["t*"], "enabled": false}, "timeout": 1.50, "a": [1, {"k": null}]})");

  ASSERT_TRUE(Set(true, 5));

  EXPECT_EQ(ReadAll(path_), R"({
  "$schema": "s",
  "z": true,
  "USE_UNIFIED_DB_SERVICE": {
    "salt": "pepper",
    "allow": [
      "t*"
    ],
    "enabled": true,
    "percentage": 5
  },
  "timeout": 1.5,
  "a": [
    1,
    {
      "k": null
    }
  ]
}
)");
}

TEST_F(SetFlagInFileTest, RefusesAFileThatIsNotValidAndLeavesItAlone) {
  for (const char* broken : {"", "{", "[]", "{\"a\": true, \"a\": false}",
                             "{\"other\": {\"enabled\": true, \"percentage\": 300}}"}) {
    WriteInPlace(path_, broken);
    const Status status = Set(false);
    ASSERT_FALSE(status) << broken;
    EXPECT_EQ(status.error().code, ErrorCode::kInvalidArgument) << broken;
    EXPECT_NE(status.error().message.find(path_), std::string::npos);
    EXPECT_EQ(ReadAll(path_), broken);
  }
  WriteInPlace(path_, R"({"flags": {}})");
  ASSERT_TRUE(Set(true));
  EXPECT_TRUE(Rule().Constant());
}

TEST_F(SetFlagInFileTest, RefusesBadPercentagesAndNames) {
  EXPECT_EQ(Set(true, 101).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(Set(true, 0.0001).error().code, ErrorCode::kInvalidArgument);
  for (const std::string& name :
       {std::string(), std::string("$x"), std::string("a b"), std::string("flags"),
        std::string("\xFF"), std::string(129, 'a')}) {
    EXPECT_EQ(SetFlagInFile(path_, name, {.enabled = true, .percentage = {}}).error().code,
              ErrorCode::kInvalidArgument)
        << name;
  }
  EXPECT_FALSE(fs::exists(path_));
}

TEST_F(SetFlagInFileTest, RefusesToOverwriteASettingThatIsNoFlag) {
  WriteInPlace(path_, R"({"timeout": 30})");

  EXPECT_EQ(SetFlagInFile(path_, "timeout", {.enabled = true, .percentage = {}}).error().code,
            ErrorCode::kInvalidArgument);
  EXPECT_EQ(ReadAll(path_), R"({"timeout": 30})");
}

TEST_F(SetFlagInFileTest, KeepsTheModeAndReplacesTheInode) {
  WriteInPlace(path_, FileWith("false"));
  ASSERT_EQ(::chmod(path_.c_str(), 0640), 0);
  const struct stat before = StatOf(path_);

  ASSERT_TRUE(Set(true));

  const struct stat after = StatOf(path_);
  EXPECT_EQ(after.st_mode & 07777, 0640u);
  EXPECT_EQ(after.st_uid, before.st_uid);
  EXPECT_EQ(after.st_gid, before.st_gid);
  EXPECT_NE(after.st_ino, before.st_ino);
}

// Only root can give a file away, so elsewhere than in CI this checks the mode of a file that is
// ours already.
TEST_F(SetFlagInFileTest, KeepsTheOwner) {
  WriteInPlace(path_, FileWith("false"));
  const bool is_root = ::geteuid() == 0;
  const uid_t owner = is_root ? 12345 : ::geteuid();
  ASSERT_EQ(::chown(path_.c_str(), owner, is_root ? 23456 : ::getegid()), 0);

  ASSERT_TRUE(Set(true));

  EXPECT_EQ(StatOf(path_).st_uid, owner);
  // The next writer may be that owner: the lock must be theirs too.
  EXPECT_EQ(StatOf(folder_.File(".flags.json.lock")).st_uid, owner);
}

TEST_F(SetFlagInFileTest, ANewFileBelongsToTheOwnerOfItsFolder) {
  const bool is_root = ::geteuid() == 0;
  const uid_t owner = is_root ? 12345 : ::geteuid();
  ASSERT_EQ(::chown(folder_.path().c_str(), owner, is_root ? 23456 : ::getegid()), 0);

  ASSERT_TRUE(Set(true));

  EXPECT_EQ(StatOf(path_).st_uid, owner);
  EXPECT_EQ(StatOf(folder_.File(".flags.json.lock")).st_uid, owner);
}

TEST_F(SetFlagInFileTest, RefusesALinkInThePlaceOfTheLock) {
  WriteInPlace(path_, FileWith("false"));
  WriteInPlace(folder_.File("other"), "of somebody else");
  ASSERT_EQ(::chmod(folder_.File("other").c_str(), 0600), 0);
  fs::create_symlink("other", folder_.File(".flags.json.lock"));

  EXPECT_FALSE(Set(true));

  EXPECT_EQ(StatOf(folder_.File("other")).st_mode & 07777, 0600u);
}

TEST_F(SetFlagInFileTest, FollowsASymbolicLinkAndKeepsIt) {
  const TempFolder elsewhere;
  WriteInPlace(elsewhere.File("real.json"), FileWith("false"));
  fs::create_symlink(elsewhere.File("real.json"), path_);

  ASSERT_TRUE(Set(true));

  EXPECT_TRUE(fs::is_symlink(path_));
  EXPECT_EQ(ReadAll(elsewhere.File("real.json")), ReadAll(path_));
  EXPECT_TRUE(Rule().Constant());
}

TEST_F(SetFlagInFileTest, SaysWhatIsWrongWithThePlace) {
  fs::create_symlink("nothing", path_);
  EXPECT_EQ(Set(true).error().code, ErrorCode::kNotFound);

  path_ = folder_.File("no/such/folder/flags.json");
  EXPECT_EQ(Set(true).error().code, ErrorCode::kNotFound);

  path_ = folder_.path();
  EXPECT_EQ(Set(true).error().code, ErrorCode::kInvalidArgument);
}

TEST_F(SetFlagInFileTest, LeavesNoTemporaryFileAndReplacesAnOldOne) {
  WriteInPlace(folder_.File(".flags.json.tmp"), "left by a crash");

  ASSERT_TRUE(Set(true));

  EXPECT_FALSE(fs::exists(folder_.File(".flags.json.tmp")));
  EXPECT_TRUE(Rule().Constant());
}

TEST_F(SetFlagInFileTest, WritersAtOnceLoseNothing) {
  constexpr int kWriterCount = 4;
  constexpr int kFlagCount = 25;
  std::vector<std::thread> writers;

  for (int writer = 0; writer < kWriterCount; ++writer) {
    writers.emplace_back([this, writer] {
      for (int flag = 0; flag < kFlagCount; ++flag) {
        const std::string name = "w" + std::to_string(writer) + "-" + std::to_string(flag);
        Status status = Fail(ErrorCode::kBusy, "not yet");
        // On a starved machine a writer may wait for the others longer than it is let.
        while (!status && status.error().code == ErrorCode::kBusy)
          status = SetFlagInFile(path_, name, {.enabled = true, .percentage = flag});
        EXPECT_TRUE(status) << (status ? "" : status.error().message);
      }
    });
  }
  for (std::thread& writer : writers) writer.join();

  const auto flags = LoadFlagFile(path_);
  ASSERT_TRUE(flags);
  EXPECT_EQ(flags->size(), static_cast<std::size_t>(kWriterCount * kFlagCount));
}

TEST_F(SetFlagInFileTest, ReadersNeverMeetAHalfWrittenFile) {
  ASSERT_TRUE(Set(true));
  std::thread writer([this] {
    for (int round = 0; round < 100; ++round) EXPECT_TRUE(Set(round % 2 == 0, round));
  });

  for (int round = 0; round < 2000; ++round) {
    const auto flags = LoadFlagFile(path_);
    EXPECT_TRUE(flags) << (flags ? "" : flags.error().message);
  }
  writer.join();
}

TEST_F(SetFlagInFileTest, WaitsForAnotherWriterAndGivesUpInTheEnd) {
  const auto lock = OpenFile(folder_.File(".flags.json.lock"), O_RDWR | O_CREAT);
  ASSERT_TRUE(lock);
  ASSERT_EQ(::flock(lock->get(), LOCK_EX), 0);

  const Status status = Set(true);

  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, ErrorCode::kBusy);
  EXPECT_FALSE(fs::exists(path_));
}

TEST(LoadFlagFile, NamesThePathInItsErrors) {
  const TempFolder folder;
  WriteInPlace(folder.File("f"), "[]");

  EXPECT_EQ(LoadFlagFile(folder.File("none")).error().code, ErrorCode::kNotFound);
  const auto broken = LoadFlagFile(folder.File("f"));
  ASSERT_FALSE(broken);
  EXPECT_NE(broken.error().message.find(folder.File("f")), std::string::npos);
}

}  // namespace
}  // namespace switchback
