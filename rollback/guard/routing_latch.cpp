#include "rollback/guard/routing_latch.hpp"

#include <nlohmann/json.hpp>
#include <utility>

#include "common/failpoint.hpp"
#include "common/file.hpp"
#include "common/log.hpp"
#include "migration/journal.hpp"
#include "rollback/guard/guard_json.hpp"

namespace switchback {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kFileBytesMax = 1u << 20;

std::string Describe(const Latched& latched) {
  return latched.cause + " " + std::to_string(latched.id) + ": " + latched.reason;
}

// nullopt: it is not one.
std::optional<Latched> FromJson(const Json& json) {
  if (!json.is_object()) return std::nullopt;
  const auto text = [&](const char* name) {
    const auto found = json.find(name);
    return found != json.end() && found->is_string() ? found->get<std::string>() : "";
  };
  const Json id = json.value("id", Json());
  if (!id.is_number_unsigned() || text("cause").empty()) return std::nullopt;
  return Latched{id.get<std::uint64_t>(), text("cause"), text("time"), text("reason"),
                 json.value("detail", Json::object()).dump()};
}

}  // namespace

std::unique_ptr<RoutingLatch> RoutingLatch::Open(const std::string& path, DbService& service,
                                                 const Clock& clock) {
  std::unique_ptr<RoutingLatch> latch(new RoutingLatch(path, service, clock));
  latch->Load();
  return latch;
}

void RoutingLatch::Load() {
  const auto content = ReadWholeFile(path_, kFileBytesMax);
  if (!content && content.error().code == ErrorCode::kNotFound) return;
  MutexLock lock(mutex_);
  const Json json = content ? Json::parse(*content, nullptr, false) : Json();
  const Json last = json.is_object() ? json.value("last_id", Json()) : Json();
  if (!last.is_number_unsigned()) {
    latched_ =
        Latched{last_id_ = 1, kLatchByGuard, FormatUtc(clock_.WallNow()),
                path_ + " cannot be read, so nobody knows whether the guard had tripped", "{}"};
  } else {
    last_id_ = last.get<std::uint64_t>();
    latched_ = FromJson(json.value("engaged", Json()));
  }
  if (!latched_) return;
  service_.HoldRouting(Describe(*latched_));
  LogWarning("every key goes to legacy whatever the flags say: {}", Describe(*latched_));
}

Status RoutingLatch::Store() {
  SB_RETURN_IF_ERROR(Failpoint("latch.store"));
  const Json json{{"last_id", last_id_}, {"engaged", latched_ ? LatchedJson(*latched_) : Json()}};
  return WriteFileAtomically(
      path_, json.dump(2, ' ', false, nlohmann::detail::error_handler_t::replace) + "\n");
}

Result<Latched> RoutingLatch::Engage(const std::string& cause, const std::string& reason,
                                     const std::string& detail) {
  MutexLock lock(mutex_);
  if (latched_ && cause == kLatchByOperator) return *latched_;
  latched_ = Latched{++last_id_, cause, FormatUtc(clock_.WallNow()), reason, detail};
  service_.HoldRouting(Describe(*latched_));
  LogWarning("every key goes to legacy from now on: {}", Describe(*latched_));
  if (auto stored = Store(); !stored) return Fail(WithContext(stored.error(), path_));
  return *latched_;
}

Status RoutingLatch::Release(std::uint64_t id) {
  MutexLock lock(mutex_);
  if (!latched_) return Fail(ErrorCode::kNotFound, "nothing keeps the flags from counting");
  if (latched_->id != id)
    return Fail(ErrorCode::kNotFound, "it is number " + std::to_string(latched_->id) +
                                          " that keeps the flags from counting, not " +
                                          std::to_string(id));
  auto before = std::exchange(latched_, std::nullopt);
  if (auto stored = Store(); !stored) {
    latched_ = std::move(before);
    return Fail(WithContext(stored.error(), path_));
  }
  service_.HoldRouting("");
  LogInfo("the flags count again: {} was let go", Describe(*before));
  return {};
}

std::optional<Latched> RoutingLatch::Current() const {
  MutexLock lock(mutex_);
  return latched_;
}

}  // namespace switchback
