#include "server/http/event_sources.hpp"

#include <utility>

#include "server/http/event_json.hpp"

namespace switchback {
namespace {

using Json = nlohmann::ordered_json;
using News = std::vector<Json>;

// Every stage of every operation that it sees, also of one that was over before it looked.
class BackupNews {
 public:
  // Those that bring other stores into use, or the others.
  BackupNews(const BackupManager& backups, bool is_restore)
      : backups_(backups), is_restore_(is_restore) {}

  News Look() {
    const auto operation = backups_.Operation();
    if (!operation) return is_restore_ ? News{} : News{Json{{"state", "none"}}};
    const bool is_restore = operation->kind == "restore" || operation->kind == "undo";
    if (is_restore != is_restore_) return {};
    if (operation->journal_id != journal_id_) stage_count_ = 0;
    journal_id_ = operation->journal_id;
    const std::size_t first = std::exchange(stage_count_, operation->progress.stages.size());
    return BackupEventsJson(*operation, first);
  }

 private:
  const BackupManager& backups_;
  const bool is_restore_;
  std::int64_t journal_id_ = 0;
  std::size_t stage_count_ = 0;
};

// The version costs a look into the store: when an operation has ended, and else now and then,
// since a restore or a fill changes it as well.
class SchemaNews {
 public:
  explicit SchemaNews(SchemaRunner& schema) : schema_(schema) {}

  News Look() {
    const SchemaActivity activity = schema_.Activity();
    if (looks_until_read_-- == 0 || activity.ended_count != ended_count_) {
      const auto status = schema_.GetStatus();
      version_ = status ? Json(status->version) : Json(nullptr);
      looks_until_read_ = kLooksPerRead;
      ended_count_ = activity.ended_count;
    }
    return {Json{{"running", activity.running}, {"version", version_}, {"ended", ended_count_}}};
  }

 private:
  static constexpr int kLooksPerRead = 25;  // about five seconds
  SchemaRunner& schema_;
  int looks_until_read_ = 0;
  std::uint64_t ended_count_ = 0;
  Json version_;
};

template <class T>
std::function<News()> Keep(T news) {
  return [kept = std::make_shared<T>(std::move(news))] { return kept->Look(); };
}

void AddService(DbService& service, std::vector<ProgressSource>& sources) {
  sources.push_back(
      {"server", "", [&service] { return News{ServerEventJson(service.GetStatus())}; }});
  sources.push_back({"flags", "", [&service] {
                       return News{FlagsEventJson(service.GetStatus().routing,
                                                  service.flags().Current()->warning)};
                     }});
  for (const Role role : kRoles) {
    sources.push_back({"follower", RoleName(role), [&service, role] {
                         return News{
                             FollowerEventJson(role, service.GetStatus().followers[Index(role)])};
                       }});
  }
}

}  // namespace

std::vector<ProgressSource> EventSources(const ControlPlaneParts& parts) {
  std::vector<ProgressSource> sources;
  AddService(parts.service, sources);
  Migrator& migrator = parts.migrator;
  sources.push_back(
      {"migration", "", [&migrator] { return News{MigrationEventJson(migrator.GetStatus())}; }});
  if (parts.verifier != nullptr) {
    const Verifier& verifier = *parts.verifier;
    sources.push_back(
        {"verify", "", [&verifier] { return News{VerifyEventJson(verifier.GetStatus())}; }});
  }
  if (parts.schema != nullptr) sources.push_back({"schema", "", Keep(SchemaNews(*parts.schema))});
  if (parts.backups != nullptr) {
    sources.push_back({"backup", "", Keep(BackupNews(*parts.backups, false))});
    sources.push_back({"restore", "", Keep(BackupNews(*parts.backups, true))});
  }
  return sources;
}

}  // namespace switchback
