// Where records are imported to, through the ordinary path of writes: a running server, or a data
// directory that no server has open.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "common/result.hpp"
#include "server/cli/server_api.hpp"
#include "server/transfer/transfer_record.hpp"

namespace switchback {

enum class OnConflict : std::uint8_t {
  kReplace,
  kSkip,  // what is there stays
  kFail,  // another value that is there ends the import; the same value is no conflict
};

// What became of records that were handed over together.
struct ImportOutcome {
  std::uint64_t stored = 0;
  std::uint64_t kept = 0;  // of these, what is there stayed
  // Index of a record whose key has another value: nothing of what was handed over is stored.
  std::optional<std::size_t> conflict;
};

// One thread.
class ImportSink {
 public:
  // Both stores get it, in this order: durable in the commit log on return. `records` are of one
  // collection, at most kImportBatchCountMax of them and, if more than one, kImportBatchBytesMax.
  // All or nothing. Errors: kInvalidArgument, kTooLarge (a record that the server does not take),
  // those of DbService::Write, of ServerApi.
  virtual Result<ImportOutcome> Write(std::span<const TransferRecord> records,
                                      OnConflict on_conflict) = 0;
  // Ends it, and says whether all is well. Afterwards only destruction is allowed.
  virtual Status Close(const std::string& what_was_done) = 0;
  virtual ~ImportSink() = default;
};

// The server's limits of a batch are 10,000 operations and 16 MiB of JSON; the bytes here are of
// keys and values, which JSON may double.
inline constexpr std::size_t kImportBatchCountMax = 10'000;
inline constexpr std::size_t kImportBatchBytesMax = 4u << 20;

std::unique_ptr<ImportSink> NewServerSink(ServerApi api);

// Errors: those of OpenOffline, kReadOnly while the directory is in safe mode or its flag READ_ONLY
// is on, as a server would refuse.
Result<std::unique_ptr<ImportSink>> OpenDirectorySink(const std::string& data_dir);

}  // namespace switchback
