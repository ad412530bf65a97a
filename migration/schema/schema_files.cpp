#include "migration/schema/schema_files.hpp"

#include <fmt/format.h>
#include <xxhash.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <map>
#include <optional>

#include "common/check.hpp"
#include "common/file.hpp"
#include "common/text.hpp"

namespace switchback {
namespace {

constexpr std::uint64_t kVersionMax = 999'999'999;
constexpr std::string_view kUpSuffix = ".up.sql";
constexpr std::string_view kDownSuffix = ".down.sql";

bool IsDigit(char c) {
  return c >= '0' && c <= '9';
}

bool IsNameByte(char c) {
  return IsDigit(c) || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_' || c == '.' ||
         c == '-';
}

bool IsName(std::string_view name) {
  return !name.empty() && name.size() <= kSchemaNameBytesMax &&
         std::all_of(name.begin(), name.end(), IsNameByte);
}

struct Half {
  std::string file, name, sql;
};
struct Pair {
  std::optional<Half> up, down;
};

// Collects files by version and what is wrong with them.
class Reader {
 public:
  explicit Reader(std::string directory) : directory_(std::move(directory)) {}

  Status ReadAll() {
    std::error_code error;
    if (!std::filesystem::exists(directory_, error)) return {};
    std::vector<std::string> names;
    for (std::filesystem::directory_iterator at(directory_, error), end; !error && at != end;
         at.increment(error)) {
      if (at->path().extension() == ".sql") names.push_back(at->path().filename().string());
      if (names.size() > kSchemaFileCountMax)
        return Fail(ErrorCode::kTooLarge, directory_ + " holds too many files");
    }
    if (error) return Fail(ErrorCode::kIo, "read " + directory_ + ": " + error.message());
    std::sort(names.begin(), names.end());
    for (const std::string& name : names) Read(name);
    return {};
  }

  SchemaFiles Finish() && {
    for (auto& [version, pair] : pairs_) {
      const std::uint64_t expected = files_.versions.size() + 1;
      if (version != expected && !has_gap_) {
        has_gap_ = true;
        files_.problems.push_back(
            fmt::format("version {} is missing: the files go on with {}", expected, version));
      }
      Add(version, pair);
    }
    return std::move(files_);
  }

 private:
  void Complain(const std::string& file, const std::string& what) {
    files_.problems.push_back(file + ": " + what);
  }

  void Read(const std::string& file) {
    auto parsed = ParseSchemaFileName(file);
    if (!parsed) return Complain(file, parsed.error().message);
    Pair& pair = pairs_[parsed->version];
    std::optional<Half>& half = parsed->is_up ? pair.up : pair.down;
    if (half) return Complain(file, "has the version of " + half->file);
    half = Half{file, parsed->name, ""};
    auto sql = ReadWholeFile(directory_ + "/" + file, kSchemaFileBytesMax);
    if (!sql) return Complain(file, sql.error().message);
    if (sql->find('\0') != std::string::npos) return Complain(file, "holds a NUL byte");
    if (!IsUtf8(*sql)) return Complain(file, "is not UTF-8");
    half->sql = *std::move(sql);
  }

  void Add(std::uint64_t version, Pair& pair) {
    if (!pair.down) return Complain(pair.up->file, "has no " + std::string(kDownSuffix) + " file");
    if (!pair.up) return Complain(pair.down->file, "has no " + std::string(kUpSuffix) + " file");
    if (pair.up->name != pair.down->name)
      return Complain(pair.down->file, "and " + pair.up->file + " have different names");
    if (version != files_.versions.size() + 1) return;  // after a gap, or after half a pair
    SchemaFile one;
    one.version = version;
    one.name = pair.up->name;
    one.up_file = pair.up->file;
    one.down_file = pair.down->file;
    one.up_checksum = SchemaChecksum(pair.up->sql);
    one.down_checksum = SchemaChecksum(pair.down->sql);
    one.up_sql = std::move(pair.up->sql);
    one.down_sql = std::move(pair.down->sql);
    files_.versions.push_back(std::move(one));
  }

  const std::string directory_;
  std::map<std::uint64_t, Pair> pairs_;
  bool has_gap_ = false;
  SchemaFiles files_;
};

}  // namespace

Result<SchemaFileName> ParseSchemaFileName(std::string_view file_name) {
  SchemaFileName parsed;
  std::string_view rest = file_name;
  if (rest.ends_with(kUpSuffix)) {
    parsed.is_up = true;
    rest.remove_suffix(kUpSuffix.size());
  } else if (rest.ends_with(kDownSuffix)) {
    rest.remove_suffix(kDownSuffix.size());
  } else {
    return Fail(ErrorCode::kInvalidArgument, "must end in .up.sql or .down.sql");
  }
  const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), parsed.version);
  const auto digits = static_cast<std::size_t>(end - rest.data());
  if (error != std::errc() || !IsDigit(rest.front()) || digits == rest.size() ||
      rest[digits] != '_')
    return Fail(ErrorCode::kInvalidArgument, "must begin with a version and _, as 0001_");
  if (parsed.version == 0 || parsed.version > kVersionMax)
    return Fail(ErrorCode::kInvalidArgument,
                "versions go from 1 to " + std::to_string(kVersionMax));
  parsed.name = rest.substr(digits + 1);
  if (!IsName(parsed.name))
    return Fail(ErrorCode::kInvalidArgument,
                "a name has letters, digits and _ . - only, and at most " +
                    std::to_string(kSchemaNameBytesMax));
  return parsed;
}

std::string SchemaChecksum(std::string_view sql) {
  const XXH128_hash_t hash = XXH3_128bits(sql.data(), sql.size());
  return fmt::format("xxh128:{:016x}{:016x}", hash.high64, hash.low64);
}

Result<SchemaFiles> ReadSchemaFiles(const std::string& directory) {
  Reader reader(directory);
  SB_RETURN_IF_ERROR(reader.ReadAll());
  return std::move(reader).Finish();
}

Result<CreatedSchemaFiles> CreateSchemaFiles(const std::string& directory, std::string_view name) {
  if (!IsName(name))
    return Fail(ErrorCode::kInvalidArgument,
                "a name has letters, digits and _ . - only, and at most " +
                    std::to_string(kSchemaNameBytesMax));
  auto files = ReadSchemaFiles(directory);
  if (!files) return Fail(files.error());
  if (!files->problems.empty())
    return Fail(ErrorCode::kConflict,
                "the files in " + directory + " are not in order: " + files->problems.front());
  const std::string base = fmt::format("{}/{:04}_{}", directory, files->versions.size() + 1, name);
  const CreatedSchemaFiles created{base + std::string(kUpSuffix), base + std::string(kDownSuffix)};
  SB_RETURN_IF_ERROR(MakeDirectories(directory));
  // The down first: a half that is left by a crash is complained about either way.
  SB_RETURN_IF_ERROR(WriteFileAtomically(
      created.down_path,
      fmt::format("-- Takes {} back. Runs in one transaction; see docs/schema.md.\n", name)));
  SB_RETURN_IF_ERROR(WriteFileAtomically(
      created.up_path,
      fmt::format("-- {}. Runs in one transaction; see docs/schema.md for what is allowed.\n"
                  "--\n"
                  "-- A field of JSON documents as a column with an index:\n"
                  "-- ALTER TABLE users ADD COLUMN email TEXT GENERATED ALWAYS AS (\n"
                  "--   CASE WHEN json_valid(CAST(value AS TEXT))\n"
                  "--        THEN json_extract(CAST(value AS TEXT), '$.email') END) VIRTUAL;\n"
                  "-- CREATE INDEX users_email ON users(email);\n",
                  name)));
  return created;
}

}  // namespace switchback
