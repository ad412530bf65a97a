// The verifier on the real engines: LMDB and SQLite in a data directory, damaged behind the log's
// back by the thread that owns the store.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "migration/verifier.hpp"
#include "tests/support/service_world.hpp"

namespace switchback::test {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class VerifierEnginesTest : public ::testing::Test {
 protected:
  void SetUp() override {
    SetLogLevel(LogLevel::kError);
    DbServiceOptions options;
    options.data_dir = dir_.File("data");
    service_ = Must(DbService::Open(options));
    journal_ = Must(Journal::Open(dir_.File("control.sqlite"), SystemClock()));
    verifier_ = std::make_unique<Verifier>(*service_, *journal_, SystemClock());
  }
  const Collection& Named(const char* name) { return *Must(service_->catalog().Intern(name)); }
  void Damage(Role role, const Effect& effect) {
    const auto apply = [&](Backend& backend) -> Status {
      const auto state = backend.State();
      if (!state) return Fail(state.error());
      return backend.Apply(std::span(&effect, 1), *state);
    };
    Must(service_->RunOnStore(role, apply, std::chrono::minutes(1)));
  }
  VerifyStatus Verify(VerifyOptions options = {}) {
    Must(verifier_->Start(std::move(options), "test"));
    EXPECT_TRUE(Eventually([&] { return verifier_->GetStatus().state != "running"; }));
    return verifier_->GetStatus();
  }
  std::vector<std::string> Found() {
    std::vector<std::string> found;
    for (const NamedDifference& difference : Must(verifier_->Differences("", "", 100)))
      found.push_back(difference.collection + "/" + difference.key + " " + difference.kind);
    return found;
  }

  TempDir dir_;
  std::unique_ptr<DbService> service_;
  std::unique_ptr<Journal> journal_;
  std::unique_ptr<Verifier> verifier_;
};

TEST_F(VerifierEnginesTest, FindsAndRepairsWhatWasDamaged) {
  const std::string long_value(3u << 20, 'x');
  for (int i = 0; i < 3000; ++i) {
    Must(service_->Put(Named(i % 2 == 0 ? "even" : "odd"), "key" + std::to_string(10000 + i),
                       std::to_string(i)));
  }
  Must(service_->Put(Named("even"), "long", long_value));
  Must(service_->Put(Named("odd"), "empty", ""));
  Must(service_->Put(Named("odd"), std::string("\0\xff", 2), "binary"));
  EXPECT_EQ(Verify().state, "clean");
  EXPECT_EQ(verifier_->GetStatus().records_compared, 3003u);

  Must(service_->Drain(std::chrono::minutes(1)));
  const std::string other(3u << 20, 'y');
  Damage(Role::kUnified, {EffectKind::kPut, &Named("even"), "long", other});
  Damage(Role::kUnified, {EffectKind::kDelete, &Named("odd"), "empty", {}});
  Damage(Role::kLegacy, {EffectKind::kDelete, &Named("odd"), "key10001", {}});
  Damage(Role::kUnified, {EffectKind::kPut, &Named("only-there"), "k", "v"});
  EXPECT_EQ(Verify().state, "differences");
  EXPECT_THAT(Found(), ElementsAre("even/long differs", "odd/empty missing", "odd/key10001 extra",
                                   "only-there/k extra"));

  const VerifyStatus repaired = Verify({.repair_from = Role::kLegacy});

  EXPECT_EQ(repaired.state, "clean") << repaired.error;
  EXPECT_EQ(repaired.repaired, 4u);
  EXPECT_THAT(Found(), IsEmpty());
  auto session = service_->NewSession();
  EXPECT_EQ(Must(session->Get(Named("odd"), "key10001")), std::nullopt) << "as legacy has it";
  EXPECT_EQ(Must(session->Get(Named("even"), "long")), long_value);
  session->EndTurn();
  EXPECT_EQ(Verify().state, "clean");
}

}  // namespace
}  // namespace switchback::test
