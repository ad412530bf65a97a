#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <CLI/App.hpp>
#include <CLI/Validators.hpp>

#include "server/cli/manual/command_tree.hpp"
#include "server/cli/manual/completion.hpp"
#include "server/cli/manual/man_page.hpp"
#include "tests/unit/server/cli/program.hpp"
#include "tests/unit/server/http/scratch_folder.hpp"

namespace switchback {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

// What the programs of these tests are like.
class ManualTest : public testing::Test {
 protected:
  ManualTest() {
    app_.footer("Of the program");
    CLI::App* keep = app_.add_subcommand("keep", "Keep a thing");
    keep->footer("Of keep");
    CLI::App* make = keep->add_subcommand("make", "It's made");
    make->add_option("ID", text_, "Which")->required();
    make->add_option("-m,--mode", text_, "How")->check(CLI::IsMember({"fast", "slow"}));
    make->add_flag("--dry-run", flag_, "Only say it");
    make->add_option("--hidden", text_, "Never shown")->group("");
    app_.add_subcommand("secret", "Never shown")->group("");
  }

  CLI::App app_{"Does things", "program"};
  std::string text_;
  bool flag_ = false;
};

TEST_F(ManualTest, TheTreeIsWhatHelpShows) {
  const CommandEntry program = DescribeCommands(app_);
  const auto entries = FlattenCommands(program);

  ASSERT_EQ(entries.size(), 3u);
  EXPECT_EQ(entries[0]->footer, "Of the program");
  EXPECT_EQ(entries[1]->path, "keep");
  const CommandEntry& make = *entries[2];
  EXPECT_EQ(make.path, "keep make");
  EXPECT_EQ(make.footer, "") << "it is its parent's";
  ASSERT_EQ(make.options.size(), 3u);
  EXPECT_THAT(make.options[0].names, ElementsAre("-h", "--help"));
  EXPECT_THAT(make.options[1].names, ElementsAre("-m", "--mode"));
  EXPECT_EQ(make.options[1].value, "TEXT");
  EXPECT_THAT(make.options[1].choices, ElementsAre("fast", "slow"));
  EXPECT_EQ(make.options[2].value, "") << "a flag";
  ASSERT_EQ(make.positionals.size(), 1u);
  EXPECT_TRUE(make.positionals[0].is_required);
  EXPECT_THAT(make.positionals[0].choices, IsEmpty());
  EXPECT_EQ(UsageOf(make), "[OPTIONS] ID");
  EXPECT_EQ(UsageOf(program), "[OPTIONS] COMMAND ...");
}

TEST(EscapeRoff, KeepsTextFromBeingTakenForCommands) {
  EXPECT_EQ(EscapeRoff(".TH\n'x --a \\n"), "\\&.TH\n\\&\\(aqx \\-\\-a \\en");
  EXPECT_EQ(EscapeRoff("a.b"), "a.b");
}

TEST_F(ManualTest, PagesHaveEveryCommandAndOption) {
  const CommandEntry program = DescribeCommands(app_);

  EXPECT_THAT(ManualOfProgram(program), HasSubstr("\\fBkeep\\fR\nKeep a thing\n"));
  const std::string page = ManualOfCommand(program.commands[0]);

  EXPECT_THAT(page, HasSubstr(".SS \"switchback keep make\"\nIt\\(aqs made.\n"));
  EXPECT_THAT(page, HasSubstr("\\fB\\-m, \\-\\-mode\\fR \\fIfast|slow\\fR\nHow\n"));
  EXPECT_THAT(page, HasSubstr("\\fB\\-\\-dry\\-run\\fR\nOnly say it\n"));
  EXPECT_THAT(page, Not(HasSubstr("hidden")));
}

TEST_F(ManualTest, ScriptsQuoteWhatPeopleWrote) {
  const CommandEntry program = DescribeCommands(app_);

  EXPECT_THAT(ZshCompletion(program), HasSubstr("'make:It'\\''s made'"));
  EXPECT_THAT(FishCompletion(program), HasSubstr("-a make -d 'It\\'s made'"));
  EXPECT_THAT(BashCompletion(program),
              HasSubstr("'keep make') echo -h --help -m --mode --dry-run ;;"));
  EXPECT_THAT(BashCompletion(program), HasSubstr("'keep make:-m') echo 'fast' 'slow' ;;"));
}

TEST(ManCommand, PrintsPagesAndWritesThem) {
  const ScratchFolder folder;

  EXPECT_THAT(RunProgram({"man"}).out, HasSubstr("\\fBswitchback\\-serve\\fR(1)"));
  EXPECT_THAT(RunProgram({"man", "backup"}).out, HasSubstr("\\-\\-compress"));
  EXPECT_EQ(RunProgram({"man", "nonsense"}).exit_code, 2);
  EXPECT_EQ(RunProgram({"man", "--to", folder.path()}).exit_code, 0);
  EXPECT_EQ(RunProgram({"man", "--to", folder.path() + "/none"}).exit_code, 1);
  EXPECT_EQ(RunProgram({"completion", "csh"}).exit_code, 2);
}

}  // namespace
}  // namespace switchback
