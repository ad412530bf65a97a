// A disk that really fills up: a small tmpfs in a mount namespace of a child's own. Where a machine
// does not allow that, the test says so and proves nothing.
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>

#include <cstdio>
#include <fstream>

#include "common/log.hpp"
#include "tests/contract/store_under_test.hpp"

namespace switchback {
namespace {

constexpr int kNotAllowed = 77;

bool MountSmallDisk(const std::string& path) {
  std::filesystem::create_directories(path);
  const bool is_own = ::unshare(CLONE_NEWNS) == 0 || ::unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0;
  return is_own && ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
         ::mount("tmpfs", path.c_str(), "tmpfs", 0, "size=6m") == 0;
}

// Ends the child with what went wrong.
void Require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "full disk: %s\n", what);
  ::_exit(1);
}

Status ApplyOne(Backend& backend, const Collection& collection, std::uint64_t sequence) {
  StoreState state;
  state.log_id = "log";
  state.applied_sequence = sequence;
  EffectList list;
  for (int i = 0; i < 8; ++i) {
    list.Put(collection, "k" + std::to_string(sequence * 8 + static_cast<std::uint64_t>(i)),
             std::string(1000, 'v'));
  }
  return backend.Apply(list.effects(), state);
}

void FillUpAndGoOn(Backend& backend, CollectionCatalog& catalog, const std::string& ballast) {
  const Collection& collection = **catalog.Intern("default");
  std::uint64_t sequence = 1;
  Status applied;
  while (sequence < 5000 && (applied = ApplyOne(backend, collection, sequence))) ++sequence;
  Require(!applied, "the disk fills up");
  Require(applied.error().code == ErrorCode::kNoSpace, applied.error().message.c_str());
  Require(backend.State()->applied_sequence == sequence - 1, "the refused batch left no trace");
  auto view = backend.NewReadView();
  Require((*view)->Begin().has_value(), "reads go on");
  Require(*(*view)->Count(collection) == (sequence - 1) * 8, "every applied record is there");
  (*view)->End();
  std::filesystem::remove(ballast);
  Require(ApplyOne(backend, collection, sequence).has_value(), "writes go on once there is space");
  Require(backend.MakeDurable().has_value(), "and become durable");
}

template <class Open>
void RunOnSmallDisk(const Open& open) {
  TemporaryDirectory directory;
  const std::string disk = directory.File("disk");
  const int status = RunInChild([&] {
    if (!MountSmallDisk(disk)) ::_exit(kNotAllowed);
    SetLogLevel(LogLevel::kError);
    const std::string ballast = disk + "/ballast";
    std::ofstream(ballast) << std::string(2 << 20, 'b');
    CollectionCatalog catalog;
    auto backend = open(disk, catalog);
    Require(backend.has_value(), "the store opens");
    FillUpAndGoOn(**backend, catalog, ballast);
  });
  ASSERT_TRUE(WIFEXITED(status));
  if (WEXITSTATUS(status) == kNotAllowed) {
    std::puts("this machine lets us mount no tmpfs: nothing was tested");
    return;
  }
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

TEST(FullDisk, LmdbRefusesTheBatchAndGoesOnOnceThereIsSpace) {
  RunOnSmallDisk([](const std::string& disk, CollectionCatalog& catalog) {
    LmdbOptions options;
    options.path = disk + "/legacy";
    return LmdbBackend::Open(options, catalog);
  });
}

TEST(FullDisk, SqliteRefusesTheBatchAndGoesOnOnceThereIsSpace) {
  RunOnSmallDisk([](const std::string& disk, CollectionCatalog& catalog) {
    SqliteOptions options;
    options.path = disk + "/unified.sqlite";
    options.checkpoint_pages = 100;
    return SqliteBackend::Open(options, catalog);
  });
}

}  // namespace
}  // namespace switchback
