#include "rollback/epochs.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "common/file.hpp"
#include "common/log.hpp"

namespace switchback {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kFileBytesMax = 1u << 20;
constexpr std::size_t kOriginCountMax = 1000;

std::int64_t Microseconds(WallTime time) {
  return std::chrono::duration_cast<std::chrono::microseconds>(time.time_since_epoch()).count();
}

Json ToJson(const EpochOrigin& origin) {
  return {{"epoch", origin.epoch},
          {"from_epoch", origin.from.epoch},
          {"from_sequence", origin.from.sequence},
          {"begins_after", origin.begins_after ? Json(*origin.begins_after) : Json()},
          {"at_us", Microseconds(origin.at)}};
}

std::optional<EpochOrigin> FromJson(const Json& json) {
  const auto number = [&](const char* name) -> std::optional<std::uint64_t> {
    const auto found = json.is_object() ? json.find(name) : json.end();
    if (!json.is_object() || found == json.end() || !found->is_number_unsigned())
      return std::nullopt;
    return found->get<std::uint64_t>();
  };
  const auto epoch = number("epoch");
  const auto from_epoch = number("from_epoch");
  const auto from_sequence = number("from_sequence");
  const auto at = number("at_us");
  if (!epoch || !from_epoch || !from_sequence || !at || *from_epoch >= *epoch) return std::nullopt;
  return EpochOrigin{*epoch,
                     {*from_epoch, *from_sequence},
                     number("begins_after"),
                     WallTime(std::chrono::microseconds(*at))};
}

}  // namespace

std::vector<EpochOrigin> EpochRecord::Load() const {
  std::vector<EpochOrigin> origins;
  const auto content = ReadWholeFile(path_, kFileBytesMax);
  if (!content) {
    if (content.error().code != ErrorCode::kNotFound)
      LogWarning("{}: {}", path_, content.error().message);
    return origins;
  }
  const Json json = Json::parse(*content, nullptr, false);
  for (const Json& each : json.is_array() ? json : Json::array()) {
    if (const auto origin = FromJson(each)) origins.push_back(*origin);
  }
  return origins;
}

Status EpochRecord::Note(const EpochOrigin& origin) const {
  std::vector<EpochOrigin> origins = Load();
  std::erase_if(origins, [&](const EpochOrigin& each) { return each.epoch == origin.epoch; });
  origins.push_back(origin);
  std::sort(origins.begin(), origins.end(),
            [](const EpochOrigin& a, const EpochOrigin& b) { return a.epoch < b.epoch; });
  if (origins.size() > kOriginCountMax) origins.erase(origins.begin());
  Json json = Json::array();
  for (const EpochOrigin& each : origins) json.push_back(ToJson(each));
  return WriteFileAtomically(path_, json.dump(1) + "\n");
}

Result<LogMoment> FindTime(const std::vector<LogPiece>& pieces,
                           const std::vector<EpochOrigin>& origins, WallTime time) {
  auto moment = FindTime(pieces, time);
  for (const EpochOrigin& origin : origins) {
    const bool is_later = !moment || origin.epoch > moment->epoch;
    if (origin.begins_after && origin.at <= time && is_later)
      moment = LogMoment{origin.epoch, *origin.begins_after};
  }
  return moment;
}

Result<EpochOrigin> OriginOf(const std::vector<EpochOrigin>& origins, const LogMoment& moment) {
  for (const EpochOrigin& origin : origins) {
    if (origin.epoch == moment.epoch && origin.begins_after && origin.from.epoch != 0)
      return origin;
  }
  return Fail(ErrorCode::kNotFound,
              fmt::format("no verified backup of epoch {} is at or before batch {}, and where that "
                          "epoch came from is not known",
                          moment.epoch, moment.sequence));
}

}  // namespace switchback
