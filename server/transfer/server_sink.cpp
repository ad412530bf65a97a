#include <charconv>
#include <nlohmann/json.hpp>

#include "common/text.hpp"
#include "server/http/query.hpp"
#include "server/transfer/import_sink.hpp"

namespace switchback {
namespace {

using Json = nlohmann::ordered_json;

// Writers may wait 15 s at a limit before they are refused.
constexpr std::chrono::seconds kBatchTimeMax{60};
// Above it a record goes by itself, as octets.
constexpr std::size_t kBatchValueBytesMax = 1u << 20;

void AddBytes(Json& operation, const char* name, const std::string& bytes) {
  if (IsPlainText(bytes)) {
    operation[name] = bytes;
  } else {
    operation[std::string(name) + "_base64"] = EncodeBase64(bytes);
  }
}

Json OperationOf(const TransferRecord& record, OnConflict on_conflict) {
  Json operation{{"op", on_conflict == OnConflict::kReplace ? "put" : "insert"}};
  AddBytes(operation, "key", record.key);
  AddBytes(operation, "value", record.value);
  if (on_conflict == OnConflict::kSkip) operation["on_conflict"] = "skip";
  return operation;
}

class ServerSink final : public ImportSink {
 public:
  explicit ServerSink(ServerApi api) : api_(std::move(api)) {}

  Result<ImportOutcome> Write(std::span<const TransferRecord> records,
                              OnConflict on_conflict) override {
    if (records.size() == 1 && records.front().value.size() > kBatchValueBytesMax)
      return WriteLarge(records.front(), on_conflict);
    Json body{{"operations", Json::array()}};
    for (const TransferRecord& record : records)
      body["operations"].push_back(OperationOf(record, on_conflict));
    const auto answer =
        api_.SendConditional("POST", Root(records.front()) + "/batch", body, kBatchTimeMax);
    if (answer) return Count(*answer, records.size());
    return Fail(answer.error());
  }

  // The server's own history has it.
  Status Close(const std::string& /*what_was_done*/) override { return {}; }

 private:
  static std::string Root(const TransferRecord& record) {
    return "/v1/collections/" + record.collection;
  }

  static Result<ImportOutcome> Count(const Json& answer, std::size_t record_count) {
    ImportOutcome counted;
    if (const auto failed = answer.find("operations"); failed != answer.end()) {
      std::size_t index = 0;
      const std::string text = failed->is_array() && !failed->empty() && failed->front().is_string()
                                   ? failed->front().get<std::string>()
                                   : "";
      std::from_chars(text.data(), text.data() + text.size(), index);
      counted.conflict = index;
      return counted;
    }
    const Json results = answer.value("results", Json::array());
    if (results.size() != record_count)
      return Fail(ErrorCode::kInternal, "the server's answer does not say what became of each");
    for (const Json& result : results)
      result.value("is_stored", true) ? ++counted.stored : ++counted.kept;
    return counted;
  }

  Result<ImportOutcome> WriteLarge(const TransferRecord& record, OnConflict on_conflict) {
    const std::string path = Root(record) + "/records/" + PercentEncode(record.key);
    const bool may_replace = on_conflict == OnConflict::kReplace;
    const auto status = api_.PutBytes(path, record.value, may_replace ? "" : "*", kBatchTimeMax);
    if (!status) return Fail(status.error());
    ImportOutcome counted;
    if (*status != 412) {
      counted.stored = 1;
      return counted;
    }
    if (on_conflict == OnConflict::kFail) {
      const auto there = api_.GetBytes(path, kBatchTimeMax);
      if (!there) return Fail(there.error());
      if (*there != record.value) counted.conflict = 0;
    }
    counted.kept = counted.conflict ? 0 : 1;
    return counted;
  }

  const ServerApi api_;
};

}  // namespace

std::unique_ptr<ImportSink> NewServerSink(ServerApi api) {
  return std::make_unique<ServerSink>(std::move(api));
}

}  // namespace switchback
