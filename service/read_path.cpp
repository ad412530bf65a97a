#include "service/read_path.hpp"

#include <chrono>
#include <set>

#include "common/check.hpp"

namespace switchback {
namespace {

using SteadyClock = std::chrono::steady_clock;

// Merges the memtable over the store in key order. `cursor` is nullptr-free: an invalid cursor adds
// nothing.
Status MergeScan(ReadView* store, const Collection& collection, std::string_view from,
                 Memtable::Cursor& cursor, const RecordReader::Visitor& visit) {
  bool is_stopped = false;
  const auto emit_memtable_below = [&](std::optional<std::string_view> bound) {
    while (!is_stopped && cursor.is_valid() && (!bound || cursor.key() < *bound)) {
      if (cursor.entry().is_put) is_stopped = !visit(cursor.key(), cursor.entry().value);
      cursor.Next();
    }
  };
  if (store != nullptr) {
    SB_RETURN_IF_ERROR(
        store->Scan(collection, from, [&](std::string_view key, std::string_view value) {
          emit_memtable_below(key);
          if (is_stopped) return false;
          if (cursor.is_valid() && cursor.key() == key) {  // the memtable's word is newer
            if (cursor.entry().is_put) is_stopped = !visit(key, cursor.entry().value);
            cursor.Next();
          } else {
            is_stopped = !visit(key, value);
          }
          return !is_stopped;
        }));
  }
  emit_memtable_below(std::nullopt);
  return {};
}

}  // namespace

ReadPath::ReadPath(const ReadContext& context)
    : context_(context),
      router_(context.flags, context.refused_load),
      metrics_(context.metrics.NewBlock()) {}

void ReadPath::EndTurn() noexcept {
  for (const Role role : kRoles) {
    if (tags_[Index(role)] == kNoTag) continue;
    views_[Index(role)]->End();
    tags_[Index(role)] = kNoTag;
  }
}

void ReadPath::CountError(Role role, Operation operation) {
  MetricsBlock::Add(metrics_->Of(role, operation).errors);
  if (views_[Index(role)]) views_[Index(role)]->End();
  tags_[Index(role)] = kNoTag;
}

Result<Role> ReadPath::ServingLocked(Role desired) const {
  const auto role = ServingRole(desired, context_.memtable.IsCovered(desired),
                                context_.memtable.IsCovered(Other(desired)));
  if (!role)
    return Fail(ErrorCode::kUnavailable,
                "no store is in sync: see `switchback status` for what is missing");
  return *role;
}

Result<Role> ReadPath::Serving(Role desired) {
  SharedLock lock(context_.memtable.mutex());
  return ServingLocked(desired);
}

Status ReadPath::OpenView(Role role, std::uint64_t tag) {
  auto& view = views_[Index(role)];
  if (!view) {
    auto made = context_.backends[Index(role)]->NewReadView();
    if (!made) return Fail(made.error());
    view = *std::move(made);
  }
  view->End();
  tags_[Index(role)] = kNoTag;
  SB_RETURN_IF_ERROR(view->Begin());
  tags_[Index(role)] = tag;
  return {};
}

Status ReadPath::Refresh(Role role) {
  const std::uint64_t tag = Memtable::SnapshotTag(context_.memtable.version());
  return tags_[Index(role)] == tag ? Status{} : OpenView(role, tag);
}

Result<std::optional<std::string_view>> ReadPath::Get(const Collection& collection,
                                                      std::string_view key) {
  const auto start = SteadyClock::now();
  const Role role = router_.Route(key);
  const std::uint64_t version = context_.memtable.version();
  if (Memtable::IsEmpty(version) && tags_[Index(role)] == Memtable::SnapshotTag(version))
      [[likely]] {
    auto value = views_[Index(role)]->Get(collection, key);
    if (value) [[likely]] {
      metrics_->Of(role, Operation::kGet).latency.Record(SteadyClock::now() - start);
      return value;
    }
    CountError(role, Operation::kGet);
  }
  auto value = GetSlow(collection, key, role);
  metrics_->Of(role, Operation::kGet).latency.Record(SteadyClock::now() - start);
  return value;
}

Result<std::optional<std::string_view>> ReadPath::GetSlow(const Collection& collection,
                                                          std::string_view key, Role desired) {
  Error last_error{ErrorCode::kUnavailable, ""};
  for (std::size_t attempt = 0; attempt < 2 * kRoleCount; ++attempt) {
    Role role = desired;
    std::uint64_t tag = 0;
    {
      SharedLock lock(context_.memtable.mutex());
      auto serving = ServingLocked(desired);
      if (!serving) return Fail(attempt == 0 ? serving.error() : last_error);
      role = *serving;
      std::string_view found;
      const Memtable::Found state = context_.memtable.Find(collection, key, found);
      if (state != Memtable::Found::kNothing) {
        MetricsBlock::Add(metrics_->memtable_hits);
        if (state == Memtable::Found::kAbsent) return std::optional<std::string_view>{};
        value_.assign(found);
        return std::optional<std::string_view>(value_);
      }
      tag = Memtable::SnapshotTag(context_.memtable.version());
    }
    // Not in the memtable then: a snapshot opened after that moment holds the key's last write, or
    // a newer one.
    Status opened = tags_[Index(role)] == tag ? Status{} : OpenView(role, tag);
    if (opened && !IsFresh(role) && attempt + 1 < 2 * kRoleCount) {
      // Something left, or a store left service, while it opened. Most likely harmless; looking
      // again is cheap.
      continue;
    }
    if (opened) {
      auto value = views_[Index(role)]->Get(collection, key);
      if (value) {
        if (role != desired) MetricsBlock::Add(metrics_->failovers);
        return value;
      }
      last_error = value.error();
    } else {
      last_error = opened.error();
    }
    CountError(role, Operation::kGet);
    desired = Other(role);
  }
  return Fail(last_error);
}

template <class T, class Attempt>
Result<T> ReadPath::WithFailover(Operation operation, std::string_view key,
                                 const Attempt& attempt) {
  const auto start = SteadyClock::now();
  const Role desired = router_.Route(key);
  auto serving = Serving(desired);
  if (!serving) return Fail(serving.error());
  Role role = *serving;
  Result<T> result = attempt(role);
  if (!result && result.error().code != ErrorCode::kCancelled) {
    CountError(role, operation);
    auto other = Serving(Other(role));
    if (other && *other != role) {
      MetricsBlock::Add(metrics_->failovers);
      role = *other;
      result = attempt(role);
      if (!result) CountError(role, operation);
    }
  }
  metrics_->Of(role, operation).latency.Record(SteadyClock::now() - start);
  return result;
}

Result<std::vector<std::optional<std::string>>> ReadPath::MultiGet(
    const Collection& collection, std::span<const std::string_view> keys) {
  const auto start = SteadyClock::now();
  const Role counted = keys.empty() ? Role::kLegacy : router_.Route(keys.front());
  auto values = TryMultiGet(collection, keys, std::nullopt);
  for (const Role role :
       kRoles) {  // I6: whichever store failed, the other one answers for all keys
    if (values || values.error().code == ErrorCode::kUnavailable) break;
    MetricsBlock::Add(metrics_->failovers);
    values = TryMultiGet(collection, keys, role);
  }
  metrics_->Of(counted, Operation::kMultiGet).latency.Record(SteadyClock::now() - start);
  return values;
}

Result<std::vector<std::optional<std::string>>> ReadPath::TryMultiGet(
    const Collection& collection, std::span<const std::string_view> keys,
    std::optional<Role> avoided) {
  std::vector<std::optional<std::string>> values(keys.size());
  std::vector<std::pair<std::size_t, Role>> missing;  // to be read from the snapshots
  for (int attempt = 0;; ++attempt) {
    std::array<bool, kRoleCount> is_wanted{};
    bool is_stale = false;
    missing.clear();
    {
      SharedLock lock(context_.memtable.mutex());
      for (std::size_t i = 0; i < keys.size(); ++i) {
        const Role desired = router_.Route(keys[i]);
        auto role = ServingLocked(avoided == desired ? Other(desired) : desired);
        if (!role) return Fail(role.error());
        std::string_view found;
        const Memtable::Found state = context_.memtable.Find(collection, keys[i], found);
        values[i] =
            state == Memtable::Found::kPut ? std::optional<std::string>(found) : std::nullopt;
        if (state != Memtable::Found::kNothing) continue;
        missing.emplace_back(i, *role);
        is_wanted[Index(*role)] = true;
      }
      for (const Role role : kRoles) {
        if (!is_wanted[Index(role)] || IsFresh(role)) continue;
        if (attempt < kOptimisticOpens) {
          is_stale = true;
        } else if (auto opened = OpenView(role, Memtable::SnapshotTag(context_.memtable.version()));
                   !opened) {
          return Fail(opened.error());
        }
      }
    }
    if (!is_stale) break;
    for (const Role role : kRoles) {
      if (is_wanted[Index(role)]) SB_RETURN_IF_ERROR(Refresh(role));
    }
  }
  for (const auto& [position, role] : missing) {
    auto value = views_[Index(role)]->Get(collection, keys[position]);
    if (!value) {
      CountError(role, Operation::kMultiGet);
      return Fail(value.error());
    }
    if (*value) values[position] = std::string(**value);
  }
  return values;
}

Status ReadPath::Scan(const Collection& collection, std::string_view from, const Visitor& visit) {
  bool has_visited = false;
  return WithFailover<void>(
      Operation::kScan, from.empty() ? std::string_view(collection.name) : from, [&](Role role) {
        Status scanned = TryScan(collection, from, visit, role, has_visited);
        // What the visitor has seen cannot be taken back: no second attempt.
        if (!scanned && has_visited)
          return Status(Fail(ErrorCode::kCancelled, scanned.error().message));
        return scanned;
      });
}

Status ReadPath::TryScan(const Collection& collection, std::string_view from, const Visitor& visit,
                         Role role, bool& has_visited) {
  const Visitor counted = [&](std::string_view key, std::string_view value) {
    has_visited = true;
    return visit(key, value);
  };
  for (int attempt = 0;; ++attempt) {
    if (attempt < kOptimisticOpens) SB_RETURN_IF_ERROR(Refresh(role));
    SharedLock lock(context_.memtable.mutex());
    if (!IsFresh(role)) {
      if (attempt < kOptimisticOpens) continue;
      SB_RETURN_IF_ERROR(OpenView(role, Memtable::SnapshotTag(context_.memtable.version())));
    }
    Memtable::Cursor cursor = context_.memtable.Seek(collection, from);
    ReadView* store = cursor.is_store_hidden() ? nullptr : views_[Index(role)].get();
    return MergeScan(store, collection, from, cursor, counted);
  }
}

Result<std::uint64_t> ReadPath::Count(const Collection& collection) {
  return WithFailover<std::uint64_t>(Operation::kScan, collection.name,
                                     [&](Role role) { return TryCount(collection, role); });
}

Result<std::uint64_t> ReadPath::TryCount(const Collection& collection, Role role) {
  std::vector<std::pair<std::string, bool>> overlay;  // key, is it a put
  bool is_store_hidden = false;
  for (int attempt = 0;; ++attempt) {
    if (attempt < kOptimisticOpens) SB_RETURN_IF_ERROR(Refresh(role));
    SharedLock lock(context_.memtable.mutex());
    if (!IsFresh(role)) {
      if (attempt < kOptimisticOpens) continue;
      SB_RETURN_IF_ERROR(OpenView(role, Memtable::SnapshotTag(context_.memtable.version())));
    }
    Memtable::Cursor cursor = context_.memtable.Seek(collection, "");
    is_store_hidden = cursor.is_store_hidden();
    for (; cursor.is_valid(); cursor.Next())
      overlay.emplace_back(cursor.key(), cursor.entry().is_put);
    break;
  }
  ReadView& store = *views_[Index(role)];
  std::uint64_t count = 0;
  if (!is_store_hidden) {
    auto stored = store.Count(collection);
    if (!stored) return stored;
    count = *stored;
  }
  for (const auto& [key, is_put] : overlay) {
    bool is_stored = false;
    if (!is_store_hidden) {
      auto value = store.Get(collection, key);
      if (!value) return Fail(value.error());
      is_stored = value->has_value();
    }
    if (is_put && !is_stored) ++count;
    if (!is_put && is_stored) --count;
  }
  return count;
}

Result<std::vector<std::string>> ReadPath::CollectionNames() {
  return WithFailover<std::vector<std::string>>(
      Operation::kScan, "", [&](Role role) -> Result<std::vector<std::string>> {
        SB_RETURN_IF_ERROR(Refresh(role));
        auto stored = views_[Index(role)]->CollectionNames();
        if (!stored) return stored;
        std::set<std::string> names(stored->begin(), stored->end());
        SharedLock lock(context_.memtable.mutex());
        for (const Collection* collection : context_.memtable.TouchedCollections())
          names.insert(collection->name);
        return std::vector<std::string>(names.begin(), names.end());
      });
}

}  // namespace switchback
