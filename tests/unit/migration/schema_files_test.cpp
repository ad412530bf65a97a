#include "migration/schema/schema_files.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/expect_ok.hpp"
#include "tests/support/temp_dir.hpp"

namespace switchback::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class SchemaFilesTest : public testing::Test {
 protected:
  void Write(const std::string& name, const std::string& content = "") {
    std::filesystem::create_directories(directory_);
    std::ofstream(directory_ + "/" + name, std::ios::binary) << content;
  }
  void WritePair(const std::string& base) {
    Write(base + ".up.sql", "-- up " + base);
    Write(base + ".down.sql", "-- down " + base);
  }
  SchemaFiles Read() { return Must(ReadSchemaFiles(directory_)); }

  TempDir dir_;
  const std::string directory_ = dir_.File("schema");
};

TEST(SchemaFileNames, SayVersionNameAndDirection) {
  const auto parsed = ParseSchemaFileName("0012_add.e-mail_2.up.sql");

  ASSERT_TRUE(IsOk(parsed));
  EXPECT_EQ(parsed->version, 12u);
  EXPECT_EQ(parsed->name, "add.e-mail_2");
  EXPECT_TRUE(parsed->is_up);
  EXPECT_FALSE(ParseSchemaFileName("1_x.down.sql")->is_up);
}

TEST(SchemaFileNames, OthersAreRefused) {
  for (const char* name :
       {"0001_x.sql", ".up.sql", "_x.up.sql", "1.up.sql", "1_.up.sql", "x_1.up.sql", "-1_x.up.sql",
        "+1_x.up.sql", " 1_x.up.sql", "0_x.up.sql", "0000_x.down.sql", "1_a b.up.sql",
        "1_a/b.up.sql", "99999999999999999999_x.up.sql", "1000000000_x.up.sql", "1_x.UP.sql"}) {
    EXPECT_TRUE(FailsWith(ParseSchemaFileName(name), ErrorCode::kInvalidArgument)) << name;
  }
}

TEST_F(SchemaFilesTest, AMissingDirectoryHoldsNone) {
  EXPECT_THAT(Read().versions, IsEmpty());
  EXPECT_THAT(Read().problems, IsEmpty());
}

TEST_F(SchemaFilesTest, PairsAreReadInTheOrderOfTheirNumbers) {
  for (const char* base :
       {"10_j", "9_i", "0002_b", "1_a", "003_c", "4_d", "5_e", "6_f", "7_g", "8_h"})
    WritePair(base);
  Write("README.md", "not SQL");

  const SchemaFiles files = Read();

  EXPECT_THAT(files.problems, IsEmpty());
  ASSERT_EQ(files.versions.size(), 10u);
  EXPECT_EQ(files.versions[1].name, "b");
  EXPECT_EQ(files.versions[9].up_sql, "-- up 10_j");
  EXPECT_EQ(files.versions[9].down_checksum, SchemaChecksum("-- down 10_j"));
  EXPECT_NE(files.versions[9].up_checksum, files.versions[9].down_checksum);
}

TEST_F(SchemaFilesTest, AGapIsAProblem) {
  WritePair("0001_a");
  WritePair("0003_c");

  const SchemaFiles files = Read();

  EXPECT_THAT(files.problems, ElementsAre(HasSubstr("version 2 is missing")));
  EXPECT_EQ(files.versions.size(), 1u);
}

TEST_F(SchemaFilesTest, DuplicatesHalvesAndWrongNamesAreProblems) {
  WritePair("0001_a");
  WritePair("1_other");
  Write("0002_b.up.sql");
  Write("0003_c.down.sql");
  Write("0004_d.sql");
  Write("0005_e.up.sql");
  Write("0005_f.down.sql");

  const auto problems = Read().problems;

  EXPECT_THAT(problems, testing::IsSupersetOf({
                            HasSubstr("1_other.up.sql: has the version of 0001_a.up.sql"),
                            HasSubstr("0002_b.up.sql: has no .down.sql"),
                            HasSubstr("0003_c.down.sql: has no .up.sql"),
                            HasSubstr("0004_d.sql: must end in .up.sql or .down.sql"),
                            HasSubstr("different names"),
                        }));
}

TEST_F(SchemaFilesTest, ContentMustBeUtf8WithoutNulAndNotHuge) {
  WritePair("0001_a");
  Write("0002_b.up.sql", "-- \xff");
  Write("0002_b.down.sql", std::string("-- \0", 4));
  WritePair("0003_c");
  Write("0003_c.up.sql", std::string(kSchemaFileBytesMax + 1, ' '));

  EXPECT_THAT(Read().problems,
              ElementsAre(HasSubstr("0002_b.down.sql: holds a NUL byte"),
                          HasSubstr("0002_b.up.sql: is not UTF-8"), HasSubstr("0003_c.up.sql")));
}

TEST_F(SchemaFilesTest, CreateMakesTheNextPair) {
  const auto first = Must(CreateSchemaFiles(directory_, "add_email"));
  const auto second = Must(CreateSchemaFiles(directory_, "more"));

  EXPECT_EQ(first.up_path, directory_ + "/0001_add_email.up.sql");
  EXPECT_EQ(second.down_path, directory_ + "/0002_more.down.sql");
  EXPECT_THAT(Read().problems, IsEmpty());
  EXPECT_TRUE(FailsWith(CreateSchemaFiles(directory_, "a/b"), ErrorCode::kInvalidArgument));
  EXPECT_TRUE(FailsWith(CreateSchemaFiles(directory_, ""), ErrorCode::kInvalidArgument));
  std::filesystem::remove(first.down_path);
  EXPECT_TRUE(FailsWith(CreateSchemaFiles(directory_, "third"), ErrorCode::kConflict));
}

}  // namespace
}  // namespace switchback::test
