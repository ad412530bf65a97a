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

tl::unexpected<Error> LeftService(Role role) {
  return Fail(ErrorCode::kUnavailable, std::string(RoleName(role)) + " store has left service");
}

}  // namespace

// A read of a store that is under way, for as long as it lives.
class ReadPath::ReadMark {
 public:
  ReadMark(MetricsBlock& metrics, Role role) : metrics_(metrics), role_(role) {
    metrics_.BeginRead(role, SteadyClock::now());
  }
  ~ReadMark() { metrics_.EndRead(role_); }
  ReadMark(const ReadMark&) = delete;
  ReadMark& operator=(const ReadMark&) = delete;

 private:
  MetricsBlock& metrics_;
  const Role role_;
};

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

void ReadPath::CountError(Role role, Operation operation, const Collection* collection,
                          std::string_view key, const Error& error) {
  if (!context_.gate.is_closed()) metrics_->CountError(collection, role, operation, key, error);
  if (views_[Index(role)]) views_[Index(role)]->End();
  tags_[Index(role)] = kNoTag;
}

template <class Attempt>
auto ReadPath::PastSwitches(const Attempt& attempt) {
  while (true) {
    const std::uint64_t openings = context_.gate.openings();
    auto result = attempt();
    if (result || result.error().code != ErrorCode::kUnavailable) return result;
    EndTurn();  // the switch waits for snapshots
    if (!context_.gate.WaitForOpening(openings)) return result;
  }
}

bool ReadPath::MayServe(Role role, const Collection* collection) const {
  if (collection == nullptr) return context_.memtable.IsCoveredWhole(role);
  return context_.memtable.IsCovered(role) && collection->IsHeldBy(Index(role));
}

Result<Role> ReadPath::ServingLocked(Role desired, const Collection* collection) const {
  const auto role =
      ServingRole(desired, MayServe(desired, collection), MayServe(Other(desired), collection));
  if (!role)
    return Fail(ErrorCode::kUnavailable,
                "no store is in sync: see `switchback status` for what is missing");
  return *role;
}

Result<Role> ReadPath::Serving(Role desired, const Collection* collection) {
  SharedLock lock(context_.memtable.mutex());
  return ServingLocked(desired, collection);
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

// The tag belongs to a moment at which the store was covered. Without that, a store that has just
// left service would get the tag of a memtable that no longer holds what the store lacks.
Status ReadPath::Refresh(Role role) {
  std::uint64_t tag = 0;
  {
    SharedLock lock(context_.memtable.mutex());
    if (!context_.memtable.IsCovered(role)) return LeftService(role);
    tag = Memtable::SnapshotTag(context_.memtable.version());
  }
  return tags_[Index(role)] == tag ? Status{} : OpenView(role, tag);
}

Result<bool> ReadPath::EnsureFresh(Role role, const Collection* collection, int attempt) {
  if (!MayServe(role, collection)) return LeftService(role);
  if (IsFresh(role)) return true;
  if (attempt < kOptimisticOpens) return false;
  SB_RETURN_IF_ERROR(OpenView(role, Memtable::SnapshotTag(context_.memtable.version())));
  return true;
}

Result<std::optional<std::string_view>> ReadPath::Get(const Collection& collection,
                                                      std::string_view key) {
  const auto start = SteadyClock::now();
  const Role role = Route(collection, key);
  if (context_.shadow != nullptr) context_.shadow->Offer(collection, key);
  const std::uint64_t version = context_.memtable.version();
  if (Memtable::IsEmpty(version) && tags_[Index(role)] == Memtable::SnapshotTag(version))
      [[likely]] {
    metrics_->BeginRead(role, start);
    auto value = views_[Index(role)]->Get(collection, key);
    metrics_->EndRead(role);
    if (value) [[likely]] {
      Record(collection, role, Operation::kGet, start);
      return value;
    }
    CountError(role, Operation::kGet, &collection, key, value.error());
    value = GetSlow(collection, key, Other(role), value.error());
    Record(collection, role, Operation::kGet, start);
    return value;
  }
  auto value = PastSwitches([&] { return GetSlow(collection, key, role, std::nullopt); });
  Record(collection, role, Operation::kGet, start);
  return value;
}

Result<std::optional<std::string_view>> ReadPath::GetSlow(const Collection& collection,
                                                          std::string_view key, Role desired,
                                                          std::optional<Error> last_error) {
  std::size_t failure_count = last_error ? 1 : 0;
  for (int opens = 0; failure_count < kRoleCount;) {
    Role role = desired;
    std::uint64_t tag = 0;
    Status opened;
    {
      SharedLock lock(context_.memtable.mutex());
      auto serving = ServingLocked(desired, &collection);
      if (!serving) return Fail(last_error ? *last_error : serving.error());
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
      if (opens >= kOptimisticOpens && !IsFresh(role)) opened = OpenView(role, tag);
    }
    if (opened && tags_[Index(role)] != tag) {
      opened = OpenView(role, tag);
      ++opens;
      // Something left, or a store left service, while it opened. Looking again is cheap.
      if (opened && !IsFresh(role)) continue;
    }
    if (opened) {
      const ReadMark mark(*metrics_, role);
      auto value = views_[Index(role)]->Get(collection, key);
      if (value) {
        if (last_error) MetricsBlock::Add(metrics_->failovers);
        return value;
      }
      last_error = value.error();
    } else {
      last_error = opened.error();
    }
    CountError(role, Operation::kGet, &collection, key, *last_error);
    ++failure_count;
    desired = Other(role);
  }
  return Fail(*last_error);
}

template <class T, class Attempt>
Result<T> ReadPath::WithFailover(Operation operation, const Collection* collection,
                                 std::string_view key, const Attempt& attempt) {
  const auto start = SteadyClock::now();
  auto first = Serving(router_.Route(collection, key), collection);
  if (!first) return Fail(first.error());
  bool may_retry = true;
  Result<T> result = attempt(*first, may_retry);
  if (!result) {
    CountError(*first, operation, collection, key, result.error());
    auto second = Serving(Other(*first), collection);
    if (may_retry && second && *second != *first) {
      result = attempt(*second, may_retry);
      if (result) {
        MetricsBlock::Add(metrics_->failovers);
      } else {
        CountError(*second, operation, collection, key, result.error());
      }
    }
  }
  // Counted where it was sent first, like its error: an error rate is errors by operations.
  metrics_->Of(collection, *first, operation).latency.Record(SteadyClock::now() - start);
  return result;
}

Result<std::vector<std::optional<std::string>>> ReadPath::MultiGet(
    const Collection& collection, std::span<const std::string_view> keys) {
  const auto start = SteadyClock::now();
  const Role counted = keys.empty() ? Role::kLegacy : Route(collection, keys.front());
  if (context_.shadow != nullptr) {
    for (const std::string_view key : keys) context_.shadow->Offer(collection, key);
  }
  auto values = PastSwitches([&] {
    std::optional<Role> failed;
    auto attempted = TryMultiGet(collection, keys, std::nullopt, failed);
    if (!attempted && failed) {  // I6: the other one answers for all keys
      attempted = TryMultiGet(collection, keys, *failed, failed);
      if (attempted) MetricsBlock::Add(metrics_->failovers);
    }
    return attempted;
  });
  Record(collection, counted, Operation::kMultiGet, start);
  return values;
}

Result<std::vector<std::optional<std::string>>> ReadPath::TryMultiGet(
    const Collection& collection, std::span<const std::string_view> keys,
    std::optional<Role> avoided, std::optional<Role>& failed) {
  const auto fail = [&](Role role, const Error& error) {
    CountError(role, Operation::kMultiGet, &collection, "", error);
    failed = role;
    return Fail(error);
  };
  std::vector<std::optional<std::string>> values(keys.size());
  std::vector<std::pair<std::size_t, Role>> missing;  // to be read from the snapshots
  for (int attempt = 0;; ++attempt) {
    std::array<bool, kRoleCount> is_wanted{};
    bool is_fresh = true;
    missing.clear();
    {
      SharedLock lock(context_.memtable.mutex());
      for (std::size_t i = 0; i < keys.size(); ++i) {
        const Role desired = Route(collection, keys[i]);
        auto role = ServingLocked(avoided == desired ? Other(desired) : desired, &collection);
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
        if (!is_wanted[Index(role)]) continue;
        auto fresh = EnsureFresh(role, &collection, attempt);
        if (!fresh) return fail(role, fresh.error());
        is_fresh = is_fresh && *fresh;
      }
    }
    if (is_fresh) break;
    for (const Role role : kRoles) {
      if (!is_wanted[Index(role)]) continue;
      if (auto refreshed = Refresh(role); !refreshed) return fail(role, refreshed.error());
    }
  }
  for (const auto& [position, role] : missing) {
    const ReadMark mark(*metrics_, role);
    auto value = views_[Index(role)]->Get(collection, keys[position]);
    if (!value) return fail(role, value.error());
    if (*value) values[position] = std::string(**value);
  }
  return values;
}

Result<StoredValue> ReadPath::GetStored(Role role, const Collection& collection,
                                        std::string_view key) {
  if (!collection.IsHeldBy(Index(role))) return StoredValue{};
  for (int attempt = 0;; ++attempt) {
    if (attempt < kOptimisticOpens) SB_RETURN_IF_ERROR(Refresh(role));
    SharedLock lock(context_.memtable.mutex());
    if (!MayServe(role, &collection)) return LeftService(role);
    std::string_view found;
    if (context_.memtable.Find(collection, key, found) != Memtable::Found::kNothing)
      return StoredValue{};
    auto fresh = EnsureFresh(role, &collection, attempt);
    if (!fresh) return Fail(fresh.error());
    if (*fresh) break;
  }
  auto value = views_[Index(role)]->Get(collection, key);
  if (!value) return Fail(value.error());
  return StoredValue{true, *value};
}

Status ReadPath::Scan(const Collection& collection, std::string_view from, const Visitor& visit) {
  return PastSwitches([&] {
    return WithFailover<void>(Operation::kScan, &collection,
                              from.empty() ? std::string_view(collection.name) : from,
                              [&](Role role, bool& may_retry) {
                                return TryScan(collection, from, visit, role, may_retry);
                              });
  });
}

Status ReadPath::TryScan(const Collection& collection, std::string_view from, const Visitor& visit,
                         Role role, bool& may_retry) {
  const Visitor counted = [&](std::string_view key, std::string_view value) {
    may_retry = false;  // what the visitor has seen cannot be taken back
    return visit(key, value);
  };
  for (int attempt = 0;; ++attempt) {
    if (attempt < kOptimisticOpens) SB_RETURN_IF_ERROR(Refresh(role));
    SharedLock lock(context_.memtable.mutex());
    auto fresh = EnsureFresh(role, &collection, attempt);
    if (!fresh) return Fail(fresh.error());
    if (!*fresh) continue;
    Memtable::Cursor cursor = context_.memtable.Seek(collection, from);
    ReadView* store = cursor.is_store_hidden() ? nullptr : views_[Index(role)].get();
    return MergeScan(store, collection, from, cursor, counted);
  }
}

Result<std::uint64_t> ReadPath::Count(const Collection& collection) {
  return PastSwitches([&] {
    return WithFailover<std::uint64_t>(
        Operation::kScan, &collection, collection.name,
        [&](Role role, bool&) { return TryCount(collection, role); });
  });
}

Result<std::uint64_t> ReadPath::TryCount(const Collection& collection, Role role) {
  std::vector<std::pair<std::string, bool>> overlay;  // key, is it a put
  bool is_store_hidden = false;
  for (int attempt = 0;; ++attempt) {
    if (attempt < kOptimisticOpens) SB_RETURN_IF_ERROR(Refresh(role));
    SharedLock lock(context_.memtable.mutex());
    auto fresh = EnsureFresh(role, &collection, attempt);
    if (!fresh) return Fail(fresh.error());
    if (!*fresh) continue;
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
  return PastSwitches([&] {
    return WithFailover<std::vector<std::string>>(
        Operation::kScan, nullptr, "", [&](Role role, bool&) { return TryCollectionNames(role); });
  });
}

Result<std::vector<std::string>> ReadPath::TryCollectionNames(Role role) {
  std::set<std::string> names;
  for (int attempt = 0;; ++attempt) {
    if (attempt < kOptimisticOpens) SB_RETURN_IF_ERROR(Refresh(role));
    SharedLock lock(context_.memtable.mutex());
    auto fresh = EnsureFresh(role, nullptr, attempt);
    if (!fresh) return Fail(fresh.error());
    if (!*fresh) continue;
    for (const Collection* collection : context_.memtable.TouchedCollections())
      names.insert(collection->name);
    break;
  }
  auto stored = views_[Index(role)]->CollectionNames();
  if (!stored) return stored;
  names.insert(stored->begin(), stored->end());
  return std::vector<std::string>(names.begin(), names.end());
}

}  // namespace switchback
