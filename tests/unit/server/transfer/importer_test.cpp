#include "server/transfer/importer.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "common/file.hpp"
#include "tests/unit/server/http/scratch_folder.hpp"

namespace switchback {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// Holds records, refuses one key, and fails after some writes.
class FakeSink final : public ImportSink {
 public:
  Result<ImportOutcome> Write(std::span<const TransferRecord> records,
                              OnConflict on_conflict) override {
    if (writes_left == 0) return Fail(ErrorCode::kUnavailable, "gone");
    --writes_left;
    sizes.push_back(records.size());
    ImportOutcome outcome;
    for (std::size_t i = 0; i < records.size(); ++i) {
      if (records[i].key == refused_key) return Fail(ErrorCode::kInvalidArgument, "refused");
      const auto found = content.find(records[i].collection + "/" + records[i].key);
      if (on_conflict == OnConflict::kFail && found != content.end() &&
          found->second != records[i].value) {
        outcome.conflict = i;
        return outcome;
      }
    }
    for (const TransferRecord& record : records) {
      content[record.collection + "/" + record.key] = record.value;
      ++outcome.stored;
    }
    return outcome;
  }
  Status Close(const std::string&) override { return {}; }

  std::map<std::string, std::string> content;
  std::vector<std::size_t> sizes;
  std::string refused_key;
  std::size_t writes_left = 1000;
};

class ImporterTest : public testing::Test {
 protected:
  Status Import(const std::string& content, ImporterOptions options) {
    EXPECT_TRUE(WriteFileAtomically(path_, content).has_value());
    const auto file = OpenFile(path_, O_RDONLY);
    EXPECT_TRUE(file.has_value());
    const auto reader = ImportReader::Make(file->get(), {.default_collection = "c"});
    Importer importer(*reader, is_dry_ ? nullptr : &sink_, std::move(options));
    const Status done = importer.Run();
    counts_ = importer.counts();
    resume_line_ = importer.resume_line();
    return done;
  }
  static std::string Line(const std::string& key, const std::string& collection = "c") {
    return R"({"collection":")" + collection + R"(","key":")" + key + R"(","value":"v"})" + "\n";
  }

  ScratchFolder folder_;
  const std::string path_ = folder_.path() + "/file";
  FakeSink sink_;
  ImportCounts counts_;
  std::uint64_t resume_line_ = 0;
  bool is_dry_ = false;
};

TEST_F(ImporterTest, WritesBatchesByCollectionInTheFilesOrder) {
  const Status done = Import(Line("a") + Line("b", "d") + Line("c") + Line("d") + Line("e"),
                             {.batch_count_max = 4});

  EXPECT_TRUE(done.has_value());
  EXPECT_THAT(sink_.sizes, ElementsAre(3, 1, 1));
  EXPECT_EQ(counts_.stored, 5u);
  EXPECT_EQ(sink_.content.count("d/b"), 1u);
}

TEST_F(ImporterTest, StopsAtABadLineWithEverythingBeforeItWritten) {
  const Status done = Import(Line("a") + Line("b") + "x\n" + Line("c"), {});

  EXPECT_THAT(done.error().message, HasSubstr("line 3: no JSON"));
  EXPECT_EQ(resume_line_, 3u);
  EXPECT_EQ(sink_.content.size(), 2u);
}

TEST_F(ImporterTest, SkipsBadLinesAndTellsOfThem) {
  std::vector<std::string> bad;
  ImporterOptions options;
  options.is_bad_skipped = true;
  options.on_bad = [&](std::uint64_t line, const Error&, std::string_view text) {
    bad.push_back(std::to_string(line) + " " + std::string(text));
  };
  sink_.refused_key = "b";

  const Status done =
      Import(Line("a") + "x\n" + Line("b") + Line("c") + Line("d"), std::move(options));

  EXPECT_TRUE(done.has_value());
  std::string refused = Line("b");
  refused.pop_back();
  EXPECT_THAT(bad, ElementsAre("2 x", "3 " + refused));
  EXPECT_EQ(sink_.content.size(), 3u);
  EXPECT_EQ(counts_.bad, 2u);
}

TEST_F(ImporterTest, NamesTheLineThatTheStoreRefuses) {
  sink_.refused_key = "c";

  const Status done = Import(Line("a") + Line("b") + Line("c") + Line("d"), {});

  EXPECT_THAT(done.error().message, HasSubstr("line 3: refused"));
  EXPECT_EQ(counts_.stored, 2u);
}

TEST_F(ImporterTest, NamesTheLineOfAConflict) {
  sink_.content["c/b"] = "mine";

  const Status done = Import(Line("a") + Line("b"), {.on_conflict = OnConflict::kFail});

  EXPECT_EQ(done.error().code, ErrorCode::kConflict);
  EXPECT_THAT(done.error().message, HasSubstr("line 2"));
  EXPECT_EQ(resume_line_, 1u);
}

TEST_F(ImporterTest, SaysWhereToGoOnAfterAFailure) {
  sink_.writes_left = 2;

  const Status done =
      Import(Line("a") + Line("b") + Line("c") + Line("d") + Line("e"), {.batch_count_max = 2});

  EXPECT_EQ(done.error().code, ErrorCode::kUnavailable);
  EXPECT_EQ(resume_line_, 5u);
  EXPECT_EQ(counts_.stored, 4u);
}

TEST_F(ImporterTest, StopsBehindABatch) {
  ImporterOptions options{.batch_count_max = 2};
  options.is_stopped = [] { return true; };

  const Status done = Import(Line("a") + Line("b") + Line("c"), std::move(options));

  EXPECT_EQ(done.error().code, ErrorCode::kCancelled);
  EXPECT_EQ(resume_line_, 3u);
}

TEST_F(ImporterTest, ADryRunReadsEverythingAndWritesNothing) {
  is_dry_ = true;

  const Status done = Import(Line("a") + "x\n" + Line("c"), {.is_bad_skipped = true});

  EXPECT_TRUE(done.has_value());
  EXPECT_EQ(counts_.records, 2u);
  EXPECT_EQ(counts_.bad, 1u);
  EXPECT_TRUE(sink_.content.empty());
}

}  // namespace
}  // namespace switchback
