// The Backend contract (backends/backend.hpp), on every implementation.
#include <gtest/gtest.h>
#include <signal.h>

#include <atomic>
#include <map>
#include <thread>

#include "tests/contract/store_under_test.hpp"

namespace switchback {
namespace {

enum class Engine { kMemory, kLmdb, kSqlite };

std::unique_ptr<StoreUnderTest> MakeStore(Engine engine) {
  switch (engine) {
    case Engine::kMemory: return std::make_unique<MemoryUnderTest>();
    case Engine::kLmdb: return std::make_unique<LmdbUnderTest>();
    case Engine::kSqlite: return std::make_unique<SqliteUnderTest>();
  }
  return nullptr;
}

using Records = std::vector<std::pair<std::string, std::string>>;

StoreState At(std::uint64_t sequence) {
  StoreState state;
  state.log_id = "log-1";
  state.epoch = 1;
  state.applied_sequence = sequence;
  return state;
}

class BackendContract : public testing::TestWithParam<Engine> {
 protected:
  void SetUp() override { OpenAgain(); }
  void TearDown() override {
    view_.reset();
    backend_.reset();
    EXPECT_TRUE(SetFailpoints("").has_value());
  }

  // As a new process would: the old backend is gone before.
  void OpenAgain() {
    view_.reset();
    backend_.reset();
    auto opened = store_->Open(catalog_);
    ASSERT_TRUE(opened.has_value()) << opened.error().message;
    backend_ = *std::move(opened);
    auto view = backend_->NewReadView();
    ASSERT_TRUE(view.has_value()) << view.error().message;
    view_ = *std::move(view);
  }

  const Collection& Named(const std::string& name) {
    auto collection = catalog_.Intern(name);
    EXPECT_TRUE(collection.has_value()) << name;
    return **collection;
  }

  void Apply(const EffectList& list, std::uint64_t sequence) {
    const auto applied = backend_->Apply(list.effects(), At(sequence));
    ASSERT_TRUE(applied.has_value()) << applied.error().message;
  }

  void Begin() {
    const auto begun = view_->Begin();
    ASSERT_TRUE(begun.has_value()) << begun.error().message;
  }

  std::optional<std::string> GetNow(const std::string& collection, std::string_view key) {
    Begin();
    auto value = view_->Get(Named(collection), key);
    EXPECT_TRUE(value.has_value()) << value.error().message;
    std::optional<std::string> copy;
    if (value && *value) copy = std::string(**value);
    view_->End();
    return copy;
  }

  Records Scan(ReadView& view, const std::string& collection, std::string_view from = {}) {
    Records records;
    const auto scanned = view.Scan(Named(collection), from, [&](auto key, auto value) {
      records.emplace_back(key, value);
      return true;
    });
    EXPECT_TRUE(scanned.has_value()) << scanned.error().message;
    return records;
  }

  Records ScanNow(const std::string& collection, std::string_view from = {}) {
    Begin();
    Records records = Scan(*view_, collection, from);
    view_->End();
    return records;
  }

  std::uint64_t CountNow(const std::string& collection) {
    Begin();
    auto count = view_->Count(Named(collection));
    EXPECT_TRUE(count.has_value()) << count.error().message;
    view_->End();
    return count ? *count : ~std::uint64_t{0};
  }

  std::vector<std::string> NamesNow() {
    Begin();
    auto names = view_->CollectionNames();
    EXPECT_TRUE(names.has_value()) << names.error().message;
    view_->End();
    return names ? *names : std::vector<std::string>{"?"};
  }

  std::uint64_t SequenceNow() {
    auto state = backend_->State();
    EXPECT_TRUE(state.has_value()) << state.error().message;
    return state ? state->applied_sequence : ~std::uint64_t{0};
  }

  const std::unique_ptr<StoreUnderTest> store_ = MakeStore(GetParam());
  CollectionCatalog catalog_;
  std::unique_ptr<Backend> backend_;
  std::unique_ptr<ReadView> view_;
};

TEST_P(BackendContract, NewStoreIsEmptyAndWasNeverAttached) {
  auto state = backend_->State();

  ASSERT_TRUE(state.has_value()) << state.error().message;
  EXPECT_EQ(*state, StoreState{});
  EXPECT_TRUE(NamesNow().empty());
  EXPECT_EQ(CountNow("default"), 0u);
  EXPECT_EQ(GetNow("default", "a"), std::nullopt);
  EXPECT_TRUE(ScanNow("default").empty());
  EXPECT_TRUE(backend_->CheckAlone().has_value());
  EXPECT_TRUE(backend_->unservable().empty());
}

TEST_P(BackendContract, AppliedRecordsAreReadBack) {
  const Collection& c = Named("default");

  Apply(EffectList().Put(c, "a", "1").Put(c, "b", "2"), 1);

  EXPECT_EQ(GetNow("default", "a"), "1");
  EXPECT_EQ(GetNow("default", "b"), "2");
  EXPECT_EQ(GetNow("default", "c"), std::nullopt);
  EXPECT_EQ(GetNow("default", ""), std::nullopt);
}

TEST_P(BackendContract, EffectsApplyInTheirOrder) {
  const Collection& c = Named("default");
  Apply(EffectList().Put(c, "old", "x"), 1);

  Apply(EffectList()
            .Put(c, "a", "1")
            .Delete(c, "a")
            .Put(c, "a", "2")
            .Put(c, "b", "1")
            .Clear(c)
            .Put(c, "c", "3")
            .Put(c, "d", "4")
            .Delete(c, "d"),
        2);

  EXPECT_EQ(ScanNow("default"), (Records{{"c", "3"}}));
}

TEST_P(BackendContract, DeletingWhatIsAbsentChangesNothing) {
  const Collection& c = Named("default");
  Apply(EffectList().Put(c, "a", "1"), 1);

  Apply(EffectList().Delete(c, "b").Delete(Named("nowhere"), "a").Clear(Named("nowhere")), 2);

  EXPECT_EQ(ScanNow("default"), (Records{{"a", "1"}}));
  EXPECT_EQ(NamesNow(), (std::vector<std::string>{"default"}));
}

TEST_P(BackendContract, ScanGoesInByteOrderFromAKey) {
  const Collection& c = Named("default");
  const std::string zero("k\0a", 3);
  Apply(EffectList()
            .Put(c, "\xff", "5")
            .Put(c, "k", "1")
            .Put(c, zero, "2")
            .Put(c, "kk", "3")
            .Put(c, "\x80", "4"),
        1);

  const Records all{{"k", "1"}, {zero, "2"}, {"kk", "3"}, {"\x80", "4"}, {"\xff", "5"}};
  EXPECT_EQ(ScanNow("default"), all);
  EXPECT_EQ(ScanNow("default", "kk"), Records(all.begin() + 2, all.end()));
  EXPECT_EQ(ScanNow("default", "l"), Records(all.begin() + 3, all.end()));
  EXPECT_EQ(ScanNow("default", "\xff\x01"), Records());
}

TEST_P(BackendContract, ScanStopsWhenTheVisitorSaysSo) {
  const Collection& c = Named("default");
  Apply(EffectList().Put(c, "a", "1").Put(c, "b", "2").Put(c, "c", "3"), 1);
  int visits = 0;

  Begin();
  const auto scanned = view_->Scan(c, "", [&](auto, auto) { return ++visits < 2; });
  auto after = view_->Get(c, "c");

  EXPECT_TRUE(scanned.has_value());
  EXPECT_EQ(visits, 2);
  ASSERT_TRUE(after.has_value());
  EXPECT_EQ(*after, "3");
}

TEST_P(BackendContract, EmptyValuesAreValues) {
  const Collection& c = Named("default");

  Apply(EffectList().Put(c, "a", ""), 1);

  EXPECT_EQ(GetNow("default", "a"), "");
  EXPECT_EQ(ScanNow("default"), (Records{{"a", ""}}));
}

TEST_P(BackendContract, KeysUpTo511BytesFit) {
  const Collection& c = Named("default");
  const std::string longest(511, 'k');

  Apply(EffectList().Put(c, longest, "1").Put(c, std::string(1, '\0'), "2"), 1);

  EXPECT_EQ(GetNow("default", longest), "1");
  EXPECT_EQ(GetNow("default", std::string(1, '\0')), "2");
}

TEST_P(BackendContract, KeysOutsideTheLimitsLeaveNothingBehind) {
  const Collection& c = Named("default");
  Apply(EffectList().Put(c, "a", "1"), 1);

  for (const std::string& key : {std::string(512, 'k'), std::string()}) {
    const EffectList list = EffectList().Put(c, "b", "2").Put(c, key, "3");
    const auto applied = backend_->Apply(list.effects(), At(2));

    ASSERT_FALSE(applied.has_value());
    EXPECT_EQ(applied.error().code, ErrorCode::kInvalidArgument);
  }
  EXPECT_EQ(ScanNow("default"), (Records{{"a", "1"}}));
  EXPECT_EQ(SequenceNow(), 1u);
}

TEST_P(BackendContract, ValuesOf64MebibytesComeBackWhole) {
  const Collection& c = Named("default");
  std::string value(kValueBytesMaxDefault, 'v');
  for (std::size_t at = 0; at < value.size(); at += 4093) value[at] = static_cast<char>(at % 251);

  Apply(EffectList().Put(c, "large", value), 1);

  Begin();
  auto found = view_->Get(c, "large");
  ASSERT_TRUE(found.has_value());
  EXPECT_TRUE(*found == value);
}

TEST_P(BackendContract, StateIsPartOfTheTransaction) {
  const Collection& c = Named("default");
  StoreState state = At(7);
  state.is_filling = true;
  state.fill_collection = "users";
  state.fill_key = std::string("\0\xff", 2);
  state.collections = {"orders", "users"};

  const EffectList list = EffectList().Put(c, "a", "1");
  ASSERT_TRUE(backend_->Apply(list.effects(), state).has_value());

  auto newest = backend_->State();
  ASSERT_TRUE(newest.has_value());
  EXPECT_EQ(*newest, state);
  Begin();
  auto seen = view_->State();
  ASSERT_TRUE(seen.has_value());
  EXPECT_EQ(*seen, state);
  view_->End();
  OpenAgain();
  newest = backend_->State();
  ASSERT_TRUE(newest.has_value());
  EXPECT_EQ(*newest, state);
}

TEST_P(BackendContract, StateAloneCanBeApplied) {
  ASSERT_TRUE(backend_->Apply({}, At(3)).has_value());

  EXPECT_EQ(SequenceNow(), 3u);
  EXPECT_TRUE(NamesNow().empty());
}

TEST_P(BackendContract, SnapshotDoesNotSeeLaterCommits) {
  const Collection& c = Named("default");
  Apply(EffectList().Put(c, "a", "1").Put(c, "b", "1"), 1);

  Begin();
  Apply(EffectList().Put(c, "a", "2").Delete(c, "b").Put(c, "c", "2").Put(Named("new"), "n", "2"),
        2);

  EXPECT_EQ(Scan(*view_, "default"), (Records{{"a", "1"}, {"b", "1"}}));
  EXPECT_EQ(Scan(*view_, "new"), Records());
  EXPECT_EQ(*view_->Get(Named("new"), "n"), std::nullopt);
  EXPECT_EQ(*view_->Count(c), 2u);
  EXPECT_EQ(*view_->Count(Named("new")), 0u);
  EXPECT_EQ(*view_->CollectionNames(), (std::vector<std::string>{"default"}));
  EXPECT_EQ(view_->State()->applied_sequence, 1u);
  view_->End();
  EXPECT_EQ(ScanNow("default"), (Records{{"a", "2"}, {"c", "2"}}));
  EXPECT_EQ(ScanNow("new"), (Records{{"n", "2"}}));
}

TEST_P(BackendContract, SnapshotOfAnEmptyStoreStaysEmpty) {
  Begin();

  Apply(EffectList().Put(Named("default"), "a", "1"), 1);

  EXPECT_EQ(*view_->Get(Named("default"), "a"), std::nullopt);
  EXPECT_TRUE(view_->CollectionNames()->empty());
  EXPECT_EQ(*view_->State(), StoreState{});
  view_->End();
  EXPECT_EQ(GetNow("default", "a"), "1");
}

TEST_P(BackendContract, ViewsAreIndependent) {
  const Collection& c = Named("default");
  Apply(EffectList().Put(c, "a", "1"), 1);
  auto second = backend_->NewReadView();
  ASSERT_TRUE(second.has_value());

  Begin();
  Apply(EffectList().Put(c, "a", "2"), 2);
  ASSERT_TRUE((*second)->Begin().has_value());

  EXPECT_EQ(*view_->Get(c, "a"), "1");
  EXPECT_EQ(*(*second)->Get(c, "a"), "2");
  EXPECT_TRUE((*second)->is_active());
  (*second)->End();
  (*second)->End();
  EXPECT_FALSE((*second)->is_active());
}

TEST_P(BackendContract, CollectionsComeIntoBeingWithTheirFirstPut) {
  Apply(EffectList().Put(Named("b"), "k", "1").Put(Named("a"), "k", "2"), 1);
  Apply(EffectList().Clear(Named("b")).Put(Named("Z.9-_"), "k", "3"), 2);

  EXPECT_EQ(NamesNow(), (std::vector<std::string>{"Z.9-_", "a", "b"}));
  EXPECT_EQ(CountNow("b"), 0u);
}

TEST_P(BackendContract, MainIsNamedWhileItHoldsRecords) {
  const Collection& main = Named("main");
  EXPECT_TRUE(NamesNow().empty());

  Apply(EffectList().Put(main, "k1", "1").Put(main, "k2", "2").Put(Named("zoo"), "k", "3"), 1);

  EXPECT_EQ(NamesNow(), (std::vector<std::string>{"main", "zoo"}));
  EXPECT_EQ(ScanNow("main"), (Records{{"k1", "1"}, {"k2", "2"}}));
  EXPECT_EQ(CountNow("main"), 2u);
  Apply(EffectList().Clear(main), 2);
  EXPECT_EQ(NamesNow(), (std::vector<std::string>{"zoo"}));
  EXPECT_EQ(CountNow("main"), 0u);
  EXPECT_EQ(CountNow("zoo"), 1u);
  Apply(EffectList().Put(main, "k3", "4"), 3);
  EXPECT_EQ(ScanNow("main"), (Records{{"k3", "4"}}));
}

TEST_P(BackendContract, NamesThatAnEngineWouldConfuseStayApart) {
  const std::vector<std::string> names{"SQLITE_master", "Users", "sqlite_sequence",
                                       "temp",          "users", "uSERS"};
  EffectList list;
  for (const std::string& name : names) list.Put(Named(name), "k", name);
  Apply(list, 1);

  for (int round = 0; round < 2; ++round) {
    for (const std::string& name : names) {
      EXPECT_EQ(ScanNow(name), (Records{{"k", name}})) << name;
    }
    auto sorted = names;
    std::sort(sorted.begin(), sorted.end());
    EXPECT_EQ(NamesNow(), sorted);
    OpenAgain();
  }
}

TEST_P(BackendContract, NamesAreInternedAtOpen) {
  Apply(EffectList().Put(Named("kept"), "k", "1"), 1);
  view_.reset();
  backend_.reset();
  CollectionCatalog fresh;

  auto opened = store_->Open(fresh);

  ASSERT_TRUE(opened.has_value());
  EXPECT_NE(fresh.Find("kept"), nullptr);
  EXPECT_EQ(fresh.Find("__switchback"), nullptr);
}

TEST_P(BackendContract, CountFollowsPutsAndDeletes) {
  const Collection& c = Named("default");
  EffectList puts;
  for (int i = 0; i < 500; ++i) puts.Put(c, "key" + std::to_string(i), "v");
  Apply(puts, 1);
  EffectList deletes;
  for (int i = 0; i < 200; ++i) deletes.Delete(c, "key" + std::to_string(i));

  Apply(deletes, 2);

  EXPECT_EQ(CountNow("default"), 300u);
}

TEST_P(BackendContract, LongRunsOfSortedKeysLandInOrder) {
  const Collection& c = Named("default");
  const auto key = [](int i) { return "k" + std::to_string(100000 + i); };
  EffectList ascending;
  for (int i = 0; i < 2000; i += 2) ascending.Put(c, key(i), "even");
  Apply(ascending, 1);
  EffectList between;
  for (int i = 1; i < 2000; i += 2) between.Put(c, key(i), "odd");
  between.Put(c, key(0), "again");
  for (int i = 2000; i < 2100; ++i) between.Put(c, key(i), "more");

  Apply(between, 2);

  const Records records = ScanNow("default");
  ASSERT_EQ(records.size(), 2100u);
  EXPECT_TRUE(std::is_sorted(records.begin(), records.end()));
  EXPECT_EQ(records.front().second, "again");
  EXPECT_EQ(records.back().first, key(2099));
}

TEST_P(BackendContract, ContentSurvivesClosingAndOpening) {
  const Collection& c = Named("default");
  Apply(EffectList().Put(c, "a", "1"), 1);
  ASSERT_TRUE(backend_->MakeDurable().has_value());
  Apply(EffectList().Put(c, "b", "2"), 2);

  OpenAgain();

  EXPECT_EQ(ScanNow("default"), (Records{{"a", "1"}, {"b", "2"}}));
  EXPECT_EQ(SequenceNow(), 2u);
  EXPECT_TRUE(backend_->CheckAlone().has_value());
  Apply(EffectList().Delete(c, "a"), 3);
  EXPECT_EQ(ScanNow("default"), (Records{{"b", "2"}}));
}

TEST_P(BackendContract, ContentSurvivesKill) {
  if (!store_->IsOnDisk()) return OpenAgain();  // its crash is ContentSurvivesClosingAndOpening
  view_.reset();
  backend_.reset();
  const int status = RunInChild([this] {
    CollectionCatalog catalog;
    auto backend = store_->Open(catalog);
    if (!backend) return;
    const Collection& c = **catalog.Intern("default");
    for (std::uint64_t sequence = 1; sequence <= 20; ++sequence) {
      const EffectList list = EffectList().Put(c, "k" + std::to_string(sequence), "v");
      if (!(*backend)->Apply(list.effects(), At(sequence))) return;
    }
    ::kill(::getpid(), SIGKILL);
  });
  ASSERT_TRUE(WIFSIGNALED(status));

  OpenAgain();

  EXPECT_EQ(SequenceNow(), 20u);
  EXPECT_EQ(CountNow("default"), 20u);
  EXPECT_TRUE(backend_->CheckAlone().has_value());
}

TEST_P(BackendContract, ReopenKeepsViewsUsable) {
  const Collection& c = Named("default");
  Apply(EffectList().Put(c, "a", "1"), 1);
  EXPECT_EQ(GetNow("default", "a"), "1");

  ASSERT_TRUE(backend_->Reopen().has_value());

  EXPECT_EQ(GetNow("default", "a"), "1");
  Apply(EffectList().Put(c, "a", "2"), 2);
  EXPECT_EQ(GetNow("default", "a"), "2");
}

TEST_P(BackendContract, ResetLeavesNothing) {
  const Collection& c = Named("default");
  Apply(EffectList().Put(c, "a", "1").Put(Named("other"), "b", "2").Put(Named("main"), "m", "3"),
        1);
  EXPECT_EQ(GetNow("default", "a"), "1");

  ASSERT_TRUE(backend_->Reset().has_value());

  EXPECT_EQ(GetNow("default", "a"), std::nullopt);
  EXPECT_TRUE(NamesNow().empty());
  EXPECT_EQ(*backend_->State(), StoreState{});
  Apply(EffectList().Put(c, "b", "2"), 1);
  OpenAgain();
  EXPECT_EQ(ScanNow("default"), (Records{{"b", "2"}}));
  EXPECT_TRUE(backend_->CheckAlone().has_value());
}

TEST_P(BackendContract, DetachForgetsTheStateAndKeepsTheRecords) {
  Apply(EffectList().Put(Named("default"), "a", "1").Put(Named("main"), "m", "2"), 5);
  EXPECT_EQ(GetNow("default", "a"), "1");

  ASSERT_TRUE(backend_->Detach().has_value());

  view_.reset();
  backend_.reset();
  auto opened = store_->Open(catalog_);
  ASSERT_TRUE(opened.has_value()) << opened.error().message;
  EXPECT_EQ(*(*opened)->State(), StoreState{});
}

TEST_P(BackendContract, ViewThatOutlivesItsBackendSaysSo) {
  if (!store_->IsOnDisk()) return;  // the model's views hold the store itself
  EXPECT_EQ(GetNow("default", "a"), std::nullopt);

  backend_.reset();
  const auto begun = view_->Begin();

  ASSERT_FALSE(begun.has_value());
  EXPECT_EQ(begun.error().code, ErrorCode::kUnavailable);
}

TEST_P(BackendContract, FailureBeforeTheCommitLeavesNothing) {
  const Collection& c = Named("default");
  Apply(EffectList().Put(c, "a", "1"), 1);
  const EffectList list =
      EffectList().Put(c, "b", "2").Put(Named("fresh"), "f", "2").Delete(c, "a");

  for (const char* step : {"begin=error", "begin=nospace", "put=error@1", "put=nospace@1"}) {
    const std::string text(step);
    const ScopedFailpoints failing(store_->Point(text.substr(0, text.find('='))) +
                                   text.substr(text.find('=')));
    const auto applied = backend_->Apply(list.effects(), At(2));

    ASSERT_FALSE(applied.has_value()) << step;
    EXPECT_EQ(applied.error().code,
              text.find("nospace") == std::string::npos ? ErrorCode::kIo : ErrorCode::kNoSpace);
  }

  EXPECT_EQ(SequenceNow(), 1u);
  EXPECT_EQ(ScanNow("default"), (Records{{"a", "1"}}));
  EXPECT_EQ(NamesNow(), (std::vector<std::string>{"default"}));
  Apply(list, 2);
  EXPECT_EQ(ScanNow("default"), (Records{{"b", "2"}}));
  EXPECT_EQ(ScanNow("fresh"), (Records{{"f", "2"}}));
}

TEST_P(BackendContract, FailedCommitIsUnknownUntilReopened) {
  const Collection& c = Named("default");
  const Collection& fresh = Named("fresh");
  Apply(EffectList().Put(c, "a", "1"), 1);
  std::uint64_t sequence = 2;

  for (const bool is_applied : {false, true}) {
    const EffectList list = EffectList().Put(c, "b", "2").Put(fresh, "f", "2");
    {
      const ScopedFailpoints failing(store_->Point(is_applied ? "committed" : "commit") + "=error");
      const auto applied = backend_->Apply(list.effects(), At(sequence));
      ASSERT_FALSE(applied.has_value());
      EXPECT_EQ(applied.error().code, ErrorCode::kUnknownOutcome);
    }
    const auto refused = backend_->Apply(list.effects(), At(sequence));
    ASSERT_FALSE(refused.has_value());
    EXPECT_EQ(refused.error().code, ErrorCode::kUnknownOutcome);

    ASSERT_TRUE(backend_->Reopen().has_value());

    EXPECT_TRUE(backend_->CheckAlone().has_value());
    EXPECT_EQ(SequenceNow(), is_applied ? sequence : sequence - 1);
    EXPECT_EQ(GetNow("default", "b").has_value(), is_applied);
    EXPECT_EQ(GetNow("fresh", "f").has_value(), is_applied);
  }
  Apply(EffectList().Put(fresh, "g", "3"), ++sequence);
  EXPECT_EQ(ScanNow("fresh"), (Records{{"f", "2"}, {"g", "3"}}));
}

TEST_P(BackendContract, FailedSyncIsUnknownUntilReopened) {
  const Collection& c = Named("default");
  Apply(EffectList().Put(c, "a", "1"), 1);
  {
    const ScopedFailpoints failing(store_->Point("sync") + "=error");
    const auto synced = backend_->MakeDurable();
    ASSERT_FALSE(synced.has_value());
    EXPECT_EQ(synced.error().code, ErrorCode::kUnknownOutcome);
  }
  EXPECT_FALSE(backend_->Apply({}, At(2)).has_value());

  ASSERT_TRUE(backend_->Reopen().has_value());

  EXPECT_EQ(SequenceNow(), 1u);
  Apply(EffectList().Put(c, "b", "2"), 2);
  EXPECT_TRUE(backend_->MakeDurable().has_value());
  EXPECT_EQ(CountNow("default"), 2u);
}

TEST_P(BackendContract, FailedReadsAreErrorsAndPassAgain) {
  const Collection& c = Named("default");
  Apply(EffectList().Put(c, "a", "1"), 1);
  {
    const ScopedFailpoints failing(store_->Point("read") + "=error");
    EXPECT_FALSE(view_->Begin().has_value());
    EXPECT_FALSE(view_->is_active());
  }
  Begin();
  {
    const ScopedFailpoints failing(store_->Point("read") + "=error");
    EXPECT_FALSE(view_->Get(c, "a").has_value());
    EXPECT_FALSE(view_->Scan(c, "", [](auto, auto) { return true; }).has_value());
    EXPECT_FALSE(view_->Count(c).has_value());
    EXPECT_FALSE(view_->CollectionNames().has_value());
    EXPECT_FALSE(view_->State().has_value());
  }
  view_->End();
  EXPECT_EQ(GetNow("default", "a"), "1");
}

TEST_P(BackendContract, ForeignCommitStopsAppliesUntilAccepted) {
  const Collection& c = Named("default");
  Apply(EffectList().Put(c, "a", "1"), 1);
  EXPECT_TRUE(backend_->CheckAlone().has_value());

  store_->CommitForeign();

  const EffectList list = EffectList().Put(c, "a", "2");
  for (const auto& refused : {backend_->Apply(list.effects(), At(2)), backend_->CheckAlone()}) {
    ASSERT_FALSE(refused.has_value());
    EXPECT_EQ(refused.error().code, ErrorCode::kForeignWrite);
  }
  EXPECT_EQ(SequenceNow(), 1u);
  EXPECT_EQ(GetNow("default", "a"), "1");
  ASSERT_TRUE(backend_->AcceptForeign().has_value());
  EXPECT_TRUE(backend_->CheckAlone().has_value());
  Apply(list, 2);
  EXPECT_EQ(GetNow("default", "a"), "2");
  EXPECT_TRUE(backend_->CheckAlone().has_value());
}

TEST_P(BackendContract, ForeignCommitIsRememberedAcrossARestart) {
  const Collection& c = Named("default");
  Apply(EffectList().Put(c, "a", "1"), 1);
  store_->CommitForeign();
  EXPECT_FALSE(backend_->CheckAlone().has_value());

  OpenAgain();

  const auto alone = backend_->CheckAlone();
  ASSERT_FALSE(alone.has_value());
  EXPECT_EQ(alone.error().code, ErrorCode::kForeignWrite);
  ASSERT_TRUE(backend_->AcceptForeign().has_value());
  OpenAgain();
  EXPECT_TRUE(backend_->CheckAlone().has_value());
  EXPECT_EQ(GetNow("default", "a"), "1");
}

TEST_P(BackendContract, ForeignCommitWhileClosedIsNoticed) {
  Apply(EffectList().Put(Named("default"), "a", "1"), 1);
  view_.reset();
  backend_.reset();

  store_->CommitForeign();
  OpenAgain();

  const auto alone = backend_->CheckAlone();
  ASSERT_FALSE(alone.has_value());
  EXPECT_EQ(alone.error().code, ErrorCode::kForeignWrite);
  EXPECT_FALSE(backend_->Apply({}, At(2)).has_value());
  ASSERT_TRUE(backend_->AcceptForeign().has_value());
  EXPECT_TRUE(backend_->Apply({}, At(2)).has_value());
}

TEST_P(BackendContract, StoreThatWasNeverAttachedIsEverybodys) {
  store_->CommitForeign();

  EXPECT_TRUE(backend_->CheckAlone().has_value());
  Apply(EffectList().Put(Named("default"), "a", "1"), 1);
  EXPECT_TRUE(backend_->CheckAlone().has_value());
}

TEST_P(BackendContract, ReadersSeeWholeBatchesAcrossReopens) {
  const Collection& c = Named("default");
  Apply(EffectList().Put(c, "a", "0").Put(c, "b", "0"), 1);
  std::atomic<bool> is_done{false};
  std::atomic<int> torn_count{0};
  std::atomic<int> failure_count{0};
  const auto read = [&] {
    auto view = backend_->NewReadView();
    while (!is_done.load()) {
      if (!(*view)->Begin()) {
        ++failure_count;
        continue;
      }
      auto first = (*view)->Get(c, "a");
      const std::string a = first && *first ? std::string(**first) : "?";
      auto second = (*view)->Get(c, "b");
      if (!second || *second != a) ++torn_count;
      if (std::to_string((*view)->State()->applied_sequence - 1) != a) ++torn_count;
      (*view)->End();
    }
  };
  std::thread one(read);
  std::thread two(read);

  for (std::uint64_t i = 1; i <= 200; ++i) {
    const std::string value = std::to_string(i);
    Apply(EffectList().Put(c, "a", value).Put(c, "b", value), i + 1);
    if (i % 20 == 0) {
      EXPECT_TRUE(backend_->Reopen().has_value());
    }
  }
  is_done = true;
  one.join();
  two.join();

  EXPECT_EQ(torn_count, 0);
  EXPECT_EQ(failure_count, 0);
}

// A snapshot that knows of a batch holds the batch's records also when they made a collection.
TEST_P(BackendContract, SnapshotsHoldTheCollectionsTheirBatchesMade) {
  std::vector<const Collection*> made;
  for (int i = 1; i <= 100; ++i) made.push_back(&Named("made" + std::to_string(i)));
  Apply(EffectList(), 0);
  std::atomic<bool> is_done{false};
  std::atomic<int> missing_count{0};
  std::thread reader([&] {
    auto view = backend_->NewReadView();
    while (!is_done.load()) {
      if (!(*view)->Begin()) continue;
      const std::uint64_t sequence = (*view)->State()->applied_sequence;
      if (sequence > 0 && !(*view)->Get(*made[sequence - 1], "k")->has_value()) ++missing_count;
      if (sequence < made.size() && (*view)->Get(*made[sequence], "k")->has_value()) {
        ++missing_count;
      }
      (*view)->End();
    }
  });

  for (std::uint64_t i = 1; i <= made.size(); ++i) {
    Apply(EffectList().Put(*made[i - 1], "k", "v"), i);
  }
  is_done = true;
  reader.join();

  EXPECT_EQ(missing_count, 0);
}

TEST_P(BackendContract, StatsTellTheSizeOfTheStore) {
  Apply(EffectList().Put(Named("default"), "a", std::string(100000, 'v')), 1);
  ASSERT_TRUE(backend_->MakeDurable().has_value());

  const BackendStats stats = backend_->Stats();

  EXPECT_GE(stats.file_bytes + stats.wal_bytes, 100000u);
}

// A file that CopyTo has made, opened as a store of its own.
std::unique_ptr<Backend> OpenCopy(Engine engine, const std::string& path,
                                  CollectionCatalog& catalog) {
  if (engine == Engine::kLmdb) {
    LmdbOptions options;
    options.path = path;
    options.create = false;
    auto opened = LmdbBackend::Open(std::move(options), catalog);
    EXPECT_TRUE(opened.has_value()) << opened.error().message;
    return opened ? *std::move(opened) : nullptr;
  }
  SqliteOptions options;
  options.path = path;
  auto opened = SqliteBackend::Open(std::move(options), catalog);
  EXPECT_TRUE(opened.has_value()) << opened.error().message;
  return opened ? *std::move(opened) : nullptr;
}

TEST_P(BackendContract, CopyIsAStoreThatHoldsTheSnapshot) {
  const TemporaryDirectory directory;
  const std::string path = directory.File("copy");
  const Collection& users = Named("users");
  const Collection& main = Named("main");
  Apply(EffectList()
            .Put(users, "a", "1")
            .Put(users, std::string(511, 'k'), "")
            .Put(Named("large"), "l", std::string(300000, 'v'))
            .Put(main, "m", std::string(48, 'm')),
        7);
  EffectList many;
  for (int i = 0; i < 5000; ++i) many.Put(Named("many"), std::to_string(i), std::string(100, 'x'));
  Apply(many, 8);
  Begin();
  Apply(EffectList().Put(users, "a", "2").Put(Named("later"), "b", "3").Delete(main, "m"), 9);
  std::uint64_t bytes = 0;

  const Status copied = view_->CopyTo(path, [&](std::uint64_t more) {
    bytes += more;
    return Status{};
  });

  const auto want = Scan(*view_, "many");
  EXPECT_FALSE(view_->CopyTo(path, {}).has_value()) << "nothing is overwritten";
  view_->End();
  if (GetParam() == Engine::kMemory) {
    EXPECT_EQ(copied.error().code, ErrorCode::kUnsupported);
    return;
  }
  ASSERT_TRUE(copied.has_value()) << copied.error().message;
  EXPECT_GE(bytes, 800000u);
  backend_ = OpenCopy(GetParam(), path, catalog_);
  ASSERT_NE(backend_, nullptr);
  view_ = *backend_->NewReadView();
  EXPECT_EQ(*backend_->State(), At(8));
  EXPECT_EQ(NamesNow(), (std::vector<std::string>{"large", "main", "many", "users"}));
  EXPECT_EQ(GetNow("users", "a"), "1");
  EXPECT_EQ(GetNow("users", std::string(511, 'k')), "");
  EXPECT_EQ(GetNow("large", "l"), std::string(300000, 'v'));
  EXPECT_EQ(GetNow("main", "m"), std::string(48, 'm'));
  EXPECT_EQ(ScanNow("many"), want);
}

TEST_P(BackendContract, CopyEndsWhenItsStepSaysSo) {
  if (GetParam() == Engine::kMemory) return;
  const TemporaryDirectory directory;
  Apply(EffectList().Put(Named("a"), "a", std::string(3 << 20, 'v')), 1);
  Begin();

  const Status copied = view_->CopyTo(directory.File("copy"), [](std::uint64_t) -> Status {
    return Fail(ErrorCode::kCancelled, "enough");
  });

  ASSERT_FALSE(copied.has_value());
  EXPECT_EQ(copied.error().code, ErrorCode::kCancelled);
  EXPECT_EQ(Scan(*view_, "a").size(), 1u) << "the snapshot is still good";
  view_->End();
}

std::string NameOf(const testing::TestParamInfo<Engine>& engine) {
  switch (engine.param) {
    case Engine::kMemory: return "Memory";
    case Engine::kLmdb: return "Lmdb";
    case Engine::kSqlite: return "Sqlite";
  }
  return "";
}

INSTANTIATE_TEST_SUITE_P(Engines, BackendContract,
                         testing::Values(Engine::kMemory, Engine::kLmdb, Engine::kSqlite), NameOf);

}  // namespace
}  // namespace switchback
