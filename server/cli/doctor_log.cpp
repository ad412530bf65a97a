#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "server/cli/doctor.hpp"
#include "service/log_file.hpp"

namespace switchback {
namespace {

constexpr std::string_view kLogFilePrefix = "log-";

std::vector<std::string> LogFiles(const std::string& directory) {
  std::vector<std::string> paths;
  std::error_code error;
  std::filesystem::directory_iterator entry(directory, error);
  for (; !error && entry != std::filesystem::directory_iterator(); entry.increment(error)) {
    if (entry->path().filename().string().starts_with(kLogFilePrefix))
      paths.push_back(entry->path().string());
  }
  // Names hold the first sequence with leading zeros, so their order is that of the batches.
  std::sort(paths.begin(), paths.end());
  return paths;
}

// Reads one file's batches from `next` on, and leaves `next` behind the last one.
Status ReadLogFile(const std::string& path, std::uint64_t last, std::uint64_t& next,
                   bool& is_damaged) {
  auto reader = LogFileReader::Open(path);
  if (!reader) return Fail(reader.error());
  while (next <= last) {
    auto record = reader->Read(next);
    if (!record) return Fail(record.error());
    if (!record->has_value()) break;
    ++next;
  }
  auto ahead = next <= last ? reader->HasRecordAhead(next) : Result<bool>(false);
  if (!ahead) return Fail(ahead.error());
  is_damaged = *ahead;
  return {};
}

Result<LogFileHeader> ReadHeader(const std::string& path) {
  auto reader = LogFileReader::Open(path);
  if (!reader) return Fail(reader.error());
  return reader->header();
}

void AddProblem(std::vector<DoctorFinding>& findings, std::string text) {
  findings.push_back({Severity::kProblem, "log", std::move(text),
                      "acknowledged writes may be missing: without a server on the directory the "
                      "doctor says what can be done"});
}

}  // namespace

void ExamineLog(DoctorFacts& facts, std::vector<DoctorFinding>& findings) {
  const auto paths = LogFiles(facts.generation_path + "/log");
  if (paths.empty()) {
    findings.push_back({Severity::kNote, "log", "there is no commit log yet", ""});
    return;
  }
  std::vector<LogFileHeader> headers;
  for (const std::string& path : paths) {
    auto header = ReadHeader(path);
    // A running server trims the log and recycles its files while we look.
    if (!header && header.error().code == ErrorCode::kNotFound && facts.is_owned) return;
    if (!header) return AddProblem(findings, header.error().message);
    if (!headers.empty() && header->log_id != headers.front().log_id)
      return AddProblem(findings, path + " belongs to another commit log");
    headers.push_back(*header);
  }
  facts.log_id = headers.front().log_id;
  facts.log_first = headers.front().first_sequence;
  std::uint64_t next = facts.log_first;
  for (std::size_t i = 0; i < paths.size(); ++i) {
    const bool is_newest = i + 1 == paths.size();
    const std::uint64_t last = is_newest ? UINT64_MAX : headers[i + 1].first_sequence - 1;
    bool is_damaged = false;
    if (auto read = ReadLogFile(paths[i], last, next, is_damaged); !read)
      return AddProblem(findings, paths[i] + ": " + read.error().message);
    if (is_damaged || (!is_newest && next <= last))
      return AddProblem(findings, fmt::format("{}: batch {} is damaged", paths[i], next));
  }
  facts.log_last = next - 1;
  const std::string batches =
      next == facts.log_first
          ? fmt::format("no batches after {}", facts.log_last)
          : fmt::format("batches {} to {}, all readable", facts.log_first, facts.log_last);
  findings.push_back(
      {Severity::kOk, "log", fmt::format("{}, in {} files", batches, paths.size()), ""});
}

}  // namespace switchback
