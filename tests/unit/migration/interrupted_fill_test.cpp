// A fill of a real service, cut off before its end.
#include <gtest/gtest.h>

#include "migration/migrator.hpp"
#include "tests/support/service_world.hpp"

namespace switchback::test {
namespace {

// The power goes before any record was copied, and nobody has to ask again.
TEST(InterruptedFill, GoesOnByItselfWhenItHadOnlyBegunBeforeThePowerCut) {
  ServiceWorld world;
  CollectionCatalog catalog;
  const Effect effect{EffectKind::kPut, Must(catalog.Intern("c")), "adopted", "v"};
  world.legacy->store()->Commit({&effect, 1}, StoreState{});
  world.Open();
  world.legacy->FailScansAfter(0);
  TempDir dir;
  auto journal = Must(Journal::Open(dir.File("control.sqlite"), world.clock));
  auto migrator = Must(Migrator::Open(*world.service, *journal, world.clock, {}));
  ASSERT_TRUE(migrator->Start({}).has_value());
  ASSERT_TRUE(world.Becomes(Role::kUnified, FollowerState::kBackfilling));

  migrator.reset();
  world.CrashAndReopen(Crash::kPowerCut);
  migrator = Must(Migrator::Open(*world.service, *journal, world.clock, {}));
  ASSERT_TRUE(migrator->ResumeIfInterrupted().has_value());

  ASSERT_TRUE(world.Becomes(Role::kUnified, FollowerState::kInSync));
  migrator->Tick();
  EXPECT_EQ(migrator->GetStatus().state, "complete");
  migrator.reset();
  EXPECT_EQ(world.Stored(Role::kUnified), world.Stored(Role::kLegacy));
}

}  // namespace
}  // namespace switchback::test
