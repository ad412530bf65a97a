#include "rollback/recovery_validation.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <random>

#include "service/store_pair.hpp"

namespace switchback {
namespace {

// A key that no client has.
std::string ProbeKey() {
  std::random_device random;
  return fmt::format("switchback-probe-{:08x}{:08x}", random(), random());
}

class Validation {
 public:
  Validation(DbService& service, const Clock& clock, const ValidationLimits& limits)
      : service_(service), clock_(clock), limits_(limits), session_(service.NewSession()) {}

  ValidationResult Run() {
    const SteadyTime begun = clock_.Now();
    const std::uint64_t memory = Memory();
    Check("scan", [this] { return SampleKeys(); });
    Check("reads", [this] { return ReadSample(); });
    Check("write", [this] { return WriteAndDelete(); });
    Check("stores", [this] { return CompareSample(); });
    Check("latency", [this] { return CheckLatency(); });
    if (limits_.memory_bytes) Check("memory", [&] { return CheckMemory(memory); });
    result_.milliseconds = std::chrono::duration<double, std::milli>(clock_.Now() - begun).count();
    return std::move(result_);
  }

 private:
  struct Sampled {
    const Collection* collection;
    std::string key;
  };

  template <class Work>
  void Check(const char* name, const Work& work) {
    const Result<std::string> done = work();
    session_->EndTurn();
    result_.checks.push_back({name, done.has_value(), done ? *done : done.error().message,
                              !done && IsCritical(name, done.error().code)});
  }
  // Stores that differ are not: legacy answers, and unified is what one has left. A full disk or a
  // busy server mends itself.
  static bool IsCritical(std::string_view check, ErrorCode code) {
    const bool is_public_path = check == "scan" || check == "reads" || check == "write";
    return is_public_path && (code == ErrorCode::kCorruption || code == ErrorCode::kUnavailable ||
                              code == ErrorCode::kInternal);
  }
  [[nodiscard]] std::uint64_t Memory() const {
    return limits_.memory_bytes ? limits_.memory_bytes() : 0;
  }

  // The first keys of each collection.
  Result<std::string> SampleKeys() {
    const auto names = service_.CollectionNames();
    if (!names) return Fail(names.error());
    if (names->empty()) return std::string("there are no records");
    const std::size_t each = std::max<std::size_t>(1, limits_.sample_count / names->size());
    for (const std::string& name : *names) {
      const auto collection = service_.catalog().Intern(name);
      if (!collection) return Fail(collection.error());
      std::size_t taken = 0;
      SB_RETURN_IF_ERROR(
          session_->Scan(**collection, "", [&](std::string_view key, std::string_view) {
            sample_.push_back({*collection, std::string(key)});
            return ++taken < each && sample_.size() < limits_.sample_count;
          }));
      session_->EndTurn();
    }
    return fmt::format("{} records of {} collections", sample_.size(), names->size());
  }

  Result<std::string> ReadSample() {
    for (const Sampled& sampled : sample_) {
      const SteadyTime begun = clock_.Now();
      const auto value = session_->Get(*sampled.collection, sampled.key);
      session_->EndTurn();
      if (!value) return Fail(value.error());
      read_ns_.push_back(std::chrono::nanoseconds(clock_.Now() - begun).count());
    }
    return fmt::format("{} records", sample_.size());
  }

  // In one batch, so that no client ever sees the record.
  Result<std::string> WriteAndDelete() {
    const auto names = service_.CollectionNames();
    if (!names) return Fail(names.error());
    const auto collection = service_.catalog().Intern(names->empty() ? "default" : names->front());
    if (!collection) return Fail(collection.error());
    const std::string key = ProbeKey();
    const auto write = [&](Transaction& transaction) -> Status {
      SB_RETURN_IF_ERROR(transaction.Put(**collection, key, "probe"));
      const auto written = transaction.Get(**collection, key);
      if (!written) return Fail(written.error());
      if (*written != "probe")
        return Fail(ErrorCode::kCorruption, "what was written reads back as something else");
      return transaction.Delete(**collection, key);
    };
    const Status written = service_.Write(write);
    if (!written && written.error().code == ErrorCode::kReadOnly)
      return "not tried: " + written.error().message;
    if (!written) return Fail(written.error());
    const auto left = session_->Get(**collection, key);
    if (!left) return Fail(left.error());
    if (left->has_value()) return Fail(ErrorCode::kCorruption, "what was deleted is still there");
    return std::string("written, read and deleted in one batch");
  }

  Result<std::string> CompareSample() {
    const ServiceStatus status = service_.GetStatus();
    for (const Role role : kRoles) {
      const FollowerState state = status.followers[Index(role)].state;
      if (state != FollowerState::kInSync && state != FollowerState::kCatchingUp)
        return fmt::format("not compared: {} is {}", RoleName(role), FollowerStateName(state));
    }
    StorePair pair(service_.fill_access());
    if (auto begun = pair.Begin(); !begun) {
      if (begun.error().code == ErrorCode::kBusy) return "not compared: " + begun.error().message;
      return Fail(begun.error());
    }
    std::size_t compared = 0;
    for (const Sampled& sampled : sample_) {
      if (!sampled.collection->IsHeldBy(Index(Role::kUnified))) continue;
      const auto digests = pair.GetDigests(*sampled.collection, sampled.key);
      if (!digests) return Fail(digests.error());
      if (!digests->is_equal())
        return Fail(ErrorCode::kCorruption,
                    "a record of " + sampled.collection->name +
                        " differs between the stores: `switchback verify start` names all that do");
      ++compared;
    }
    return fmt::format("{} records are equal at batch {}", compared, pair.sequence());
  }

  Result<std::string> CheckLatency() {
    if (read_ns_.empty()) return std::string("nothing was read");
    std::sort(read_ns_.begin(), read_ns_.end());
    const auto p99 = std::chrono::nanoseconds(read_ns_[read_ns_.size() * 99 / 100]);
    const auto text =
        fmt::format("p99 of {} reads: {:.0f} us (limit {} us)", read_ns_.size(),
                    static_cast<double>(p99.count()) / 1e3, limits_.read_p99_max.count());
    if (p99 > limits_.read_p99_max) return Fail(ErrorCode::kBusy, text);
    return text;
  }

  Result<std::string> CheckMemory(std::uint64_t before) {
    const std::uint64_t now = Memory();
    const std::uint64_t grown = now > before ? now - before : 0;
    const auto text =
        fmt::format("{} MiB, {} MiB more than before the checks", now >> 20, grown >> 20);
    if (grown > limits_.memory_growth_max) return Fail(ErrorCode::kNoSpace, text);
    return text;
  }

  DbService& service_;
  const Clock& clock_;
  const ValidationLimits& limits_;
  const std::unique_ptr<Session> session_;
  ValidationResult result_;
  std::vector<Sampled> sample_;
  std::vector<std::int64_t> read_ns_;
};

}  // namespace

bool ValidationResult::is_passed() const {
  return std::all_of(checks.begin(), checks.end(),
                     [](const ValidationCheck& check) { return check.is_passed; });
}

std::string ValidationResult::Critical() const {
  std::string text;
  for (const ValidationCheck& check : checks) {
    if (check.is_critical) text += (text.empty() ? "" : "; ") + check.name + ": " + check.detail;
  }
  return text;
}

ValidationResult ValidateRecovery(DbService& service, const Clock& clock,
                                  const ValidationLimits& limits) {
  return Validation(service, clock, limits).Run();
}

}  // namespace switchback
