#include "backends/memory_backend.hpp"

#include <utility>

#include "backends/effect_check.hpp"
#include "common/check.hpp"
#include "common/failpoint.hpp"

namespace switchback {
namespace {

class MemoryReadView final : public ReadView {
 public:
  MemoryReadView(std::shared_ptr<const MemoryStore> store, std::string read_point)
      : store_(std::move(store)), read_point_(std::move(read_point)) {}

  Status Begin() override {
    SB_CHECK(!is_active(), "a read view has one snapshot at a time");
    SB_RETURN_IF_ERROR(Failpoint(read_point_));
    content_ = store_->Newest();
    return {};
  }

  void End() noexcept override { content_.reset(); }
  [[nodiscard]] bool is_active() const noexcept override { return content_ != nullptr; }

  Result<std::optional<std::string_view>> Get(const Collection& collection,
                                              std::string_view key) override {
    SB_RETURN_IF_ERROR(Failpoint(read_point_));
    const MemoryStore::Records* records = Find(collection);
    if (records == nullptr) return std::optional<std::string_view>();
    const auto at = records->find(key);
    if (at == records->end()) return std::optional<std::string_view>();
    return std::optional<std::string_view>(at->second);
  }

  Status Scan(const Collection& collection, std::string_view from, const Visitor& visit) override {
    SB_RETURN_IF_ERROR(Failpoint(read_point_));
    const MemoryStore::Records* records = Find(collection);
    if (records == nullptr) return {};
    for (auto at = records->lower_bound(from); at != records->end(); ++at) {
      if (!visit(at->first, at->second)) break;
    }
    return {};
  }

  Result<std::uint64_t> Count(const Collection& collection) override {
    SB_RETURN_IF_ERROR(Failpoint(read_point_));
    const MemoryStore::Records* records = Find(collection);
    return records == nullptr ? 0 : records->size();
  }

  Result<std::vector<std::string>> CollectionNames() override {
    SB_CHECK(is_active(), "reads need a snapshot");
    SB_RETURN_IF_ERROR(Failpoint(read_point_));
    std::vector<std::string> names;
    for (const auto& [name, records] : content_->collections) {
      if (name != kMainCollectionName || !records->empty()) names.push_back(name);
    }
    return names;
  }

  Result<StoreState> State() override {
    SB_CHECK(is_active(), "reads need a snapshot");
    SB_RETURN_IF_ERROR(Failpoint(read_point_));
    return content_->state;
  }

 private:
  const MemoryStore::Records* Find(const Collection& collection) const {
    SB_CHECK(is_active(), "reads need a snapshot");
    const auto found = content_->collections.find(collection.name);
    return found == content_->collections.end() ? nullptr : found->second.get();
  }

  const std::shared_ptr<const MemoryStore> store_;
  const std::string read_point_;
  std::shared_ptr<const MemoryStore::Content> content_;
};

}  // namespace

MemoryBackend::MemoryBackend(std::shared_ptr<MemoryStore> store, CollectionCatalog& catalog,
                             std::string_view label)
    : store_(std::move(store)),
      catalog_(catalog),
      prefix_("backend." + std::string(label)),
      apply_point_(prefix_ + ".apply"),
      commit_point_(prefix_ + ".commit"),
      committed_point_(prefix_ + ".committed"),
      sync_point_(prefix_ + ".sync") {
  SB_CHECK(store_ != nullptr, "a memory backend has a store");
  const auto newest = store_->Newest();
  for (const auto& named : newest->collections) {
    if (auto known = catalog_.Intern(named.first); !known) {
      unservable_.push_back({named.first, known.error().message});
    }
  }
}

Status MemoryBackend::Apply(std::span<const Effect> effects, const StoreState& state) {
  if (needs_reopen_) {
    return Fail(ErrorCode::kUnknownOutcome, "apply: reopen first, an earlier outcome is unknown");
  }
  store_->WaitWhileHeld();
  if (auto alone = CheckAlone(); !alone) return alone;
  SB_RETURN_IF_ERROR(Failpoint(apply_point_));
  for (const Effect& effect : effects) SB_RETURN_IF_ERROR(CheckEffect(effect));
  if (auto failed = Failpoint(commit_point_); !failed) {
    needs_reopen_ = true;
    return Fail(ErrorCode::kUnknownOutcome, failed.error().message);
  }
  store_->Commit(effects, state);
  if (auto failed = Failpoint(committed_point_); !failed) {
    needs_reopen_ = true;
    return Fail(ErrorCode::kUnknownOutcome, failed.error().message);
  }
  return {};
}

Status MemoryBackend::MakeDurable() {
  if (auto failed = Failpoint(sync_point_); !failed) {
    needs_reopen_ = true;
    return Fail(ErrorCode::kUnknownOutcome, failed.error().message);
  }
  store_->MakeDurable();
  return {};
}

Result<StoreState> MemoryBackend::State() {
  return store_->State();
}

Status MemoryBackend::CheckAlone() {
  if (store_->HasForeignCommit()) {
    return Fail(ErrorCode::kForeignWrite, "another process has committed to the store");
  }
  return {};
}

Status MemoryBackend::AcceptForeign() {
  store_->AcceptForeign();
  return {};
}

Status MemoryBackend::Reopen() {
  needs_reopen_ = false;
  return {};
}

Status MemoryBackend::Reset() {
  store_->Clear();
  needs_reopen_ = false;
  return {};
}

Status MemoryBackend::Detach() {
  store_->AcceptForeign();
  store_->Commit({}, StoreState{});
  store_->MakeDurable();
  return {};
}

Result<std::unique_ptr<ReadView>> MemoryBackend::NewReadView() {
  return std::unique_ptr<ReadView>(std::make_unique<MemoryReadView>(store_, prefix_ + ".read"));
}

BackendStats MemoryBackend::Stats() {
  BackendStats stats;
  const auto newest = store_->Newest();
  for (const auto& named : newest->collections) {
    for (const auto& record : *named.second) {
      stats.file_bytes += record.first.size() + record.second.size();
    }
  }
  return stats;
}

}  // namespace switchback
