// A file of the commit log that is not appended to any more, or one that is: which batches it
// holds, and when they were written.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/clock.hpp"
#include "common/result.hpp"
#include "service/log_file.hpp"

namespace switchback {

struct LogPiece {
  std::string path;
  std::string path_later = {};  // where it is when it is no longer there; "" = it stays
  bool is_compressed = false;
  std::uint64_t epoch = 0;
  std::uint64_t first_sequence = 0;
  std::uint64_t last_sequence = 0;  // first - 1 when it holds none
  WallTime first_at{};              // of its batches, by the server's clock
  WallTime last_at{};
  std::uint64_t bytes = 0;  // on the disk

  [[nodiscard]] bool is_empty() const { return last_sequence < first_sequence; }
};

// By epoch and first sequence.
void SortPieces(std::vector<LogPiece>& pieces);

WallTime WallTimeOf(const LogRecord& record);

// Reads an uncompressed file to the end of its valid records.
Result<LogPiece> InspectLogFile(const std::string& path);
// Of every file of the log in a directory, by first sequence. None when there is no directory.
Result<std::vector<LogPiece>> InspectLogDirectory(const std::string& directory);

// The name that an archived piece has, and back; nullopt when it is no such name.
std::string ArchiveName(const LogPiece& piece);
std::optional<LogPiece> ParseArchiveName(std::string_view name);

// Calls `visit` with each record of `piece` that is past `after` and not past `until`, in order. A
// compressed one is unpacked at `scratch` first. kCorruption: a record is missing.
Status ReadPiece(const LogPiece& piece, std::uint64_t after, std::uint64_t until,
                 const std::string& scratch, const std::function<Status(const LogRecord&)>& visit);

}  // namespace switchback
