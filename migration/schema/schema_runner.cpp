#include "migration/schema/schema_runner.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "common/check.hpp"
#include "common/failpoint.hpp"
#include "common/log.hpp"

namespace switchback {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kKind = "schema";
constexpr const char* kRunningDocument = "schema.running";
constexpr std::size_t kInterruptedCountMax = 100;
constexpr std::chrono::milliseconds kStoreWaitMax{10'000};
constexpr std::string_view kCopyPrefix = "unified-";
constexpr std::string_view kCopySuffix = ".sqlite";
constexpr std::string_view kPartialSuffix = ".sqlite.partial";

std::string StepName(const SchemaChange& change) {
  return fmt::format("{} {:04}_{}", change.direction == SchemaDirection::kUp ? "up" : "down",
                     change.version.version, change.version.name);
}

std::uint64_t VersionAfter(const SchemaChange& change) {
  return change.version.version - (change.direction == SchemaDirection::kUp ? 0 : 1);
}

// "20261121T100000Z", which sorts by time.
std::string Stamp(WallTime time) {
  std::string stamp = FormatUtc(time);
  std::erase_if(stamp, [](char c) { return c == '-' || c == ':'; });
  return stamp;
}

Json ReportJson(const StoreReport& report) {
  Json checks = Json::array();
  for (const StoreCheck& check : report.checks)
    checks.push_back({{"name", check.name}, {"is_ok", check.is_ok}, {"detail", check.detail}});
  return checks;
}

std::string DetailOf(const SchemaOutcome& outcome) {
  Json detail{{"version_before", outcome.version_before}, {"version", outcome.version}};
  if (outcome.error) detail["error"] = outcome.error->message;
  if (!outcome.critical.empty()) detail["critical"] = outcome.critical;
  for (const SchemaStepResult& step : outcome.steps) {
    detail["steps"].push_back({{"name", step.name}, {"status", step.status}, {"copy", step.copy}});
  }
  detail["validation"] = ReportJson(outcome.report);
  return detail.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace

// The right to be the one operation under way.
class SchemaRunner::Claim {
 public:
  Claim(SchemaRunner& runner, const std::string& what) : runner_(runner) {
    MutexLock lock(runner_.mutex_);
    if (runner_.is_stopping_.load()) {
      status_ = Fail(ErrorCode::kCancelled, "the server is stopping");
    } else if (!runner_.running_.empty()) {
      status_ = Fail(ErrorCode::kConflict,
                     "another operation on the schema is under way: " + runner_.running_);
    } else {
      runner_.running_ = what;
    }
  }
  ~Claim() {
    if (!status_) return;
    MutexLock lock(runner_.mutex_);
    runner_.running_.clear();
    ++runner_.ended_count_;
  }
  Claim(const Claim&) = delete;
  Claim& operator=(const Claim&) = delete;
  [[nodiscard]] const Status& status() const { return status_; }

 private:
  SchemaRunner& runner_;
  Status status_;
};

SchemaRunner::SchemaRunner(DbService& service, Journal& journal, const Clock& clock,
                           SchemaRunnerOptions options)
    : service_(service), journal_(journal), clock_(clock), options_(std::move(options)) {
  SB_CHECK(options_.copy_count_max > 0, "the newest copy is always kept");
}

// --- What is there ---

Result<std::vector<SchemaVersion>> SchemaRunner::ReadApplied() const {
  auto view = service_.fill_access().NewStoreView(Role::kUnified);
  if (!view) return Fail(view.error());
  SqlReader* sql = (*view)->sql();
  if (sql == nullptr) return Fail(ErrorCode::kUnsupported, "the unified store speaks no SQL");
  SB_RETURN_IF_ERROR((*view)->Begin());
  auto versions = sql->SchemaVersions();
  (*view)->End();
  return versions;
}

Result<SchemaStatus> SchemaRunner::GetStatus() {
  SchemaStatus status;
  status.directory = options_.directory;
  auto files = ReadSchemaFiles(options_.directory);
  if (!files) return Fail(files.error());
  auto applied = ReadApplied();
  if (!applied) return Fail(applied.error());
  status.version = applied->size();
  status.versions = CompareSchema(*files, *applied);
  status.problems = std::move(files->problems);
  status.copies = ListCopies();
  MutexLock lock(mutex_);
  status.running = running_;
  return status;
}

SchemaActivity SchemaRunner::Activity() const {
  MutexLock lock(mutex_);
  return {running_, ended_count_};
}

Status SchemaRunner::CheckInSync() const {
  const FollowerStatus unified = service_.GetStatus().followers[Index(Role::kUnified)];
  if (unified.state == FollowerState::kInSync) return {};
  const bool is_unfilled = unified.state == FollowerState::kDetached;
  return Fail(ErrorCode::kRefused,
              fmt::format("unified is {}{}{}: {}", FollowerStateName(unified.state),
                          unified.reason.empty() ? "" : ": ", unified.reason,
                          is_unfilled ? "fill it first with `switchback migrate start`"
                                      : "wait until `switchback status` says in-sync"));
}

SqlBudget SchemaRunner::NewBudget() const {
  return {std::chrono::steady_clock::now() + options_.time_max,
          [this] { return is_stopping_.load(); }};
}

// --- The journal ---

// What the journal cannot take must not stop what is under way: the store says what is true.
void SchemaRunner::Note(const Status& written) const {
  if (!written) LogWarning("schema: {}", written.error().message);
}

void SchemaRunner::NoteRunning(const std::string& what) {
  MutexLock lock(mutex_);
  running_ = what;
}

Result<std::int64_t> SchemaRunner::BeginOperation(const SchemaOutcome& outcome,
                                                  std::uint64_t target, const std::string& actor,
                                                  const std::string& reason) {
  auto operation = journal_.BeginOperation(kKind, actor, reason);
  if (!operation) return operation;
  SB_RETURN_IF_ERROR(journal_.Store(
      kRunningDocument,
      Json{{"operation", *operation}, {"from", outcome.version_before}, {"to", target}}.dump()));
  SB_RETURN_IF_ERROR(journal_.Audit(actor, "schema",
                                    fmt::format("from version {} to {}, operation {}",
                                                outcome.version_before, target, *operation)));
  return operation;
}

void SchemaRunner::EndOperation(const SchemaOutcome& outcome) {
  Note(journal_.EndOperation(outcome.operation, outcome.error ? "failed" : "done",
                             DetailOf(outcome)));
  Note(journal_.Remove(kRunningDocument));
}

void SchemaRunner::CloseInterrupted() {
  std::error_code ignored;
  for (const auto& entry :
       std::filesystem::directory_iterator(options_.copies_directory, ignored)) {
    if (entry.path().string().ends_with(kPartialSuffix)) std::filesystem::remove(entry, ignored);
  }
  auto operations = journal_.Operations(kKind, kInterruptedCountMax);
  auto document = journal_.Load(kRunningDocument);
  if (!operations || !document) {
    LogWarning("schema: {}", (operations ? document.error() : operations.error()).message);
    return;
  }
  auto applied = ReadApplied();
  Result<std::uint64_t> version = applied ? Result<std::uint64_t>(applied->size())
                                          : Result<std::uint64_t>(Fail(applied.error()));
  for (const OperationRecord& operation : *operations) {
    if (operation.status == "running") CloseOperation(operation, document->value_or("{}"), version);
  }
  if (*document) Note(journal_.Remove(kRunningDocument));
}

void SchemaRunner::CloseOperation(const OperationRecord& operation, const std::string& document,
                                  const Result<std::uint64_t>& version) {
  const Json running = Json::parse(document, nullptr, false);
  const bool is_known = running.is_object() && running.value("operation", -1) == operation.id;
  const bool is_done = is_known && version && running.value("to", UINT64_MAX) == *version &&
                       running.value("from", UINT64_MAX) != *version;
  const std::string stands = version
                                 ? fmt::format("the store has version {}", *version)
                                 : "the store's version is not known: " + version.error().message;
  for (const OperationStep& step : operation.steps) {
    if (step.status == "running")
      Note(journal_.EndStep(operation.id, step.name, is_done ? "done" : "failed", "interrupted"));
  }
  Json detail{{"interrupted", true}};
  if (version) detail["version"] = *version;
  if (!is_done) detail["error"] = "interrupted: " + stands;
  Note(journal_.EndOperation(operation.id, is_done ? "done" : "failed", detail.dump()));
  LogWarning("schema: operation {} was interrupted: {}", operation.id, stands);
}

// --- Copies ---

std::string SchemaRunner::NewCopyPath(std::uint64_t version) const {
  const std::string base = fmt::format("{}/{}{}-{}", options_.copies_directory, kCopyPrefix,
                                       version, Stamp(clock_.WallNow()));
  std::string path = base + std::string(kCopySuffix);
  std::error_code ignored;
  for (int attempt = 2; std::filesystem::exists(path, ignored); ++attempt)
    path = fmt::format("{}.{}{}", base, attempt, kCopySuffix);
  return path;
}

std::vector<std::string> SchemaRunner::ListCopies() const {
  std::vector<std::pair<std::filesystem::file_time_type, std::string>> copies;
  std::error_code ignored;
  for (const auto& entry :
       std::filesystem::directory_iterator(options_.copies_directory, ignored)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with(kCopyPrefix) && name.ends_with(kCopySuffix))
      copies.emplace_back(entry.last_write_time(ignored), entry.path().string());
  }
  std::sort(copies.rbegin(), copies.rend());
  std::vector<std::string> paths;
  for (auto& copy : copies) paths.push_back(std::move(copy.second));
  return paths;
}

void SchemaRunner::RemoveOldCopies() const {
  const std::vector<std::string> copies = ListCopies();
  for (std::size_t index = options_.copy_count_max; index < copies.size(); ++index) {
    std::error_code error;
    std::filesystem::remove(copies[index], error);
    if (error) LogWarning("schema: remove {}: {}", copies[index], error.message());
  }
}

// --- Running ---

Result<SchemaOutcome> SchemaRunner::Run(const SchemaRequest& request) {
  const Claim claim(*this, "beginning");
  SB_RETURN_IF_ERROR(claim.status());
  SB_RETURN_IF_ERROR(CheckInSync());
  // So that a collection that was just written to is there for its migration.
  SB_RETURN_IF_ERROR(service_.CatchUp(Role::kUnified, kStoreWaitMax));
  auto files = ReadSchemaFiles(options_.directory);
  if (!files) return Fail(files.error());
  auto applied = ReadApplied();
  if (!applied) return Fail(applied.error());
  auto changes = PlanSchema(*files, *applied, request.goal);
  if (!changes) return Fail(changes.error());
  SchemaOutcome outcome;
  outcome.version = outcome.version_before = applied->size();
  if (changes->empty()) return outcome;
  if (options_.backup_before) {
    if (auto made = options_.backup_before(request.actor); !made)
      return Fail(WithContext(made.error(), "no backup could be made before it"));
  }
  auto operation =
      BeginOperation(outcome, VersionAfter(changes->back()), request.actor, request.reason);
  if (!operation) return Fail(operation.error());
  outcome.operation = *operation;
  RunLegs(*std::move(changes), outcome);
  EndOperation(outcome);
  RemoveOldCopies();
  return outcome;
}

void SchemaRunner::RunLegs(std::vector<SchemaChange> changes, SchemaOutcome& outcome) {
  std::vector<Leg> legs;
  for (SchemaChange& change : changes) {
    if (legs.empty() || change.direction == SchemaDirection::kUp) legs.emplace_back();
    legs.back().push_back(std::move(change));
  }
  for (Leg& leg : legs) {
    NoteRunning(fmt::format("operation {}, {}", outcome.operation, StepName(leg.front())));
    if (auto done = RunLeg(std::move(leg), outcome); !done) {
      outcome.error = done.error();
      LogWarning("schema: operation {}: {}", outcome.operation, done.error().message);
      return;
    }
  }
}

Status SchemaRunner::RunLeg(Leg leg, SchemaOutcome& outcome) {
  const std::string copy = NewCopyPath(outcome.version);
  const std::size_t first = outcome.steps.size();
  for (const SchemaChange& change : leg)
    Note(journal_.BeginStep(outcome.operation, StepName(change)));
  auto done = service_.RunOnStore(
      Role::kUnified, [&](Backend& backend) { return RunInStore(backend, leg, copy, outcome); },
      kStoreWaitMax);
  for (std::size_t index = 0; index < leg.size(); ++index) {
    if (outcome.steps.size() <= first + index)
      outcome.steps.push_back({StepName(leg[index]), "failed", ""});
    const SchemaStepResult& step = outcome.steps[first + index];
    Note(journal_.EndStep(outcome.operation, step.name, step.status == "done" ? "done" : "failed",
                          done ? copy : done.error().message));
  }
  return done;
}

// On the store's own thread.
Status SchemaRunner::RunInStore(Backend& backend, Leg& leg, const std::string& copy,
                                SchemaOutcome& outcome) {
  SqlStore* store = backend.sql_store();
  if (store == nullptr) return Fail(ErrorCode::kUnsupported, "the unified store speaks no SQL");
  if (auto copied = store->CopyTo(copy, NewBudget()); !copied)
    return Fail(WithContext(copied.error(), "no migration without a safety copy"));
  Status changed;
  std::size_t change_count = 0;
  for (SchemaChange& change : leg) {
    outcome.steps.push_back({StepName(change), "failed", copy});
    changed = Change(backend, change, outcome.steps.back());
    if (!changed) break;
    outcome.version = VersionAfter(change);
    ++change_count;
  }
  if (change_count == 0) return changed;
  auto validated = ValidateOrPutBack(backend, copy, outcome);
  if (validated) return changed;
  return validated;
}

Status SchemaRunner::Change(Backend& backend, SchemaChange& change, SchemaStepResult& step) {
  if (change.direction == SchemaDirection::kUp)
    change.version.applied_at = FormatUtc(clock_.WallNow());
  SqlStore& store = *backend.sql_store();
  auto changed = store.ChangeSchema(change, NewBudget());
  if (!changed && changed.error().code == ErrorCode::kUnknownOutcome) {
    // Only the store can say whether the commit came through (I5).
    SB_RETURN_IF_ERROR(backend.Reopen());
    auto versions = store.SchemaVersions();
    if (!versions) return Fail(versions.error());
    if (versions->size() == VersionAfter(change)) changed = Status();
  }
  if (changed) step.status = "done";
  return changed;
}

Status SchemaRunner::ValidateOrPutBack(Backend& backend, const std::string& copy,
                                       SchemaOutcome& outcome) {
  auto durable = backend.MakeDurable();
  auto report = backend.sql_store()->Validate(NewBudget());
  if (report) outcome.report = *std::move(report);
  if (durable && report && outcome.report.is_ok()) return {};
  const std::string problem = !durable  ? durable.error().message
                              : !report ? report.error().message
                                        : outcome.report.Problems();
  if (auto back = PutBack(backend, copy); !back) {
    outcome.critical = fmt::format(
        "after the migration the database is not as it must be ({}), and the copy "
        "{} could not be put back: {}",
        problem, copy, back.error().message);
    return Fail(ErrorCode::kInternal, outcome.critical);
  }
  for (SchemaStepResult& step : outcome.steps) {
    if (step.copy == copy && step.status == "done") step.status = "undone";
  }
  auto versions = backend.sql_store()->SchemaVersions();
  if (versions) outcome.version = versions->size();
  return Fail(ErrorCode::kInternal,
              fmt::format("after the migration the database is not as it must be ({}): the copy "
                          "taken before it was put back",
                          problem));
}

Status SchemaRunner::PutBack(Backend& backend, const std::string& copy) {
  SB_RETURN_IF_ERROR(Failpoint("schema.put-back"));
  auto before = backend.State();
  if (!before) SB_RETURN_IF_ERROR(backend.Reopen());
  SB_RETURN_IF_ERROR(backend.sql_store()->PutBack(copy));
  SB_RETURN_IF_ERROR(backend.MakeDurable());
  auto after = backend.State();
  if (!after) return Fail(after.error());
  if (before && *before != *after)
    return Fail(ErrorCode::kCorruption, "the store's position is another one than before");
  return {};
}

Result<SchemaOutcome> SchemaRunner::Validate(const std::string& actor, const std::string& reason) {
  const Claim claim(*this, "validate");
  SB_RETURN_IF_ERROR(claim.status());
  SB_RETURN_IF_ERROR(CheckInSync());
  auto operation = journal_.BeginOperation(kKind, actor, reason);
  if (!operation) return Fail(operation.error());
  SchemaOutcome outcome;
  outcome.operation = *operation;
  auto done = service_.RunOnStore(
      Role::kUnified,
      [&](Backend& backend) -> Status {
        SqlStore* store = backend.sql_store();
        if (store == nullptr)
          return Fail(ErrorCode::kUnsupported, "the unified store speaks no SQL");
        auto versions = store->SchemaVersions();
        if (!versions) return Fail(versions.error());
        outcome.version = outcome.version_before = versions->size();
        auto report = store->Validate(NewBudget());
        if (!report) return Fail(report.error());
        outcome.report = *std::move(report);
        if (outcome.report.is_ok()) return {};
        return Fail(ErrorCode::kInternal,
                    "the unified store is not as it must be: " + outcome.report.Problems());
      },
      kStoreWaitMax);
  if (!done) outcome.error = done.error();
  EndOperation(outcome);
  return outcome;
}

}  // namespace switchback
