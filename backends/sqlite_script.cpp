#include "backends/sqlite_script.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "backends/sqlite_handles.hpp"
#include "common/check.hpp"

namespace switchback {
namespace {

constexpr int kInstructionsBetweenChecks = 4000;
constexpr std::size_t kShownBytesMax = 160;

bool IsBlank(char c) {
  return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '\f' || c == ';';
}

bool IsWordByte(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '$' || static_cast<unsigned char>(c) >= 0x80;
}

// The end of the comment that begins at `from`, or `from` when none does.
std::size_t SkipComment(std::string_view sql, std::size_t from) {
  const auto end_of = [&](std::string_view mark, std::size_t start) {
    const auto found = sql.find(mark, start);
    return found == std::string_view::npos ? sql.size() : found + mark.size();
  };
  const std::string_view rest = sql.substr(from);
  if (rest.starts_with("--")) return end_of("\n", from);
  if (rest.starts_with("/*")) return end_of("*/", from + 2);
  return from;
}

// The end of the string or quoted name that begins at `from`, or `from`.
std::size_t SkipQuoted(std::string_view sql, std::size_t from) {
  const char open = sql[from];
  if (open != '\'' && open != '"' && open != '`' && open != '[') return from;
  const auto found = sql.find(open == '[' ? ']' : open, from + 1);
  return found == std::string_view::npos ? sql.size() : found + 1;
}

std::size_t LineOf(std::string_view sql, std::size_t offset) {
  const auto end = sql.begin() + static_cast<std::ptrdiff_t>(offset);
  return 1 + static_cast<std::size_t>(std::count(sql.begin(), end, '\n'));
}

// The end of the next `word` of the language at or after `at`; npos when there is none.
std::size_t FindWord(std::string_view sql, std::size_t at, std::string_view word) {
  while (at < sql.size()) {
    std::size_t next = SkipComment(sql, at);
    if (next == at) next = SkipQuoted(sql, at);
    if (next == at && !IsWordByte(sql[at])) next = at + 1;
    if (next != at) {
      at = next;
      continue;
    }
    while (next < sql.size() && IsWordByte(sql[next])) ++next;
    if (next - at == word.size() &&
        sqlite3_strnicmp(sql.data() + at, word.data(), static_cast<int>(word.size())) == 0)
      return next;
    at = next;
  }
  return std::string_view::npos;
}

// The statement's beginning, on one line.
std::string Shown(std::string_view statement) {
  std::string text(statement.substr(0, kShownBytesMax));
  for (char& c : text) {
    if (c == '\n' || c == '\r' || c == '\t') c = ' ';
  }
  while (!text.empty() && (text.back() == ' ' || text.back() == ';')) text.pop_back();
  return statement.size() > kShownBytesMax ? text + "..." : text;
}

ErrorCode CodeOfFailure(int sqlite_error) {
  switch (sqlite_error & 0xff) {
    case SQLITE_FULL: return ErrorCode::kNoSpace;
    case SQLITE_IOERR: return ErrorCode::kIo;
    case SQLITE_CORRUPT: return ErrorCode::kCorruption;
    default: return ErrorCode::kInvalidArgument;
  }
}

}  // namespace

SqliteInterrupter::SqliteInterrupter(sqlite3* db, const SqlBudget& budget)
    : db_(db), budget_(budget) {
  sqlite3_progress_handler(db_, kInstructionsBetweenChecks, OnProgress, this);
}

SqliteInterrupter::~SqliteInterrupter() {
  sqlite3_progress_handler(db_, 0, nullptr, nullptr);
}

bool SqliteInterrupter::ShouldStop() {
  if (budget_.is_cancelled && budget_.is_cancelled()) {
    reason_ = "it was cancelled";
  } else if (std::chrono::steady_clock::now() >= budget_.deadline) {
    reason_ = "it took longer than it may";
  }
  return !reason_.empty();
}

int SqliteInterrupter::OnProgress(void* self) {
  return static_cast<SqliteInterrupter*>(self)->ShouldStop() ? 1 : 0;
}

std::size_t SkipSqlBlanks(std::string_view sql, std::size_t from) {
  while (from < sql.size()) {
    if (IsBlank(sql[from])) {
      ++from;
      continue;
    }
    const std::size_t after = SkipComment(sql, from);
    if (after == from) break;
    from = after;
  }
  return from;
}

bool HasSqlWord(std::string_view sql, std::string_view word) {
  return FindWord(sql, 0, word) != std::string_view::npos;
}

bool HasSqlCall(std::string_view sql, std::string_view name) {
  std::size_t end = FindWord(sql, 0, name);
  for (; end != std::string_view::npos; end = FindWord(sql, end, name)) {
    const std::size_t next = SkipSqlBlanks(sql, end);
    if (next < sql.size() && sql[next] == '(') return true;
  }
  return false;
}

Status RunSqliteScript(sqlite3* db, std::string_view origin, std::string_view sql,
                       const SqliteAuthorizer& authorizer, const SqliteInterrupter& interrupter) {
  SB_CHECK(sqlite3_get_autocommit(db) == 0, "a script runs inside a transaction");
  for (std::size_t at = SkipSqlBlanks(sql, 0); at < sql.size(); at = SkipSqlBlanks(sql, at)) {
    const std::string_view rest = sql.substr(at);
    const auto fail = [&](int error, std::string_view statement) -> tl::unexpected<Error> {
      const std::string place = fmt::format("{}:{}: {}", origin, LineOf(sql, at), Shown(statement));
      if (!authorizer.refusal().empty())
        return Fail(ErrorCode::kRefused, place + ": " + authorizer.refusal());
      if (!interrupter.reason().empty())
        return Fail(ErrorCode::kCancelled, place + ": " + interrupter.reason());
      return Fail(CodeOfFailure(error), place + ": " + sqlite3_errmsg(db));
    };
    sqlite3_stmt* prepared = nullptr;
    const char* tail = nullptr;
    int error =
        sqlite3_prepare_v3(db, rest.data(), static_cast<int>(rest.size()), 0, &prepared, &tail);
    const StatementHandle statement(prepared);
    if (error != SQLITE_OK) return fail(error, rest.substr(0, rest.find(';')));
    const auto size = static_cast<std::size_t>(tail - rest.data());
    if (statement == nullptr) break;  // nothing but blanks were left
    while ((error = sqlite3_step(statement.get())) == SQLITE_ROW) {
    }
    if (error != SQLITE_DONE) return fail(error, rest.substr(0, size));
    if (sqlite3_get_autocommit(db) != 0)
      return Fail(ErrorCode::kRefused,
                  fmt::format("{}:{}: {}: it ended the migration's transaction", origin,
                              LineOf(sql, at), Shown(rest.substr(0, size))));
    at += size;
  }
  return {};
}

}  // namespace switchback
