#include "flags/flag_file.hpp"
#include "rollback/latches.hpp"
#include "server/cli/offline.hpp"
#include "server/cli/offline_history.hpp"
#include "server/http/records/record_batch.hpp"
#include "server/transfer/import_sink.hpp"

namespace switchback {
namespace {

BatchOperation OperationOf(const TransferRecord& record, OnConflict on_conflict) {
  BatchOperation operation;
  operation.kind = on_conflict == OnConflict::kReplace ? BatchKind::kPut : BatchKind::kInsert;
  operation.may_skip = on_conflict == OnConflict::kSkip;
  operation.key = record.key;
  operation.value = record.value;
  return operation;
}

class DirectorySink final : public ImportSink {
 public:
  DirectorySink(std::unique_ptr<DbService> service, std::string data_dir)
      : service_(std::move(service)), data_dir_(std::move(data_dir)) {}

  Result<ImportOutcome> Write(std::span<const TransferRecord> records,
                              OnConflict on_conflict) override {
    const auto collection = service_->catalog().Intern(records.front().collection);
    if (!collection) return Fail(collection.error());
    std::vector<BatchOperation> operations;
    operations.reserve(records.size());
    for (const TransferRecord& record : records)
      operations.push_back(OperationOf(record, on_conflict));
    BatchOutcome outcome;
    SB_RETURN_IF_ERROR(service_->Write([&](Transaction& transaction) -> Status {
      auto run = RunBatch(transaction, **collection, operations);
      if (!run) return Fail(run.error());
      outcome = *std::move(run);
      return {};
    }));
    ImportOutcome counted;
    counted.conflict = outcome.failed;
    if (outcome.failed) return counted;
    for (const BatchResult& result : outcome.results)
      result.is_stored ? ++counted.stored : ++counted.kept;
    return counted;
  }

  Status Close(const std::string& what_was_done) override {
    SB_RETURN_IF_ERROR(service_->Close());
    service_.reset();
    NoteInHistory(data_dir_, "import", what_was_done);
    return {};
  }

 private:
  std::unique_ptr<DbService> service_;
  const std::string data_dir_;
};

// As a server does at its start: who refuses writes there, refuses them here.
Status CheckWritable(const std::string& data_dir, DbService& service) {
  const auto safe_mode = OpenSafeMode(data_dir, service, SystemClock());
  if (const auto latched = safe_mode->Current())
    return Fail(ErrorCode::kReadOnly, "safe mode: " + latched->reason +
                                          ". `switchback rollback safe-mode` says what to do");
  FlagSnapshot flags;
  if (auto loaded = LoadFlagFile(data_dir + "/flags.json")) flags.flags = *std::move(loaded);
  if (flags.is_read_only())
    return Fail(ErrorCode::kReadOnly, "the flag READ_ONLY is on: switch it off first");
  return {};
}

}  // namespace

Result<std::unique_ptr<ImportSink>> OpenDirectorySink(const std::string& data_dir) {
  auto service = OpenOffline(data_dir);
  if (!service) return Fail(service.error());
  SB_RETURN_IF_ERROR(CheckWritable(data_dir, **service));
  return std::unique_ptr<ImportSink>(
      std::make_unique<DirectorySink>(*std::move(service), data_dir));
}

}  // namespace switchback
