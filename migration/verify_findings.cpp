#include "migration/verify_findings.hpp"

#include <nlohmann/json.hpp>

#include "common/check.hpp"

namespace switchback {
namespace {

using nlohmann::json;

constexpr const char* kList = "verify";
constexpr std::size_t kPageCount = 1000;

json ToJson(const std::optional<ValueDigest>& value) {
  if (!value) return nullptr;
  return {{"bytes", value->bytes}, {"xxh3_128", value->HashHex()}};
}

std::optional<NamedDifference::Value> ValueFrom(const json& detail, const char* role) {
  const auto found = detail.find(role);
  if (found == detail.end() || !found->is_object()) return std::nullopt;
  return NamedDifference::Value{found->value("bytes", std::uint64_t{0}),
                                found->value("xxh3_128", "")};
}

// What cannot be read is named all the same.
NamedDifference FromFinding(Finding finding) {
  NamedDifference difference;
  difference.collection = std::move(finding.collection);
  difference.key = std::move(finding.key);
  const json detail = json::parse(finding.detail, nullptr, false);
  if (!detail.is_object()) return difference;
  difference.kind = detail.value("kind", "");
  difference.legacy = ValueFrom(detail, "legacy");
  difference.unified = ValueFrom(detail, "unified");
  difference.sequence = detail.value("sequence", std::uint64_t{0});
  difference.pass = detail.value("pass", std::uint64_t{0});
  return difference;
}

}  // namespace

Status VerifyFindings::Add(std::span<const Difference> differences, std::uint64_t pass) {
  if (differences.empty()) return {};
  std::vector<Finding> findings;
  findings.reserve(differences.size());
  for (const Difference& difference : differences) {
    const json detail = {{"kind", DifferenceKindName(difference.kind())},
                         {"legacy", ToJson(difference.values.legacy)},
                         {"unified", ToJson(difference.values.unified)},
                         {"sequence", difference.sequence},
                         {"pass", pass}};
    findings.push_back({difference.collection, difference.key, detail.dump()});
  }
  return journal_.AddFindings(kList, findings);
}

Status VerifyFindings::Clear() {
  return journal_.ClearFindings(kList);
}

Status VerifyFindings::RemoveAfter(const std::string& collection, const std::string& key,
                                   std::uint64_t pass) {
  return RemoveWhere(collection, key,
                     [pass](const NamedDifference& found) { return found.pass == pass; });
}

Status VerifyFindings::RemoveBefore(std::uint64_t pass) {
  return RemoveWhere("", "", [pass](const NamedDifference& found) { return found.pass != pass; });
}

Status VerifyFindings::Remove(std::span<const RecordName> records) {
  if (records.empty()) return {};
  std::vector<Finding> gone;
  gone.reserve(records.size());
  for (const RecordName& record : records) gone.push_back({record.collection, record.key, ""});
  return journal_.RemoveFindings(kList, gone);
}

Result<std::vector<NamedDifference>> VerifyFindings::List(std::string_view after_collection,
                                                          std::string_view after_key,
                                                          std::size_t count_max) {
  auto findings = journal_.Findings(kList, after_collection, after_key, count_max);
  if (!findings) return Fail(findings.error());
  std::vector<NamedDifference> differences;
  differences.reserve(findings->size());
  for (Finding& finding : *findings) differences.push_back(FromFinding(std::move(finding)));
  return differences;
}

Status VerifyFindings::RemoveWhere(std::string collection, std::string key,
                                   const std::function<bool(const NamedDifference&)>& is_picked) {
  while (true) {
    const auto page = List(collection, key, kPageCount);
    if (!page) return Fail(page.error());
    std::vector<RecordName> gone;
    for (const NamedDifference& found : *page) {
      if (is_picked(found)) gone.push_back({found.collection, found.key});
    }
    SB_RETURN_IF_ERROR(Remove(gone));
    if (page->size() < kPageCount) return {};
    collection = page->back().collection;
    key = page->back().key;
  }
}

}  // namespace switchback
