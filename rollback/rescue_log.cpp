#include "rollback/rescue_log.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>

namespace switchback {
namespace {

constexpr std::string_view kFilePrefix = "log-";

struct NamedFile {
  std::string path;
  std::uint64_t first = 0;  // as its name says
};

std::vector<NamedFile> FilesOf(const std::string& directory) {
  std::vector<NamedFile> files;
  std::error_code error;
  std::filesystem::directory_iterator entry(directory, error);
  for (; !error && entry != std::filesystem::directory_iterator(); entry.increment(error)) {
    const std::string name = entry->path().filename();
    if (!name.starts_with(kFilePrefix)) continue;
    files.push_back(
        {entry->path().string(), std::strtoull(name.c_str() + kFilePrefix.size(), nullptr, 10)});
  }
  std::sort(files.begin(), files.end(),
            [](const auto& a, const auto& b) { return a.first < b.first; });
  return files;
}

class LogScan {
 public:
  explicit LogScan(const LogVisitor& visit) : visit_(visit) {}

  // `last` UINT64_MAX: it is the newest one.
  Status ScanFile(const NamedFile& file, std::uint64_t last) {
    const bool is_newest = last == UINT64_MAX;
    auto reader = LogFileReader::Open(file.path);
    if (!reader) {
      NoteProblem(reader.error().message);
      if (!is_newest) NoteSeen(last);
      return {};
    }
    if (!log_.log_id.empty() && reader->header().log_id != log_.log_id) {
      NoteProblem(file.path + " belongs to another commit log");
      return {};
    }
    log_.log_id = reader->header().log_id;
    log_.epoch = reader->header().epoch;
    log_.is_end_known = is_newest;
    std::uint64_t next = reader->header().first_sequence;
    NoteSeen(next - 1);
    SB_RETURN_IF_ERROR(ScanRecords(*reader, file.path, last, next));
    if (is_newest || next > last) return {};
    NoteProblem(fmt::format("{}: batch {} is damaged", file.path, next));
    NoteSeen(last);
    return {};
  }
  RescueLog Finish() { return std::move(log_); }
  void NoteThere() { log_.is_there = true; }

 private:
  Status ScanRecords(LogFileReader& reader, const std::string& path, std::uint64_t last,
                     std::uint64_t& next) {
    while (next <= last) {
      auto record = reader.Read(next);
      if (!record) {
        NoteProblem(path + ": " + record.error().message);
        return {};
      }
      if (record->has_value()) {
        SB_RETURN_IF_ERROR(Take(**record));
        ++next;
        continue;
      }
      const auto ahead = reader.SkipToRecord(next);
      if (!ahead || !ahead->has_value() || **ahead > last) return {};
      NoteProblem(fmt::format("{}: batch {} is damaged", path, next));
      next = **ahead;
    }
    return {};
  }
  Status Take(const LogRecord& record) {
    if (log_.ranges.empty() || log_.ranges.back().last + 1 != record.sequence)
      log_.ranges.push_back({record.sequence, record.sequence});
    log_.ranges.back().last = record.sequence;
    NoteSeen(record.sequence);
    return visit_(record);
  }
  void NoteSeen(std::uint64_t sequence) { log_.last_seen = std::max(log_.last_seen, sequence); }
  void NoteProblem(std::string problem) {
    if (log_.problem.empty()) log_.problem = std::move(problem);
  }

  const LogVisitor& visit_;
  RescueLog log_;
};

}  // namespace

std::uint64_t RescueLog::EndFrom(std::uint64_t sequence) const {
  for (const LogRange& range : ranges) {
    if (range.first <= sequence + 1 && sequence < range.last) return range.last;
  }
  return sequence;
}

Result<RescueLog> ReadRescueLog(const std::string& directory, const LogVisitor& visit) {
  const auto files = FilesOf(directory);
  LogScan scan(visit);
  for (std::size_t i = 0; i < files.size(); ++i) {
    scan.NoteThere();
    const std::uint64_t last = i + 1 < files.size() ? files[i + 1].first - 1 : UINT64_MAX;
    SB_RETURN_IF_ERROR(scan.ScanFile(files[i], last));
  }
  return scan.Finish();
}

}  // namespace switchback
