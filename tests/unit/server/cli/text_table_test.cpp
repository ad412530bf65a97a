#include "server/cli/text_table.hpp"

#include <gtest/gtest.h>

namespace switchback {
namespace {

TEST(TextTable, ColumnsAreAligned) {
  EXPECT_EQ(TextTable({"k", "value"}, {{"a", "1"}, {"long", "2"}}),
            "k     value\n"
            "----  -----\n"
            "a     1\n"
            "long  2\n");
}

TEST(TextTable, WidthsCountCharactersAndControlsAreSpaces) {
  EXPECT_EQ(TextTable({"a", "b"}, {{"\xc3\xa4\xc3\xb6", "x\ny\x1b"}}),
            "a   b\n"
            "--  ----\n"
            "\xc3\xa4\xc3\xb6  x y \n");
}

TEST(TextTable, AWideCellIsCut) {
  const std::string table = TextTable({"a"}, {{std::string(100, 'x')}});

  EXPECT_NE(table.find("\n" + std::string(57, 'x') + "...\n"), std::string::npos) << table;
}

}  // namespace
}  // namespace switchback
