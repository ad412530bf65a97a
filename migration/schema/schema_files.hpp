// The files of schema migrations: pairs NNNN_name.up.sql and NNNN_name.down.sql in one directory,
// golang-migrate's naming. Reading them decides nothing about a store.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/result.hpp"

namespace switchback {

inline constexpr std::size_t kSchemaFileBytesMax = std::size_t{16} << 20;
inline constexpr std::size_t kSchemaFileCountMax = 20'000;
inline constexpr std::size_t kSchemaNameBytesMax = 128;

struct SchemaFileName {
  std::uint64_t version = 0;
  std::string name;
  bool is_up = false;
};

// What `file_name` says, by `^([0-9]+)_([A-Za-z0-9_.-]+)\.(up|down)\.sql$` with a version from 1 to
// 999,999,999. Errors: kInvalidArgument with what is wrong.
Result<SchemaFileName> ParseSchemaFileName(std::string_view file_name);

// One version: its pair of files.
struct SchemaFile {
  std::uint64_t version = 0;
  std::string name;
  std::string up_sql, down_sql;
  std::string up_checksum, down_checksum;

  // "0003_add_email.up.sql", in the digits the files have.
  std::string up_file, down_file;
};

struct SchemaFiles {
  std::vector<SchemaFile> versions;   // 1, 2, 3 ... as far as they are whole
  std::vector<std::string> problems;  // what keeps them from being used, each with its file
};

// Reads every *.sql file of `directory`; one that does not exist holds none. What is wrong with the
// files (names, gaps, duplicates, a missing half, size, bytes that are not UTF-8) is in `problems`.
// Errors: kIo.
Result<SchemaFiles> ReadSchemaFiles(const std::string& directory);

// Identifies a text: "xxh128:" and 32 hexadecimal digits.
std::string SchemaChecksum(std::string_view sql);

struct CreatedSchemaFiles {
  std::string up_path, down_path;
};
// Makes the next pair of files, durable on return, and the directory when it is missing. Errors:
// kInvalidArgument (name), kConflict (the files there have problems), kIo.
Result<CreatedSchemaFiles> CreateSchemaFiles(const std::string& directory, std::string_view name);

}  // namespace switchback
