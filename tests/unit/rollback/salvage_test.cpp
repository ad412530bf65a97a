#include "rollback/salvage.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <random>

#include "backends/collection.hpp"
#include "rollback/record_writer.hpp"
#include "rollback/store_copy.hpp"
#include "tests/support/expect_ok.hpp"
#include "tests/support/temp_dir.hpp"

namespace switchback {
namespace {

using test::Must;
using Records = std::map<std::string, std::string>;

constexpr std::uint64_t kRecordCount = 20'000;
constexpr std::size_t kDamageBytes = 512;

std::string KeyOf(std::uint64_t i) {
  return fmt::format("key:{:08}", i);
}

// What is in no gap was read, and what was read is in no gap.
void CheckGaps(const SalvagedCollection& salvaged, const Records& all, const Records& read) {
  for (const auto& [key, value] : all) {
    const auto in_gap = [&key = key](const SalvageGap& gap) {
      return key > gap.after_key && (gap.before_key.empty() || key < gap.before_key);
    };
    const auto gaps = std::count_if(salvaged.gaps.begin(), salvaged.gaps.end(), in_gap);
    ASSERT_EQ(gaps, read.contains(key) ? 0 : 1) << key;
  }
}

class SalvageTest : public ::testing::TestWithParam<std::string> {
 protected:
  SalvageTest() {
    CollectionCatalog catalog;
    const std::string path = dir_.File("store");
    const auto store = Must(OpenStoreAt(GetParam(), path, catalog));
    StoreState state;
    state.log_id = "log";
    RecordWriter writer(*store, state, [](std::uint64_t) { return Status{}; });
    const Collection& collection = *Must(catalog.Intern("records"));
    for (std::uint64_t i = 0; i < kRecordCount; ++i) {
      const std::string key = KeyOf(i);
      const std::string value = fmt::format("{:0100}", i);
      records_[key] = value;
      Must(writer.Put(collection, key, value));
    }
    Must(writer.Write());
    Must(store->MakeDurable());
    file_ = GetParam() == "lmdb" ? path + "/data.mdb" : path;
  }

  void Damage(double place) {
    std::fstream file(file_, std::ios::binary | std::ios::in | std::ios::out);
    const auto bytes = static_cast<double>(std::filesystem::file_size(file_));
    const auto page = static_cast<std::streamoff>(bytes * place / 8192) * 8192;
    file.seekp(page);
    file << std::string(kDamageBytes, '\xff');
  }

  // What can be read, each once and right; one collection.
  SalvagedCollection Salvage() {
    read_.clear();
    const auto sink = [this](const std::string& collection, std::string_view key,
                             std::string_view value) -> Status {
      EXPECT_EQ(collection, "records");
      EXPECT_EQ(records_[std::string(key)], value);
      EXPECT_TRUE(read_.emplace(key, value).second) << "twice: " << key;
      return {};
    };
    SalvageReport report;
    Must(SalvageStore("store", GetParam(), file_, sink, report));
    if (report.collections.size() != 1) {
      ADD_FAILURE() << "one collection, not " << report.collections.size();
      return {};
    }
    EXPECT_EQ(report.collections.front().record_count, read_.size());
    return report.collections.front();
  }

  const test::TempDir dir_;
  std::string file_;
  Records records_;
  Records read_;
};

TEST_P(SalvageTest, OfAWholeStoreEverythingIsRead) {
  const SalvagedCollection salvaged = Salvage();

  EXPECT_EQ(read_, records_);
  EXPECT_EQ(salvaged.problem, "");
  EXPECT_TRUE(salvaged.gaps.empty());
}

TEST_P(SalvageTest, EachDamagedPlaceIsAGapOfItsOwn) {
  for (const double place : {0.2, 0.4, 0.6, 0.8}) Damage(place);

  const SalvagedCollection salvaged = Salvage();

  EXPECT_NE(salvaged.problem, "");
  EXPECT_GE(salvaged.gaps.size(), 3U);
  EXPECT_GT(read_.size(), kRecordCount * 9 / 10);
  EXPECT_LT(read_.size(), kRecordCount);
  CheckGaps(salvaged, records_, read_);
}

TEST_P(SalvageTest, DamageAnywhereLosesNoMoreThanItsGapsSay) {
  const auto seed = std::random_device{}();
  SCOPED_TRACE(seed);
  std::mt19937 random(seed);
  for (int i = 0; i < 6; ++i) Damage(std::uniform_real_distribution(0.1, 0.95)(random));

  const SalvagedCollection salvaged = Salvage();

  CheckGaps(salvaged, records_, read_);
}

INSTANTIATE_TEST_SUITE_P(Engines, SalvageTest, ::testing::Values("lmdb", "sqlite"),
                         [](const auto& engine) { return engine.param; });

}  // namespace
}  // namespace switchback
