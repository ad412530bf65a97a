#include "rollback/backup_manifest.hpp"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "common/check.hpp"
#include "common/sha256.hpp"
#include "common/text.hpp"
#include "flags/strict_json.hpp"
#include "migration/journal.hpp"
#include "rollback/generation_layout.hpp"

namespace switchback {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::uint64_t kFormat = 1;
constexpr std::array<const char*, 7> kReasonNames{
    "manual",         "scheduled",       "before-migration", "before-schema-change",
    "before-restore", "before-rollback", "before-complete"};
static_assert(kReasonNames.size() ==
              std::size_t{1} + static_cast<std::size_t>(BackupReason::kBeforeComplete));

// Texts from elsewhere may hold anything: what is not UTF-8 is replaced.
std::string Dump(const Json& json, int indent) {
  return json.dump(indent, ' ', false, Json::error_handler_t::replace);
}

std::string Seal(const char* name, const Json& body) {
  const Json sealed{{name, body}, {"sha256", Sha256Hex(Dump(body, -1))}};
  return Dump(sealed, 1) + "\n";
}

tl::unexpected<Error> Damaged(const std::string& what) {
  return Fail(ErrorCode::kCorruption, "manifest: " + what);
}

// The same text comes out of what was read, or a bit of it is not what was written.
Result<Json> Unseal(const char* name, std::string_view text) {
  if (text.size() > kManifestBytesMax) return Damaged("too large");
  auto document = ParseStrictJson(text);
  if (!document) return Damaged(document.error().message);
  if (!document->is_object() || !document->contains(name)) return Damaged("not sealed");
  Json body = (*document)[name];
  if (Seal(name, body) != text) return Damaged("its own checksum does not fit");
  return body;
}

// Members of an object that may hold anything: a wrong type is noted, and read as nothing.
class Reader {
 public:
  explicit Reader(const Json& object) : object_(object) { is_ok_ = object.is_object(); }
  std::string Text(const char* name) {
    const Json* member = Member(name);
    if (member == nullptr || !member->is_string()) return Wrong<std::string>();
    return member->get<std::string>();
  }
  std::uint64_t Number(const char* name) {
    const Json* member = Member(name);
    if (member == nullptr || !member->is_number_unsigned()) return Wrong<std::uint64_t>();
    return member->get<std::uint64_t>();
  }
  double Real(const char* name) {
    const Json* member = Member(name);
    if (member == nullptr || !member->is_number()) return Wrong<double>();
    return member->get<double>();
  }
  bool Flag(const char* name) {
    const Json* member = Member(name);
    if (member == nullptr || !member->is_boolean()) return Wrong<bool>();
    return member->get<bool>();
  }
  Json Array(const char* name) {
    const Json* member = Member(name);
    if (member == nullptr || !member->is_array()) return Wrong<Json>();
    return *member;
  }
  Json Object(const char* name) {
    const Json* member = Member(name);
    if (member == nullptr || !member->is_object()) return Wrong<Json>();
    return *member;
  }
  [[nodiscard]] bool is_ok() const { return is_ok_; }

 private:
  const Json* Member(const char* name) const {
    if (!object_.is_object()) return nullptr;
    const auto at = object_.find(name);
    return at == object_.end() ? nullptr : &*at;
  }
  template <class T>
  T Wrong() {
    is_ok_ = false;
    return T{};
  }
  const Json& object_;
  bool is_ok_ = false;
};

bool IsHex(const std::string& text, std::size_t size) {
  return text.size() == size && std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

Json HalfJson(const BackupHalf& half) {
  Json collections = Json::array();
  for (const CollectionDigest& one : half.collections)
    collections.push_back(
        {{"name", one.name}, {"records", one.record_count}, {"xxh3_128", one.hash}});
  return {{"role", RoleName(half.role)},
          {"engine", half.engine},
          {"file", half.FileName()},
          {"compression", half.is_compressed ? "zstd" : "none"},
          {"bytes", half.bytes},
          {"sha256", half.sha256},
          {"raw_bytes", half.raw_bytes},
          {"raw_sha256", half.raw_sha256},
          {"collections", std::move(collections)}};
}

Result<BackupHalf> ParseHalf(const Json& json) {
  Reader reader(json);
  BackupHalf half;
  const std::string role = reader.Text("role");
  if (role != RoleName(Role::kLegacy) && role != RoleName(Role::kUnified))
    return Damaged("a half of no role");
  half.role = role == RoleName(Role::kLegacy) ? Role::kLegacy : Role::kUnified;
  half.engine = reader.Text("engine");
  half.is_compressed = reader.Text("compression") == "zstd";
  half.bytes = reader.Number("bytes");
  half.sha256 = reader.Text("sha256");
  half.raw_bytes = reader.Number("raw_bytes");
  half.raw_sha256 = reader.Text("raw_sha256");
  for (const Json& one : reader.Array("collections")) {
    Reader members(one);
    CollectionDigest digest{members.Text("name"), members.Number("records"),
                            members.Text("xxh3_128")};
    if (!members.is_ok() || !IsHex(digest.hash, 32)) return Damaged("a collection");
    half.collections.push_back(std::move(digest));
  }
  const char* engine = EngineOf(half.role);
  if (!reader.is_ok() || half.engine != engine || reader.Text("file") != half.FileName() ||
      !IsHex(half.sha256, 64) || !IsHex(half.raw_sha256, 64))
    return Damaged("a half");
  return half;
}

}  // namespace

const char* BackupReasonName(BackupReason reason) {
  const auto index = static_cast<std::size_t>(reason);
  SB_CHECK(index < kReasonNames.size(), "a reason is one of the enumerators");
  return kReasonNames[index];
}

Result<BackupReason> ParseBackupReason(std::string_view name) {
  const auto found = std::find(kReasonNames.begin(), kReasonNames.end(), name);
  if (found == kReasonNames.end())
    return Fail(ErrorCode::kInvalidArgument, "there is no such reason for a backup");
  return static_cast<BackupReason>(found - kReasonNames.begin());
}

bool IsValidBackupId(std::string_view id) {
  return !id.empty() && id.size() <= 64 && std::all_of(id.begin(), id.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_' ||
           c == '-';
  });
}

std::string BackupHalf::FileName() const {
  const std::string name = role == Role::kLegacy ? "legacy.mdb" : "unified.sqlite";
  return is_compressed ? name + ".zst" : name;
}

const BackupHalf* BackupManifest::half(Role role) const {
  const auto found = std::find_if(halves.begin(), halves.end(),
                                  [&](const BackupHalf& one) { return one.role == role; });
  return found == halves.end() ? nullptr : &*found;
}

std::uint64_t BackupManifest::records() const {
  std::uint64_t count = 0;
  if (halves.empty()) return count;
  for (const CollectionDigest& one : halves.front().collections) count += one.record_count;
  return count;
}

std::uint64_t BackupManifest::bytes() const {
  std::uint64_t bytes = 0;
  for (const BackupHalf& half : halves) bytes += half.bytes;
  return bytes;
}

Json ManifestJson(const BackupManifest& manifest) {
  Json halves = Json::array();
  for (const BackupHalf& half : manifest.halves) halves.push_back(HalfJson(half));
  Json absences = Json::object();
  for (const auto& absence : manifest.absences) absences[absence.first] = absence.second;
  const auto seconds =
      std::chrono::duration_cast<std::chrono::seconds>(manifest.created_at.time_since_epoch());
  return {
      {"format", kFormat},
      {"id", manifest.id},
      {"created_at", FormatUtc(manifest.created_at)},
      {"created_unix", static_cast<std::uint64_t>(std::max<std::int64_t>(seconds.count(), 0))},
      {"duration_ms", static_cast<std::uint64_t>(manifest.duration.count())},
      {"reason", BackupReasonName(manifest.reason)},
      {"note", manifest.note},
      {"actor", manifest.actor},
      {"software", manifest.software},
      {"log_id", manifest.log_id},
      {"epoch", manifest.epoch},
      {"sequence", manifest.sequence},
      {"schema_version", manifest.schema_version},
      {"flag", {{"enabled", manifest.is_flag_enabled}, {"percentage", manifest.flag_percentage}}},
      {"halves", std::move(halves)},
      {"absent", std::move(absences)},
      {"differences", manifest.differences}};
}

std::string WriteManifest(const BackupManifest& manifest) {
  return Seal("manifest", ManifestJson(manifest));
}

Result<BackupManifest> ParseManifest(std::string_view text) {
  const auto body = Unseal("manifest", text);
  if (!body) return Fail(body.error());
  Reader reader(*body);
  if (reader.Number("format") != kFormat)
    return Fail(ErrorCode::kUnsupported, "manifest: of a format that this version does not know");
  BackupManifest manifest;
  manifest.id = reader.Text("id");
  const auto reason = ParseBackupReason(reader.Text("reason"));
  if (!reason || !IsValidBackupId(manifest.id)) return Damaged("id or reason");
  manifest.reason = *reason;
  constexpr std::uint64_t kSecondsMax = 253'402'300'799;  // the year 9999
  manifest.created_at =
      WallTime(std::chrono::seconds(std::min(reader.Number("created_unix"), kSecondsMax)));
  manifest.duration =
      std::chrono::milliseconds(std::min(reader.Number("duration_ms"), kSecondsMax));
  manifest.note = reader.Text("note");
  manifest.actor = reader.Text("actor");
  manifest.software = reader.Text("software");
  manifest.log_id = reader.Text("log_id");
  manifest.epoch = reader.Number("epoch");
  manifest.sequence = reader.Number("sequence");
  manifest.schema_version = reader.Number("schema_version");
  const Json flag = reader.Object("flag");
  Reader flag_reader(flag);
  manifest.is_flag_enabled = flag_reader.Flag("enabled");
  manifest.flag_percentage = flag_reader.Real("percentage");
  for (const Json& half : reader.Array("halves")) {
    auto parsed = ParseHalf(half);
    if (!parsed) return Fail(parsed.error());
    if (manifest.half(parsed->role) != nullptr) return Damaged("a role twice");
    manifest.halves.push_back(*std::move(parsed));
  }
  const Json absences = reader.Object("absent");
  for (const auto& [role, why] : absences.items()) {
    if (!why.is_string()) return Damaged("absent");
    manifest.absences[role] = why.get<std::string>();
  }
  for (const Json& name : reader.Array("differences")) {
    if (!name.is_string()) return Damaged("differences");
    manifest.differences.push_back(name.get<std::string>());
  }
  if (!reader.is_ok() || !flag_reader.is_ok() || manifest.halves.empty())
    return Damaged("a member is missing or of the wrong type");
  return manifest;
}

std::string WriteState(const BackupState& state) {
  return Seal("state", {{"pinned", state.is_pinned},
                        {"checked_unix", static_cast<std::uint64_t>(state.checked_at)},
                        {"verified_unix", static_cast<std::uint64_t>(state.verified_at)},
                        {"problem", state.problem}});
}

Result<BackupState> ParseState(std::string_view text) {
  const auto body = Unseal("state", text);
  if (!body) return Fail(body.error());
  Reader reader(*body);
  BackupState state;
  state.is_pinned = reader.Flag("pinned");
  state.checked_at = static_cast<std::int64_t>(reader.Number("checked_unix"));
  state.verified_at = static_cast<std::int64_t>(reader.Number("verified_unix"));
  state.problem = reader.Text("problem");
  if (!reader.is_ok()) return Damaged("state");
  return state;
}

}  // namespace switchback
