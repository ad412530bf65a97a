#include "server/transfer/import_reader.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "common/file.hpp"
#include "server/transfer/line_reader.hpp"
#include "tests/unit/server/http/scratch_folder.hpp"

namespace switchback {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class ImportReaderTest : public testing::Test {
 protected:
  // "LINE COLLECTION/KEY=VALUE", or "LINE error", or "END error" at the end.
  std::vector<std::string> Read(const std::string& content, ImportReaderOptions options) {
    const UniqueFd file = FileOf(content);
    auto reader = ImportReader::Make(file.get(), std::move(options));
    std::vector<std::string> all;
    while (true) {
      auto item = reader->Next();
      if (!item) all.push_back("END " + item.error().message);
      if (!item || !*item) return all;
      const Result<TransferRecord>& record = (**item).record;
      all.push_back(std::to_string((**item).line) + " " +
                    (record ? record->collection + "/" + record->key + "=" + record->value
                            : record.error().message));
    }
  }
  std::vector<std::string> ReadCsv(const std::string& content, ImportReaderOptions options = {}) {
    options.format = TransferFormat::kCsv;
    options.default_collection = "c";
    return Read(content, options);
  }
  UniqueFd FileOf(const std::string& content) {
    const std::string path = folder_.path() + "/file";
    EXPECT_TRUE(WriteFileAtomically(path, content).has_value());
    return std::move(*OpenFile(path, O_RDONLY));
  }

  ScratchFolder folder_;
};

TEST_F(ImportReaderTest, GivesEachLineWithItsNumber) {
  EXPECT_THAT(Read("\xef\xbb\xbf{\"key\":\"a\",\"value\":\"1\"}\r\n\n{}\n"
                   "{\"collection\":\"d\",\"key\":\"b\",\"value\":\"\"}",
                   {.default_collection = "c"}),
              ElementsAre("1 c/a=1", HasSubstr("3 \"key\" is missing"), "4 d/b="));
}

TEST_F(ImportReaderTest, ChecksWhatNoStoreCanHold) {
  const std::string key(512, 'k');
  EXPECT_THAT(Read(R"({"key":"","value":""})"
                   "\n{\"key\":\"" +
                       key +
                       "\",\"value\":\"\"}\n"
                       R"({"key":"a","value":"12345"})"
                       "\n"
                       R"({"collection":"__switchback","key":"a","value":""})",
                   {.default_collection = "c", .value_bytes_max = 4}),
              ElementsAre(HasSubstr("1 the key is empty"), HasSubstr("2 the key has 512 bytes"),
                          HasSubstr("3 the value has 5 bytes"),
                          HasSubstr("4 \"__switchback\" is no name")));
}

TEST_F(ImportReaderTest, GoesOnFromALine) {
  const std::string content =
      "{\"key\":\"a\",\"value\":\"1\"}\nbroken\n{\"key\":\"b\",\"value\":\"2\"}\n";

  EXPECT_THAT(Read(content, {.default_collection = "c", .from_line = 3}), ElementsAre("3 c/b=2"));
}

TEST_F(ImportReaderTest, ALineThatIsTooLongIsRefusedAndPassedOver) {
  const ImportReaderOptions options{.default_collection = "c", .value_bytes_max = 10};
  const std::string longest(TransferLineBytesMax(10) + 1, 'x');

  EXPECT_THAT(Read(longest + "\n{\"key\":\"a\",\"value\":\"1\"}\n" + longest, options),
              ElementsAre(HasSubstr("1 the line is longer than"), "2 c/a=1",
                          HasSubstr("3 the line is longer than")));
}

TEST_F(ImportReaderTest, AnEndlessLineIsNotReadToItsEnd) {
  const UniqueFd file = FileOf(std::string(8u << 20, 'x'));
  LineReader lines(file.get(), 1u << 20);

  const auto line = lines.Next();

  ASSERT_TRUE(line && *line);
  EXPECT_TRUE((**line).is_too_long);
  EXPECT_LT(lines.bytes_read(), 2u << 20);
  EXPECT_FALSE(lines.Next()->has_value());
  EXPECT_EQ(lines.bytes_read(), 8u << 20);
}

TEST_F(ImportReaderTest, LinesAcrossTheReadersPieces) {
  std::string content;
  for (int i = 0; i < 3000; ++i) content += std::string(static_cast<std::size_t>(i), 'a') + "\n";
  const UniqueFd file = FileOf(content);
  LineReader lines(file.get(), 4000);

  for (std::size_t i = 0; i < 3000; ++i) {
    const auto line = lines.Next();
    ASSERT_TRUE(line && *line);
    ASSERT_EQ((**line).number, i + 1);
    ASSERT_EQ((**line).text.size(), i);
  }
  EXPECT_FALSE(lines.Next()->has_value());
}

TEST_F(ImportReaderTest, RowsOfCsvMayHaveSeveralLines) {
  EXPECT_THAT(ReadCsv("\xef\xbb\xbfkey,value\r\na,\"1\r\n\n2\"\r\n\r\nb,\"\"\"\"\nc,3"),
              ElementsAre("2 c/a=1\r\n\n2", "6 c/b=\"", "7 c/c=3"));
}

TEST_F(ImportReaderTest, SaysWhichRowOfCsvIsWrong) {
  EXPECT_THAT(ReadCsv("key,value\na\nb,x\"y\"\nc,3\n"),
              ElementsAre(HasSubstr("2 the row has 1 fields"), HasSubstr("3 a field with a quote"),
                          "4 c/c=3"));
  EXPECT_THAT(ReadCsv("key,value\na,1\nb,\"2\nc,3\n"),
              ElementsAre("2 c/a=1", HasSubstr("END line 3: a quote")));
  EXPECT_THAT(ReadCsv("nothing\n"), ElementsAre(HasSubstr("END line 1: there is no column")));
  EXPECT_THAT(ReadCsv(""), ElementsAre(HasSubstr("END")));
}

TEST_F(ImportReaderTest, AnOpenQuoteDoesNotTakeTheWholeFileIntoMemory) {
  std::string content = "key,value\na,\"\n";
  for (int i = 0; i < 200; ++i) content += std::string(1000, 'x') + "\n";

  EXPECT_THAT(ReadCsv(content, {.value_bytes_max = 100}),
              ElementsAre(HasSubstr("END line 2: a quote")));
}

TEST_F(ImportReaderTest, GoesOnFromALineOfCsvBehindItsHeader) {
  EXPECT_THAT(ReadCsv("key,value\na,\"1\n2\"\nb,2\n", {.from_line = 3}), ElementsAre("4 c/b=2"));
}

}  // namespace
}  // namespace switchback
