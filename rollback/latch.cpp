#include "rollback/latch.hpp"

#include <nlohmann/json.hpp>
#include <utility>

#include "common/failpoint.hpp"
#include "common/log.hpp"
#include "migration/utc.hpp"
#include "rollback/guard/guard_json.hpp"

namespace switchback {
namespace {

using Json = nlohmann::ordered_json;

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

std::unique_ptr<Latch> Latch::Open(LatchOptions options, const Clock& clock) {
  std::unique_ptr<Latch> latch(new Latch(std::move(options), clock));
  latch->Load();
  return latch;
}

void Latch::Load() {
  const auto content = file_.Read();
  MutexLock lock(mutex_);
  if (content && !*content) {
    // So that it has its space before it is in a hurry.
    if (auto stored = Store(); !stored) LogWarning("{}: {}", file_.path(), stored.error().message);
    return;
  }
  const Json json = content ? **content : Json::object();
  const Json last = json.value("last_id", Json());
  if (!last.is_number_unsigned()) {
    latched_ = Latched{last_id_ = 1, kLatchByGuard, FormatUtc(clock_.WallNow()),
                       file_.path() + " cannot be read, so nobody knows what it held", "{}"};
  } else {
    last_id_ = last.get<std::uint64_t>();
    latched_ = FromJson(json.value("engaged", Json()));
  }
  if (!latched_) return;
  options_.hold(Describe(*latched_));
  LogWarning("{}: {}", options_.effect, Describe(*latched_));
}

Status Latch::Store() {
  SB_RETURN_IF_ERROR(Failpoint("latch.store"));
  return file_.Write(
      {{"last_id", last_id_}, {"engaged", latched_ ? LatchedJson(*latched_) : Json()}});
}

Result<Latched> Latch::Engage(const std::string& cause, const std::string& reason,
                              const std::string& detail) {
  MutexLock lock(mutex_);
  if (latched_ && cause == kLatchByOperator) return *latched_;
  latched_ = Latched{++last_id_, cause, FormatUtc(clock_.WallNow()), reason, detail};
  options_.hold(Describe(*latched_));
  LogWarning("from now on {}: {}", options_.effect, Describe(*latched_));
  if (auto stored = Store(); !stored) return Fail(WithContext(stored.error(), file_.path()));
  return *latched_;
}

Status Latch::Release(std::uint64_t id) {
  MutexLock lock(mutex_);
  if (!latched_) return Fail(ErrorCode::kNotFound, "nothing is held back");
  if (latched_->id != id)
    return Fail(ErrorCode::kNotFound, "what holds now is number " + std::to_string(latched_->id) +
                                          ", not " + std::to_string(id));
  auto before = std::exchange(latched_, std::nullopt);
  if (auto stored = Store(); !stored) {
    latched_ = std::move(before);
    return Fail(WithContext(stored.error(), file_.path()));
  }
  options_.hold("");
  LogInfo("no longer so: {}: {} was let go", options_.effect, Describe(*before));
  return {};
}

std::optional<Latched> Latch::Current() const {
  MutexLock lock(mutex_);
  return latched_;
}

}  // namespace switchback
