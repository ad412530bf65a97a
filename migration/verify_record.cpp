#include "migration/verify_record.hpp"

#include <fmt/core.h>

#include <nlohmann/json.hpp>

#include "common/check.hpp"
#include "common/log.hpp"

namespace switchback {
namespace {

using nlohmann::json;

constexpr const char* kDocument = "verify";
constexpr int kVersion = 1;

// A key is any bytes, JSON holds text.
std::string ToHex(std::string_view bytes) {
  std::string hex;
  hex.reserve(bytes.size() * 2);
  for (const char byte : bytes) hex += fmt::format("{:02x}", static_cast<unsigned char>(byte));
  return hex;
}

int NibbleOf(char digit) {
  return digit <= '9' ? digit - '0' : digit - 'a' + 10;
}

std::string FromHex(const std::string& hex) {
  std::string bytes;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2)
    bytes += static_cast<char>(NibbleOf(hex[i]) * 16 + NibbleOf(hex[i + 1]));
  return bytes;
}

json ToJson(const VerifyOptions& options) {
  return {{"collections", options.collections},
          {"bytes_per_second", options.bytes_per_second},
          {"continuous", options.is_continuous},
          {"repair", options.repair_from ? RoleName(*options.repair_from) : ""}};
}

VerifyOptions OptionsFrom(const json& document) {
  VerifyOptions options;
  options.collections = document.at("collections").get<std::vector<std::string>>();
  options.bytes_per_second = document.at("bytes_per_second").get<std::uint64_t>();
  options.is_continuous = document.at("continuous").get<bool>();
  const std::string repair = document.at("repair").get<std::string>();
  if (repair == RoleName(Role::kLegacy)) options.repair_from = Role::kLegacy;
  if (repair == RoleName(Role::kUnified)) options.repair_from = Role::kUnified;
  return options;
}

// Numbers by name, so that writing and reading cannot differ.
template <class Record, class Visit>
void ForEachNumber(Record& record, const Visit& visit) {
  visit("epoch", record.epoch);
  visit("passes", record.passes);
  visit("records", record.progress.records);
  visit("bytes", record.progress.bytes);
  visit("records_total", record.records_total);
  visit("missing", record.missing);
  visit("extra", record.extra);
  visit("differs", record.differs);
  visit("unnamed", record.unnamed);
  visit("repaired", record.repaired);
  visit("sequence_first", record.sequence_first);
  visit("sequence", record.sequence);
}

template <class Record, class Visit>
void ForEachText(Record& record, const Visit& visit) {
  visit("state", record.state);
  visit("actor", record.actor);
  visit("started_at", record.started_at);
  visit("ended_at", record.ended_at);
  visit("error", record.error);
  visit("last_pass", record.last_pass);
  visit("collection", record.progress.collection);
}

VerifyRecord RecordFrom(const json& document) {
  VerifyRecord record;
  record.options = OptionsFrom(document.at("options"));
  record.operation = document.at("operation").get<std::int64_t>();
  record.progress.key = FromHex(document.at("key_hex").get<std::string>());
  ForEachNumber(record, [&](const char* name, std::uint64_t& number) {
    number = document.at(name).get<std::uint64_t>();
  });
  ForEachText(record, [&](const char* name, std::string& text) {
    text = document.at(name).get<std::string>();
  });
  return record;
}

}  // namespace

void VerifyRecord::BeginPass() {
  progress = {};
  records_total = 0;
  missing = extra = differs = unnamed = repaired = 0;
  sequence_first = sequence = 0;
}

Result<VerifyRecord> LoadVerifyRecord(Journal& journal) {
  const auto text = journal.Load(kDocument);
  if (!text) return Fail(text.error());
  if (!*text) return VerifyRecord{};
  try {
    const json document = json::parse(**text);
    if (document.at("version") == kVersion) return RecordFrom(document);
  } catch (const json::exception& error) {
    LogWarning("verify: the journal's record of the last one cannot be read: {}", error.what());
  }
  return VerifyRecord{};
}

Status StoreVerifyRecord(Journal& journal, const VerifyRecord& record) {
  json document = {{"version", kVersion},
                   {"options", ToJson(record.options)},
                   {"operation", record.operation},
                   {"key_hex", ToHex(record.progress.key)}};
  ForEachNumber(record,
                [&](const char* name, const std::uint64_t& number) { document[name] = number; });
  ForEachText(record, [&](const char* name, const std::string& text) { document[name] = text; });
  return journal.Store(kDocument, document.dump(-1, ' ', false, json::error_handler_t::replace));
}

}  // namespace switchback
