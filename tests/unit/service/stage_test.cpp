#include "service/stage.hpp"

#include <gtest/gtest.h>

namespace switchback {
namespace {

struct Case {
  StageInputs inputs;
  const char* stage;
};

TEST(Stage, IsWhatStoresAndFlagSay) {
  using enum FollowerState;
  const Case cases[] = {
      {{false, kDetached, 0, true}, "off"},         {{false, kBackfilling, 0, true}, "off"},
      {{false, kCatchingUp, 0, true}, "dualwrite"}, {{false, kFailed, 0, false}, "dualwrite"},
      {{false, kInSync, 0, false}, "dualwrite"},    {{false, kInSync, 0, true}, "shadow"},
      {{false, kInSync, 0.001, true}, "live"},      {{false, kInSync, 99.999, false}, "live"},
      {{false, kInSync, 100, true}, "rampdown"},    {{true, kInSync, 100, true}, "complete"},
  };
  for (const Case& one : cases) EXPECT_STREQ(StageOf(one.inputs), one.stage);
}

}  // namespace
}  // namespace switchback
