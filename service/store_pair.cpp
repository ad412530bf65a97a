#include "service/store_pair.hpp"

#include <algorithm>
#include <set>

#include "common/check.hpp"

namespace switchback {
namespace {

tl::unexpected<Error> FailMovedOn(std::uint64_t sequence) {
  return Fail(ErrorCode::kBusy, "batch " + std::to_string(sequence) +
                                    " has left the log while the stores were compared");
}

}  // namespace

StorePair::StorePair(FillAccess& access, StorePairOptions options)
    : access_(access), options_(options), overlay_(options.overlay_bytes_max) {}

Status StorePair::Begin(const Filter& is_needed) {
  SB_CHECK(!is_active_, "a pair has one pair of snapshots at a time");
  Status opened = Open(is_needed);
  is_active_ = true;
  if (!opened) End();
  return opened;
}

void StorePair::End() noexcept {
  if (!is_active_) return;
  for (auto& view : views_) {
    if (view) view->End();
  }
  overlay_.Reset();
  behind_.reset();
  is_active_ = false;
}

Status StorePair::Open(const Filter& is_needed) {
  const auto legacy = OpenView(Role::kLegacy);
  if (!legacy) return Fail(WithContext(legacy.error(), "legacy store"));
  const auto unified = OpenView(Role::kUnified);
  if (!unified) return Fail(WithContext(unified.error(), "unified store"));
  SB_RETURN_IF_ERROR(CheckStates(*legacy, *unified));
  const std::uint64_t at_legacy = legacy->applied_sequence;
  const std::uint64_t at_unified = unified->applied_sequence;
  sequence_ = std::max(at_legacy, at_unified);
  if (at_legacy != at_unified) {
    behind_ = at_legacy < at_unified ? Role::kLegacy : Role::kUnified;
    SB_RETURN_IF_ERROR(ReadOverlay(std::min(at_legacy, at_unified), sequence_, is_needed));
  }
  overlay_.Finish();
  return {};
}

Result<StoreState> StorePair::OpenView(Role role) {
  auto& view = views_[Index(role)];
  if (!view) {
    auto made = access_.NewStoreView(role);
    if (!made) return Fail(made.error());
    view = *std::move(made);
  }
  SB_RETURN_IF_ERROR(view->Begin());
  return view->State();
}

Status StorePair::CheckStates(const StoreState& legacy, const StoreState& unified) {
  if (legacy.is_filling || unified.is_filling) {
    return Fail(ErrorCode::kRefused,
                std::string(RoleName(legacy.is_filling ? Role::kLegacy : Role::kUnified)) +
                    " is being filled: it can be compared once that is done");
  }
  if (legacy.log_id.empty() || legacy.log_id != unified.log_id || legacy.epoch != unified.epoch) {
    return Fail(ErrorCode::kRefused,
                "the stores do not follow the same commit log: fill unified first, with "
                "`switchback migrate start`");
  }
  return {};
}

Status StorePair::ReadOverlay(std::uint64_t after, std::uint64_t last, const Filter& is_needed) {
  auto log = access_.ReadLog(after);
  if (!log && log.error().code == ErrorCode::kNotFound) return FailMovedOn(after + 1);
  if (!log) return Fail(log.error());
  std::size_t log_bytes = 0;
  for (std::uint64_t reached = after; reached < last; ++reached) {
    const auto batch = (*log)->Next(last);
    if (!batch && batch.error().code == ErrorCode::kNotFound) return FailMovedOn(reached + 1);
    if (!batch) return Fail(batch.error());
    if (!batch->has_value() || (*batch)->sequence != reached + 1) return FailMovedOn(reached + 1);
    SB_RETURN_IF_ERROR(AddBatch(**batch, is_needed, log_bytes));
  }
  return {};
}

Status StorePair::AddBatch(const LogBatch& batch, const Filter& is_needed, std::size_t& log_bytes) {
  for (const Effect& effect : batch.effects) {
    log_bytes += effect.key.size() + effect.value.size();
    const bool is_taken = effect.kind == EffectKind::kClear || !is_needed || is_needed(effect);
    if (log_bytes > options_.log_bytes_max || (is_taken && !overlay_.Add(effect))) {
      return Fail(ErrorCode::kBusy, std::string(RoleName(*behind_)) +
                                        " is too far behind for the stores to be compared");
    }
  }
  return {};
}

const LogOverlay::Part* StorePair::OverlayOf(Role role, const Collection& collection) const {
  SB_CHECK(is_active_, "reads need snapshots");
  return behind_ == role ? overlay_.Find(collection) : nullptr;
}

Result<std::optional<ValueDigest>> StorePair::GetDigest(Role role, const Collection& collection,
                                                        std::string_view key) {
  if (const LogOverlay::Part* part = OverlayOf(role, collection); part != nullptr) {
    if (const LogOverlay::Entry* entry = part->Find(key); entry != nullptr)
      return entry->is_put ? std::optional(entry->digest) : std::nullopt;
    if (part->is_cleared) return std::optional<ValueDigest>{};
  }
  const auto value = view(role).Get(collection, key);
  if (!value) return Fail(WithContext(value.error(), RoleName(role)));
  return *value ? std::optional(DigestOf(**value)) : std::nullopt;
}

Result<DigestPair> StorePair::GetDigests(const Collection& collection, std::string_view key) {
  const auto legacy = GetDigest(Role::kLegacy, collection, key);
  if (!legacy) return Fail(legacy.error());
  const auto unified = GetDigest(Role::kUnified, collection, key);
  if (!unified) return Fail(unified.error());
  return DigestPair{*legacy, *unified};
}

Result<std::vector<std::string>> StorePair::CollectionNames() {
  std::set<std::string> names;
  for (const Role role : kRoles) {
    auto own = view(role).CollectionNames();
    if (!own) return Fail(WithContext(own.error(), RoleName(role)));
    names.insert(own->begin(), own->end());
  }
  std::erase_if(names, [](const std::string& name) { return name.starts_with(kReservedName); });
  return std::vector<std::string>(names.begin(), names.end());
}

}  // namespace switchback
