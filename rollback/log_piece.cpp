#include "rollback/log_piece.hpp"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <filesystem>
#include <tuple>

#include "common/file.hpp"
#include "rollback/backup_codec.hpp"

namespace switchback {
namespace {

constexpr std::string_view kLogPrefix = "log-";
constexpr std::string_view kArchivePrefix = "log.";
constexpr std::string_view kArchiveSuffix = ".zst";
// A file unpacks to at most this: a batch may be larger than a file's usual size.
constexpr std::uint64_t kPieceBytesMax = 4ull << 30;

std::int64_t Microseconds(WallTime time) {
  return std::chrono::duration_cast<std::chrono::microseconds>(time.time_since_epoch()).count();
}

// Takes digits and the '.' behind them.
bool TakeNumber(std::string_view& text, std::uint64_t& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end == text.data() + text.size() || *end != '.') return false;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()) + 1);
  return true;
}

}  // namespace

void SortPieces(std::vector<LogPiece>& pieces) {
  std::sort(pieces.begin(), pieces.end(), [](const LogPiece& a, const LogPiece& b) {
    return std::tie(a.epoch, a.first_sequence) < std::tie(b.epoch, b.first_sequence);
  });
}

WallTime WallTimeOf(const LogRecord& record) {
  return WallTime(std::chrono::microseconds(record.wall_us));
}

Result<LogPiece> InspectLogFile(const std::string& path) {
  auto reader = LogFileReader::Open(path);
  if (!reader) return Fail(reader.error());
  LogPiece piece;
  piece.path = path;
  piece.epoch = reader->header().epoch;
  piece.first_sequence = reader->header().first_sequence;
  piece.last_sequence = piece.first_sequence - 1;
  while (true) {
    auto record = reader->Read(piece.last_sequence + 1);
    if (!record) return Fail(record.error());
    if (!record->has_value()) break;
    if (piece.is_empty()) piece.first_at = WallTimeOf(**record);
    piece.last_at = WallTimeOf(**record);
    ++piece.last_sequence;
  }
  piece.bytes = reader->offset();
  return piece;
}

Result<std::vector<LogPiece>> InspectLogDirectory(const std::string& directory) {
  std::vector<LogPiece> pieces;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(directory, error)) {
    if (entry.path().filename().string().rfind(kLogPrefix, 0) != 0) continue;
    auto piece = InspectLogFile(entry.path());
    if (!piece && piece.error().code == ErrorCode::kNotFound) continue;  // it has just left
    if (!piece) return Fail(WithContext(piece.error(), entry.path().string()));
    pieces.push_back(*std::move(piece));
  }
  SortPieces(pieces);
  // What a failed append left behind counts for nothing: the next file says where it begins.
  for (std::size_t i = 0; i + 1 < pieces.size(); ++i)
    pieces[i].last_sequence = std::min(pieces[i].last_sequence, pieces[i + 1].first_sequence - 1);
  return pieces;
}

std::string ArchiveName(const LogPiece& piece) {
  return fmt::format("{}{}.{:020}.{:020}.{}.{}{}", kArchivePrefix, piece.epoch,
                     piece.first_sequence, piece.last_sequence, Microseconds(piece.first_at),
                     Microseconds(piece.last_at), kArchiveSuffix);
}

std::optional<LogPiece> ParseArchiveName(std::string_view name) {
  if (name.rfind(kArchivePrefix, 0) != 0 || !name.ends_with(kArchiveSuffix)) return std::nullopt;
  name.remove_prefix(kArchivePrefix.size());
  name.remove_suffix(kArchiveSuffix.size() - 1);  // the dot stays
  LogPiece piece;
  piece.is_compressed = true;
  std::uint64_t first_us = 0;
  std::uint64_t last_us = 0;
  const bool is_one = TakeNumber(name, piece.epoch) && TakeNumber(name, piece.first_sequence) &&
                      TakeNumber(name, piece.last_sequence) && TakeNumber(name, first_us) &&
                      TakeNumber(name, last_us) && name.empty();
  if (!is_one) return std::nullopt;
  piece.first_at = WallTime(std::chrono::microseconds(first_us));
  piece.last_at = WallTime(std::chrono::microseconds(last_us));
  return piece;
}

Status ReadPiece(const LogPiece& piece, std::uint64_t after, std::uint64_t until,
                 const std::string& scratch, const std::function<Status(const LogRecord&)>& visit) {
  std::string path = piece.path;
  if (piece.is_compressed) {
    auto packed = OpenFile(piece.path, 0);
    if (!packed) return Fail(packed.error());
    path = scratch;
    if (auto unpacked = UnpackToScratch(packed->get(), kPieceBytesMax, path); !unpacked) {
      ::unlink(path.c_str());
      return Fail(WithContext(unpacked.error(), piece.path));
    }
  }
  auto reader = LogFileReader::Open(path);
  if (!reader && reader.error().code == ErrorCode::kNotFound && !piece.path_later.empty())
    reader = LogFileReader::Open(piece.path_later);
  if (piece.is_compressed) ::unlink(path.c_str());  // open until it is read
  if (!reader) return Fail(reader.error());
  const std::uint64_t last = std::min(piece.last_sequence, until);
  for (std::uint64_t sequence = piece.first_sequence; sequence <= last; ++sequence) {
    auto record = reader->Read(sequence);
    if (!record) return Fail(WithContext(record.error(), piece.path));
    if (!record->has_value())
      return Fail(ErrorCode::kCorruption,
                  piece.path + ": batch " + std::to_string(sequence) + " is damaged");
    if (sequence > after) SB_RETURN_IF_ERROR(visit(**record));
  }
  return {};
}

}  // namespace switchback
