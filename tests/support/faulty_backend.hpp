// A MemoryBackend that tests can trip up: each call can be made to fail or to wait, and what was
// durable at any moment can be had back.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <utility>

#include "backends/memory_backend.hpp"
#include "backends/memory_store.hpp"
#include "common/sync.hpp"
#include "tests/support/expect_ok.hpp"

namespace switchback::test {

// What a store's disk holds, shared by all backends that are opened on it. Thread-safe.
class FaultyStore {
 public:
  using ContentPtr = std::shared_ptr<const MemoryStore::Content>;

  explicit FaultyStore(ContentPtr content = nullptr) {
    if (content) Fill(*content);
    durable_ = store_->Newest();
  }

  [[nodiscard]] const std::shared_ptr<MemoryStore>& store() const { return store_; }
  // What kill -9 leaves, and what a power cut leaves.
  [[nodiscard]] ContentPtr Newest() const { return store_->Newest(); }
  [[nodiscard]] ContentPtr Durable() const {
    MutexLock lock(mutex_);
    return durable_;
  }
  void MadeDurable() {
    MutexLock lock(mutex_);
    durable_ = store_->Newest();
  }
  // Gives up what was not durable, as a disk does whose sync has failed.
  void LoseWhatIsNotDurable() {
    ContentPtr durable = Durable();
    store_->Clear();
    Fill(*durable);
  }

  // Becomes another store, one that is further.
  void GoAhead(std::uint64_t batches) {
    MemoryStore::Content content = *store_->Newest();
    content.state.applied_sequence += batches;
    store_->Clear();
    Fill(content);
  }

  // Called on the follower's thread, before the call is carried out; an error is its result.
  enum class Call { kApply, kMakeDurable, kReopen, kState, kReset };
  using Hook = std::function<Status(Call)>;
  void SetHook(Hook hook) {
    MutexLock lock(mutex_);
    hook_ = std::move(hook);
  }
  // Scans fail after that many records; negative: they don't.
  void FailScansAfter(int records) { scan_limit_ = records; }
  [[nodiscard]] int scan_limit() const { return scan_limit_; }
  // Reads of one record fail.
  void FailGets(bool do_fail) { do_gets_fail_ = do_fail; }
  [[nodiscard]] bool do_gets_fail() const { return do_gets_fail_; }

  Status RunHook(Call call) {
    Hook hook;
    {
      MutexLock lock(mutex_);
      hook = hook_;
    }
    return hook ? hook(call) : Status{};
  }

 private:
  void Fill(const MemoryStore::Content& content) {
    CollectionCatalog catalog;
    std::vector<Effect> effects;
    for (const auto& [name, records] : content.collections) {
      const Collection* collection = Must(catalog.Intern(name));
      for (const auto& [key, value] : *records)
        effects.push_back({EffectKind::kPut, collection, key, value});
    }
    store_->Commit(effects, content.state);
    store_->MakeDurable();
  }

  const std::shared_ptr<MemoryStore> store_ = std::make_shared<MemoryStore>();
  std::atomic<int> scan_limit_{-1};
  std::atomic<bool> do_gets_fail_{false};
  mutable Mutex mutex_;
  ContentPtr durable_ SB_GUARDED_BY(mutex_);
  Hook hook_ SB_GUARDED_BY(mutex_);
};

class FaultyReadView final : public ReadView {
 public:
  FaultyReadView(std::shared_ptr<const FaultyStore> disk, std::unique_ptr<ReadView> inner)
      : disk_(std::move(disk)), inner_(std::move(inner)) {}
  Status Begin() override { return inner_->Begin(); }
  void End() noexcept override { inner_->End(); }
  [[nodiscard]] bool is_active() const noexcept override { return inner_->is_active(); }
  Result<std::optional<std::string_view>> Get(const Collection& collection,
                                              std::string_view key) override {
    if (disk_->do_gets_fail()) return Fail(ErrorCode::kIo, "the disk does not read");
    return inner_->Get(collection, key);
  }
  Status Scan(const Collection& collection, std::string_view from, const Visitor& visit) override {
    int left = disk_->scan_limit();
    bool has_failed = false;
    const Status scanned =
        inner_->Scan(collection, from, [&](std::string_view key, std::string_view value) {
          has_failed = left-- == 0;
          return !has_failed && visit(key, value);
        });
    if (has_failed) return Fail(ErrorCode::kCorruption, "a page is damaged");
    return scanned;
  }
  Result<std::uint64_t> Count(const Collection& collection) override {
    return inner_->Count(collection);
  }
  Result<std::vector<std::string>> CollectionNames() override { return inner_->CollectionNames(); }
  Result<StoreState> State() override { return inner_->State(); }

 private:
  const std::shared_ptr<const FaultyStore> disk_;
  const std::unique_ptr<ReadView> inner_;
};

class FaultyBackend final : public Backend {
 public:
  FaultyBackend(std::shared_ptr<FaultyStore> disk, CollectionCatalog& catalog,
                std::string_view label)
      : disk_(std::move(disk)), inner_(disk_->store(), catalog, label) {}

  [[nodiscard]] std::string_view engine() const override { return "memory"; }
  Status Apply(std::span<const Effect> effects, const StoreState& state) override {
    SB_RETURN_IF_ERROR(disk_->RunHook(FaultyStore::Call::kApply));
    return inner_.Apply(effects, state);
  }
  Status MakeDurable() override {
    SB_RETURN_IF_ERROR(disk_->RunHook(FaultyStore::Call::kMakeDurable));
    SB_RETURN_IF_ERROR(inner_.MakeDurable());
    disk_->MadeDurable();
    return {};
  }
  Result<StoreState> State() override {
    SB_RETURN_IF_ERROR(disk_->RunHook(FaultyStore::Call::kState));
    return inner_.State();
  }
  Status CheckAlone() override { return inner_.CheckAlone(); }
  Status AcceptForeign() override { return inner_.AcceptForeign(); }
  Status Reopen() override {
    SB_RETURN_IF_ERROR(disk_->RunHook(FaultyStore::Call::kReopen));
    return inner_.Reopen();
  }
  Status Reset() override {
    SB_RETURN_IF_ERROR(disk_->RunHook(FaultyStore::Call::kReset));
    return inner_.Reset();
  }
  Status Detach() override { return inner_.Detach(); }
  [[nodiscard]] const std::vector<UnservableCollection>& unservable() const override {
    return inner_.unservable();
  }
  Result<std::unique_ptr<ReadView>> NewReadView() override {
    auto inner = inner_.NewReadView();
    if (!inner) return inner;
    return std::unique_ptr<ReadView>(std::make_unique<FaultyReadView>(disk_, *std::move(inner)));
  }
  BackendStats Stats() override { return inner_.Stats(); }

 private:
  const std::shared_ptr<FaultyStore> disk_;
  MemoryBackend inner_;
};

}  // namespace switchback::test
