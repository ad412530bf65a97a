// A DbService in memory, for tests of what stands in front of it: one std::map per collection, one
// lock, writes run at once on the calling thread or on a thread of its own. No flags, no stores.
#pragma once

#include <algorithm>
#include <atomic>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "common/check.hpp"
#include "common/sync.hpp"
#include "service/db_service.hpp"

namespace switchback {

// Where a fake's writes run.
enum class FakePipeline {
  kInline,  // in Submit, Done included
  kThread,  // on the service's own thread, as in the real one
  kManual,  // when the test calls RunQueued
};

// Thread-safe.
class FakeDbService final : public DbService {
 public:
  using Records = std::map<std::string, std::string, std::less<>>;
  using Content = std::map<std::uint32_t, Records>;  // by collection index

  explicit FakeDbService(FakePipeline pipeline = FakePipeline::kInline) : pipeline_(pipeline) {
    if (pipeline_ == FakePipeline::kThread) thread_ = std::thread([this] { Loop(); });
  }
  ~FakeDbService() override { static_cast<void>(Close()); }

  // Every write from now on is answered with this error; Run is not called.
  void FailWrites(std::optional<Error> error) {
    const MutexLock lock(mutex_);
    write_error_ = std::move(error);
  }
  // Every read of a session from now on fails with this error.
  void FailReads(std::optional<Error> error) {
    const MutexLock lock(mutex_);
    read_error_ = std::move(error);
  }
  // Value limit of transactions, as the real service has one.
  void SetValueBytesMax(std::size_t bytes) { value_bytes_max_ = bytes; }
  // kManual: runs what was submitted, on this thread. Returns the number of writes.
  std::size_t RunQueued() {
    std::size_t count = 0;
    while (RunOne(false)) ++count;
    return count;
  }
  [[nodiscard]] std::size_t queued_count() {
    const MutexLock lock(mutex_);
    return queue_.size();
  }
  // WriteOps that came through Submit.
  [[nodiscard]] std::size_t submitted_count() {
    const MutexLock lock(mutex_);
    return submitted_count_;
  }
  // Sessions that hold a snapshot, by their own account.
  [[nodiscard]] int open_turns() const { return open_turns_.load(); }
  [[nodiscard]] Records RecordsOf(const std::string& name) {
    const Collection* collection = catalog_.Find(name);
    const MutexLock lock(mutex_);
    return collection == nullptr ? Records() : content_[collection->index];
  }

  // DbService.
  Status Close() override {
    {
      const MutexLock lock(mutex_);
      is_closed_ = true;
      changed_.NotifyAll();
    }
    if (thread_.joinable()) thread_.join();
    return {};
  }
  CollectionCatalog& catalog() override { return catalog_; }
  FlagStore& flags() override { return flags_; }
  Status JudgeFlags() override { return {}; }
  Status MayApply(const FlagRule& /*rule*/) override { return {}; }
  std::unique_ptr<Session> NewSession() override { return std::make_unique<FakeSession>(*this); }
  void Submit(WriteOp& op) override {
    {
      const MutexLock lock(mutex_);
      ++submitted_count_;
      queue_.push_back(&op);
      changed_.NotifyAll();
    }
    if (pipeline_ == FakePipeline::kInline) RunOne(false);
  }
  Status Write(const std::function<Status(Transaction&)>& run) override {
    const MutexLock lock(mutex_);
    if (write_error_) return Fail(*write_error_);
    return Apply(run);
  }
  std::unique_ptr<WatchSet> NewWatchSet() override { return std::make_unique<FakeWatchSet>(*this); }
  Result<std::vector<std::string>> CollectionNames() override {
    const MutexLock lock(mutex_);
    std::vector<std::string> names;
    for (const Collection* collection : catalog_.All()) {
      if (!content_[collection->index].empty()) names.push_back(collection->name);
    }
    std::sort(names.begin(), names.end());
    return names;
  }
  Status Drain(std::chrono::milliseconds /*wait_max*/) override { return {}; }
  Status Detach(bool /*force*/) override { return {}; }
  ServiceStatus GetStatus() override {
    ServiceStatus status;
    status.generation = "gen-1";
    status.stage = "off";
    return status;
  }
  MetricsSnapshot GetMetrics() override { return {}; }
  Status AcceptForeignLegacy() override { return {}; }
  Status StartFill(Role /*target*/, FillMode /*mode*/,
                   std::unique_ptr<FillSource> /*source*/) override {
    return Fail(ErrorCode::kUnsupported, "the fake fills nothing");
  }
  Status RunOnStore(Role /*role*/, StoreTask /*task*/,
                    std::chrono::milliseconds /*wait_max*/) override {
    return Fail(ErrorCode::kUnsupported, "the fake has no stores");
  }
  Result<std::string> RetireLegacy(std::chrono::milliseconds /*wait_max*/) override {
    return Fail(ErrorCode::kUnsupported, "no stores here");
  }
  Status ForgetStore(Role /*role*/, const std::string& /*reason*/,
                     std::chrono::milliseconds /*wait_max*/) override {
    return Fail(ErrorCode::kUnsupported, "no stores here");
  }
  Status ClearStore(Role /*role*/, const std::string& /*reason*/,
                    std::chrono::milliseconds /*wait_max*/) override {
    return Fail(ErrorCode::kUnsupported, "the fake has no stores");
  }
  void SetFlipGate(std::function<Status()> /*gate*/) override {}
  FillAccess& fill_access() override {
    SB_CHECK(false, "the fake has no fill access");
    std::abort();
  }

 private:
  // Reads of `content`, whoever holds the lock.
  class Reader {
   public:
    static Result<std::optional<std::string_view>> Get(const Content& content,
                                                       const Collection& collection,
                                                       std::string_view key, std::string& copy) {
      SB_CHECK(!key.empty() && key.size() <= kKeyBytesMax, "nobody asks for an impossible key");
      const auto records = content.find(collection.index);
      if (records == content.end()) return std::optional<std::string_view>();
      const auto found = records->second.find(key);
      if (found == records->second.end()) return std::optional<std::string_view>();
      copy = found->second;  // a view into a copy: using it too late is seen by sanitizers
      return std::optional<std::string_view>(copy);
    }
    static void Scan(const Content& content, const Collection& collection, std::string_view from,
                     const RecordReader::Visitor& visit) {
      SB_CHECK(from.size() <= kKeyBytesMax, "a scan starts at a key");
      const auto records = content.find(collection.index);
      if (records == content.end()) return;
      for (auto it = records->second.lower_bound(from); it != records->second.end(); ++it) {
        if (!visit(it->first, it->second)) return;
      }
    }
    static std::uint64_t Count(const Content& content, const Collection& collection) {
      const auto records = content.find(collection.index);
      return records == content.end() ? 0 : records->second.size();
    }
  };

  class FakeSession final : public Session {
   public:
    explicit FakeSession(FakeDbService& service) : service_(service) {}
    ~FakeSession() override { EndTurn(); }

    Result<std::optional<std::string_view>> Get(const Collection& collection,
                                                std::string_view key) override {
      const MutexLock lock(service_.mutex_);
      if (service_.read_error_) return Fail(*service_.read_error_);
      BeginTurn();
      return Reader::Get(service_.content_, collection, key, copy_);
    }
    Result<std::vector<std::optional<std::string>>> MultiGet(
        const Collection& collection, std::span<const std::string_view> keys) override {
      const MutexLock lock(service_.mutex_);
      if (service_.read_error_) return Fail(*service_.read_error_);
      BeginTurn();
      return GetAll(service_.content_, collection, keys);
    }
    Status Scan(const Collection& collection, std::string_view from,
                const Visitor& visit) override {
      const MutexLock lock(service_.mutex_);
      if (service_.read_error_) return Fail(*service_.read_error_);
      BeginTurn();
      Reader::Scan(service_.content_, collection, from, visit);
      return {};
    }
    Result<std::uint64_t> Count(const Collection& collection) override {
      const MutexLock lock(service_.mutex_);
      if (service_.read_error_) return Fail(*service_.read_error_);
      BeginTurn();
      return Reader::Count(service_.content_, collection);
    }
    void EndTurn() noexcept override {
      if (std::exchange(is_open_, false)) service_.open_turns_.fetch_sub(1);
      copy_.clear();
    }

   private:
    void BeginTurn() {
      if (!std::exchange(is_open_, true)) service_.open_turns_.fetch_add(1);
    }

    FakeDbService& service_;
    std::string copy_;
    bool is_open_ = false;
  };

  class FakeWatchSet final : public WatchSet {
   public:
    explicit FakeWatchSet(FakeDbService& service) : service_(service) {}
    void Add(const Collection& collection, std::string_view key) override {
      const MutexLock lock(service_.mutex_);
      keys_[{collection.index, std::string(key)}] = service_.change_count_;
    }
    void Clear() override { keys_.clear(); }
    [[nodiscard]] bool IsDirty(const FakeDbService& service) const {
      for (const auto& [key, since] : keys_) {
        const auto changed = service.changed_at_.find(key);
        if (changed != service.changed_at_.end() && changed->second > since) return true;
      }
      return false;
    }

   private:
    FakeDbService& service_;
    std::map<std::pair<std::uint32_t, std::string>, std::uint64_t> keys_;
  };

  // Works on the content itself and keeps what it was for RollbackTo.
  class FakeTransaction final : public Transaction {
   public:
    explicit FakeTransaction(FakeDbService& service) : service_(service) {}

    Result<std::optional<std::string_view>> Get(const Collection& collection,
                                                std::string_view key) override {
      return Reader::Get(service_.content_, collection, key, copy_);
    }
    Result<std::vector<std::optional<std::string>>> MultiGet(
        const Collection& collection, std::span<const std::string_view> keys) override {
      return GetAll(service_.content_, collection, keys);
    }
    Status Scan(const Collection& collection, std::string_view from,
                const Visitor& visit) override {
      Reader::Scan(service_.content_, collection, from, visit);
      return {};
    }
    Result<std::uint64_t> Count(const Collection& collection) override {
      return Reader::Count(service_.content_, collection);
    }
    Status Put(const Collection& collection, std::string_view key,
               std::string_view value) override {
      if (key.empty() || key.size() > kKeyBytesMax) {
        return Fail(ErrorCode::kInvalidArgument, "key size");
      }
      if (value.size() > service_.value_bytes_max_) {
        return Fail(ErrorCode::kTooLarge, "value size");
      }
      Remember(collection, key);
      service_.content_[collection.index][std::string(key)] = std::string(value);
      copy_.assign("stale");  // views end with the next call
      return {};
    }
    Status Delete(const Collection& collection, std::string_view key) override {
      Remember(collection, key);
      service_.content_[collection.index].erase(std::string(key));
      copy_.assign("stale");
      return {};
    }
    Status Clear(const Collection& collection) override {
      for (const auto& [key, value] : Records(service_.content_[collection.index])) {
        static_cast<void>(Delete(collection, key));
      }
      return {};
    }
    [[nodiscard]] std::size_t Savepoint() const override { return undo_.size(); }
    void RollbackTo(std::size_t savepoint) override {
      while (undo_.size() > savepoint) {
        auto& [index, key, old] = undo_.back();
        if (old) {
          service_.content_[index][key] = *old;
        } else {
          service_.content_[index].erase(key);
        }
        undo_.pop_back();
      }
    }
    Result<StoredValue> GetStored(Role /*role*/, const Collection& collection,
                                  std::string_view key) override {
      auto value = Get(collection, key);
      if (!value) return Fail(value.error());
      return StoredValue{true, *value};
    }
    [[nodiscard]] bool IsDirty(const WatchSet& watches) const override {
      return static_cast<const FakeWatchSet&>(watches).IsDirty(service_);
    }
    void Commit() {
      for (const auto& [index, key, old] : undo_) {
        service_.changed_at_[{index, key}] = ++service_.change_count_;
      }
    }

   private:
    struct Undo {
      std::uint32_t index;
      std::string key;
      std::optional<std::string> old;
    };
    void Remember(const Collection& collection, std::string_view key) {
      const Records& records = service_.content_[collection.index];
      const auto found = records.find(key);
      undo_.push_back({collection.index, std::string(key),
                       found == records.end() ? std::nullopt : std::optional(found->second)});
    }

    FakeDbService& service_;
    std::vector<Undo> undo_;
    std::string copy_;
  };

  static std::vector<std::optional<std::string>> GetAll(const Content& content,
                                                        const Collection& collection,
                                                        std::span<const std::string_view> keys) {
    std::vector<std::optional<std::string>> values;
    std::string copy;
    for (const std::string_view key : keys) {
      const auto value = *Reader::Get(content, collection, key, copy);
      values.push_back(value ? std::optional<std::string>(*value) : std::nullopt);
    }
    return values;
  }

  // All or nothing.
  Status Apply(const std::function<Status(Transaction&)>& run) {
    FakeTransaction transaction(*this);
    Status status = run(transaction);
    if (status) {
      transaction.Commit();
    } else {
      transaction.RollbackTo(0);
    }
    return status;
  }

  // Runs the next write, if there is one; waits for it if `may_wait`.
  bool RunOne(bool may_wait) {
    WriteOp* op = nullptr;
    Status outcome;
    {
      const MutexLock lock(mutex_);
      while (may_wait && queue_.empty() && !is_closed_) changed_.Wait(mutex_);
      if (queue_.empty()) return false;
      op = queue_.front();
      queue_.pop_front();
      if (write_error_) {
        outcome = Fail(*write_error_);
      } else {
        outcome = Apply([&](Transaction& transaction) { return op->Run(transaction); });
      }
    }
    op->Done(outcome);
    return true;
  }
  void Loop() {
    while (RunOne(true)) {
    }
  }

  const FakePipeline pipeline_;
  std::size_t value_bytes_max_ = kValueBytesMaxDefault;
  CollectionCatalog catalog_;
  FlagStore flags_;
  Mutex mutex_;
  CondVar changed_;
  Content content_;
  std::map<std::pair<std::uint32_t, std::string>, std::uint64_t> changed_at_;
  std::uint64_t change_count_ = 0;
  std::optional<Error> write_error_;
  std::optional<Error> read_error_;
  std::deque<WriteOp*> queue_;
  std::size_t submitted_count_ = 0;
  bool is_closed_ = false;
  std::atomic<int> open_turns_{0};
  std::thread thread_;
};

}  // namespace switchback
