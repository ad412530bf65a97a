// Random batches, restarts and snapshots on every engine, compared with std::map. The seed is
// printed; SWITCHBACK_TEST_SEED repeats a run.
#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <map>
#include <random>
#include <set>

#include "tests/contract/store_under_test.hpp"

namespace switchback {
namespace {

using Records = std::map<std::string, std::string>;

struct Model {
  std::map<std::string, Records> collections;
  StoreState state;
};

std::uint64_t Seed() {
  if (const char* given = std::getenv("SWITCHBACK_TEST_SEED"))
    return std::strtoull(given, nullptr, 10);
  return static_cast<std::uint64_t>(std::chrono::system_clock::now().time_since_epoch().count());
}

class RandomWalk {
 public:
  RandomWalk(StoreUnderTest& store, std::uint64_t seed) : store_(store), random_(seed) { Open(); }

  void Step() {
    switch (Below(20)) {
      case 0: return Open();
      case 1: ASSERT_TRUE(backend_->Reopen().has_value()); return CompareAll();
      case 2: ASSERT_TRUE(backend_->MakeDurable().has_value()); return;
      case 3: return FailApply();
      case 4: return TakeSnapshot();
      case 5: return Compare(*snapshot_view_, snapshot_);
      case 6:
        if (Below(10) == 0) Reset();
        return;
      default: return Apply();
    }
  }

  void CompareAll() {
    auto view = backend_->NewReadView();
    ASSERT_TRUE(view.has_value());
    ASSERT_TRUE((*view)->Begin().has_value());
    Compare(**view, model_);
    ASSERT_TRUE(backend_->CheckAlone().has_value());
  }

 private:
  std::uint64_t Below(std::uint64_t limit) { return random_() % limit; }

  std::string RandomKey() {
    static const std::string kAlphabet("\0a\x7f\x80\xff", 5);
    std::string key = "k";
    const std::uint64_t length = Below(20) == 0 ? 510 : Below(4);
    while (key.size() <= length) key += kAlphabet[Below(kAlphabet.size())];
    return key;
  }

  std::string RandomValue() {
    constexpr std::size_t kSizes[] = {0, 1, 48, 100, 1000, 2100, 5000, 20000};
    return std::string(kSizes[Below(8)], static_cast<char>('a' + Below(26)));
  }

  const Collection& RandomCollection() {
    static const char* const kNames[] = {"main", "default", "Default", "sqlite_x", "a.b-c"};
    return **catalog_.Intern(kNames[Below(5)]);
  }

  // The batch and what the model becomes by it. Half of the batches come sorted, as followers' do.
  EffectList RandomBatch(Model& after) {
    EffectList list;
    const std::uint64_t count = Below(60);
    const bool is_sorted = Below(2) == 0;
    std::set<std::string> keys;
    while (is_sorted && keys.size() < count / 2)
      keys.insert((RandomKey() + RandomKey()).substr(0, kKeyBytesMax));
    const Collection& sorted_into = RandomCollection();
    for (const std::string& key : keys) {
      list.Put(sorted_into, key, "sorted");
      after.collections[sorted_into.name][key] = "sorted";
    }
    for (std::uint64_t i = 0; i < count; ++i) {
      const Collection& collection = RandomCollection();
      const bool exists = after.collections.count(collection.name) != 0;
      const std::string key = RandomKey();
      const std::uint64_t kind = Below(100);
      if (kind < 65) {
        const std::string value = RandomValue();
        list.Put(collection, key, value);
        after.collections[collection.name][key] = value;
      } else if (kind < 98) {
        list.Delete(collection, key);
        if (exists) after.collections[collection.name].erase(key);
      } else {
        list.Clear(collection);
        if (exists) after.collections[collection.name].clear();
      }
    }
    return list;
  }

  StoreState NextState() {
    StoreState state = model_.state;
    state.log_id = "log";
    ++state.applied_sequence;
    state.fill_key = RandomKey();
    return state;
  }

  void Apply() {
    Model after = model_;
    const EffectList list = RandomBatch(after);
    after.state = NextState();
    const auto applied = backend_->Apply(list.effects(), after.state);
    ASSERT_TRUE(applied.has_value()) << applied.error().message;
    model_ = std::move(after);
    if (Below(4) == 0) CompareAll();
  }

  void FailApply() {
    Model after = model_;
    const EffectList list = RandomBatch(after);
    after.state = NextState();
    constexpr const char* kSteps[] = {"begin", "put", "commit", "committed"};
    const std::string step = kSteps[Below(4)];
    bool is_applied = false;
    {
      const ScopedFailpoints failing(store_.Point(step) + "=error" +
                                     (step == "put" ? "@" + std::to_string(1 + Below(20)) : ""));
      const auto applied = backend_->Apply(list.effects(), after.state);
      is_applied = applied.has_value() || step == "committed";
    }
    if (is_applied) model_ = std::move(after);
    ASSERT_TRUE(backend_->Reopen().has_value());
    CompareAll();
  }

  void TakeSnapshot() {
    snapshot_view_->End();
    snapshot_ = model_;
    ASSERT_TRUE(snapshot_view_->Begin().has_value());
    Compare(*snapshot_view_, snapshot_);
    // Reopen and Reset wait for active snapshots: look once more after one batch, then end.
    Apply();
    Compare(*snapshot_view_, snapshot_);
    snapshot_view_->End();
    snapshot_ = model_;
  }

  void Reset() {
    ASSERT_TRUE(backend_->Reset().has_value());
    model_ = Model{};
    CompareAll();
  }

  void Open() {
    snapshot_view_.reset();
    backend_.reset();
    auto opened = store_.Open(catalog_);
    ASSERT_TRUE(opened.has_value()) << opened.error().message;
    backend_ = *std::move(opened);
    snapshot_view_ = *backend_->NewReadView();
    CompareAll();
  }

  void Compare(ReadView& view, const Model& model) {
    if (!view.is_active()) return;
    ASSERT_EQ(*view.State(), model.state);
    std::vector<std::string> names;
    for (const auto& [name, records] : model.collections) {
      if (name != kMainCollectionName || !records.empty()) names.push_back(name);
      Records found;
      const Collection& collection = **catalog_.Intern(name);
      std::string last;
      const auto scanned = view.Scan(collection, "", [&](auto key, auto value) {
        EXPECT_LT(last, key);
        last = key;
        found.emplace(key, value);
        return true;
      });
      ASSERT_TRUE(scanned.has_value()) << scanned.error().message;
      ASSERT_EQ(found, records) << name;
      ASSERT_EQ(*view.Count(collection), records.size());
      for (int i = 0; i < 5; ++i) CompareOne(view, collection, records, RandomKey());
    }
    ASSERT_EQ(*view.CollectionNames(), names);
  }

  void CompareOne(ReadView& view, const Collection& collection, const Records& records,
                  const std::string& key) {
    auto value = view.Get(collection, key);
    ASSERT_TRUE(value.has_value());
    const auto wanted = records.find(key);
    ASSERT_EQ(value->has_value(), wanted != records.end());
    if (*value) {
      ASSERT_EQ(**value, wanted->second);
    }
    std::string next;
    ASSERT_TRUE(view.Scan(collection, key,
                          [&](auto found, auto) {
                            next = found;
                            return false;
                          })
                    .has_value());
    const auto wanted_next = records.lower_bound(key);
    ASSERT_EQ(next, wanted_next == records.end() ? "" : wanted_next->first);
  }

  StoreUnderTest& store_;
  std::mt19937_64 random_;
  CollectionCatalog catalog_;
  std::unique_ptr<Backend> backend_;
  std::unique_ptr<ReadView> snapshot_view_;
  Model model_;
  Model snapshot_;
};

void WalkOn(StoreUnderTest& store, int step_count) {
  const std::uint64_t seed = Seed();
  SCOPED_TRACE("SWITCHBACK_TEST_SEED=" + std::to_string(seed));
  std::printf("seed %llu\n", static_cast<unsigned long long>(seed));
  RandomWalk walk(store, seed);
  for (int step = 0; step < step_count && !testing::Test::HasFatalFailure(); ++step) walk.Step();
  if (!testing::Test::HasFatalFailure()) walk.CompareAll();
}

TEST(BackendModel, MemoryAgreesWithMap) {
  MemoryUnderTest store;
  WalkOn(store, 300);
}

TEST(BackendModel, LmdbAgreesWithMap) {
  LmdbUnderTest store;
  WalkOn(store, 300);
}

TEST(BackendModel, SqliteAgreesWithMap) {
  SqliteUnderTest store;
  WalkOn(store, 300);
}

}  // namespace
}  // namespace switchback
