// The bare engines, all through the one interface that runs use.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "server/bench/lmdb_target.hpp"
#include "server/bench/paired_target.hpp"
#include "server/bench/record.hpp"
#include "server/bench/sqlite_target.hpp"

namespace switchback::bench {
namespace {

constexpr std::uint64_t kRecords = 500;
constexpr std::size_t kValueBytes = 20;

class BenchEngines : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    std::string directory = testing::TempDir() + "switchback-bench-XXXXXX";
    ASSERT_NE(mkdtemp(directory.data()), nullptr);
    directory_ = directory;
    auto lmdb = LmdbStore::Open(directory_ + "/lmdb");
    ASSERT_TRUE(lmdb) << lmdb.error().message;
    ASSERT_TRUE((*lmdb)->Load(kRecords, kValueBytes));
    lmdb_ = std::make_unique<LmdbTarget>(std::move(*lmdb), kRecords);
    auto sqlite = SqliteStore::Create(directory_ + "/bare.sqlite", TuningFor(kValueBytes));
    ASSERT_TRUE(sqlite) << sqlite.error().message;
    ASSERT_TRUE((*sqlite)->Load(kRecords, kValueBytes));
    sqlite_ = std::make_unique<SqliteTarget>(std::move(*sqlite), kRecords);
    paired_ = std::make_unique<PairedTarget>(*lmdb_, *sqlite_);
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }

  Target& target() {
    if (GetParam() == "lmdb") return *lmdb_;
    if (GetParam() == "sqlite") return *sqlite_;
    return *paired_;
  }
  std::unique_ptr<Client> NewClient() { return target().NewClient().value(); }

  std::string directory_;
  std::unique_ptr<LmdbTarget> lmdb_;
  std::unique_ptr<SqliteTarget> sqlite_;
  std::unique_ptr<PairedTarget> paired_;
};

std::string ValueOf(std::uint64_t index, std::uint64_t version) {
  std::string value(kValueBytes, '\0');
  FillValue(value, index, version);
  return value;
}

TEST_P(BenchEngines, HoldTheLoadedRecords) {
  const auto client = NewClient();

  for (std::uint64_t index = 0; index < kRecords; ++index) {
    const Key key = KeyOf(index);
    const auto value = client->Read(View(key));
    ASSERT_TRUE(value) << value.error().message;
    ASSERT_EQ(*value, ValueOf(index, 0));
  }
  EXPECT_EQ(client->Read("user-absent").value(), std::nullopt);
  EXPECT_EQ(target().records().Visible(), kRecords);
  EXPECT_EQ(target().name(), GetParam());
}

TEST_P(BenchEngines, AClientSeesItsOwnWritesWithinATurn) {
  const auto client = NewClient();
  const Key key = KeyOf(3);
  ASSERT_TRUE(client->Read(View(key)));  // opens the snapshot that the write has to end

  const std::string updated = ValueOf(3, 1);
  const RecordView record{View(key), updated};
  ASSERT_TRUE(client->Write({&record, 1}));

  EXPECT_EQ(client->Read(View(key)).value(), updated);
}

TEST_P(BenchEngines, ABatchOfWritesIsStoredWhole) {
  const auto writer = NewClient();
  const auto reader = NewClient();
  std::vector<Key> keys;
  std::vector<std::string> values;
  for (std::uint64_t index = kRecords; index < kRecords + 10; ++index) {
    keys.push_back(KeyOf(index));
    values.push_back(ValueOf(index, 0));
  }
  std::vector<RecordView> records;
  for (std::size_t at = 0; at < keys.size(); ++at) records.push_back({View(keys[at]), values[at]});

  ASSERT_TRUE(writer->Write(records));

  for (std::size_t at = 0; at < keys.size(); ++at)
    EXPECT_EQ(reader->Read(View(keys[at])).value(), values[at]);
}

TEST_P(BenchEngines, TheSnapshotOfATurnStaysUntilItsEnd) {
  const auto writer = NewClient();
  const auto reader = NewClient();
  const Key key = KeyOf(5);
  const std::string updated = ValueOf(5, 9);
  const RecordView record{View(key), updated};
  ASSERT_EQ(reader->Read(View(key)).value(), ValueOf(5, 0));

  ASSERT_TRUE(writer->Write({&record, 1}));

  EXPECT_EQ(reader->Read(View(key)).value(), ValueOf(5, 0));
  reader->EndTurn();
  EXPECT_EQ(reader->Read(View(key)).value(), updated);
}

TEST_P(BenchEngines, ReadModifyWriteReplacesTheValue) {
  const auto client = NewClient();
  const Key key = KeyOf(7);
  const std::string updated = ValueOf(7, 2);

  ASSERT_TRUE(client->ReadModifyWrite({View(key), updated}));

  EXPECT_EQ(client->Read(View(key)).value(), updated);
}

TEST_P(BenchEngines, ScansCountUpToTheLimitAndTheEnd) {
  const auto client = NewClient();
  const auto order = IndexesInKeyOrder(kRecords);

  EXPECT_EQ(client->Scan(View(KeyOf(order[0])), 100).value(), 100U);
  EXPECT_EQ(client->Scan(View(KeyOf(order[kRecords - 3])), 100).value(), 3U);
  EXPECT_EQ(client->Scan("zzz", 100).value(), 0U);
  client->EndTurn();
  EXPECT_EQ(client->Scan(View(KeyOf(order[0])), 1).value(), 1U);
}

TEST_P(BenchEngines, SettleLeavesTheRecordsReadable) {
  const auto client = NewClient();
  const Key key = KeyOf(1);
  const std::string updated = ValueOf(1, 1);
  const RecordView record{View(key), updated};
  ASSERT_TRUE(client->Write({&record, 1}));

  ASSERT_TRUE(target().Settle());

  EXPECT_EQ(NewClient()->Read(View(key)).value(), updated);
}

INSTANTIATE_TEST_SUITE_P(All, BenchEngines, testing::Values("lmdb", "sqlite", "lmdb+sqlite"),
                         [](const auto& parameter) {
                           std::string name = parameter.param;
                           std::erase(name, '+');
                           return name;
                         });

}  // namespace
}  // namespace switchback::bench
