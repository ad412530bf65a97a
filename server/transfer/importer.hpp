// Takes the records of a file to where they belong, in order, batch by batch; says what came of it
// and where to go on. Pure but for its reader and its sink.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "common/result.hpp"
#include "server/transfer/import_reader.hpp"
#include "server/transfer/import_sink.hpp"

namespace switchback {

struct ImportCounts {
  std::uint64_t records = 0;  // read and well-formed
  std::uint64_t stored = 0;
  std::uint64_t kept = 0;  // what was there stayed
  std::uint64_t bad = 0;
};

struct ImporterOptions {
  OnConflict on_conflict = OnConflict::kReplace;
  std::size_t batch_count_max = 1000;  // 1..kImportBatchCountMax
  bool is_bad_skipped = false;         // lines that are wrong do not end it
  // Told of each line that is wrong, with its text as in the file ("" when it is too long).
  std::function<void(std::uint64_t line, const Error& error, std::string_view text)> on_bad = {};
  std::function<void()> on_batch = {};    // after each batch
  std::function<bool()> is_stopped = {};  // asked after each batch
};

// One thread, for one Run. Memory: one batch.
class Importer {
 public:
  // With `sink` null everything is read and checked, and nothing written. Both outlive this.
  Importer(ImportReader& reader, ImportSink* sink, ImporterOptions options)
      : reader_(reader), sink_(sink), options_(std::move(options)) {}

  // To the file's end. Errors name the line: a line that is wrong (kInvalidArgument, kTooLarge),
  // another value that is there (kConflict), kCancelled when it was stopped, and those of reader
  // and sink. Whatever was handed to the sink before is there.
  Status Run();

  [[nodiscard]] const ImportCounts& counts() const { return counts_; }
  // After an error: every record that begins on a line before this one is there.
  [[nodiscard]] std::uint64_t resume_line() const { return resume_line_; }

 private:
  struct Pending {
    std::uint64_t line;
    TransferRecord record;
    std::string text;  // kept only where bad lines are skipped
  };

  Status Take(ImportItem item);
  Status Reject(std::uint64_t line, const Error& error, std::string_view text);
  Status Flush();
  Status WriteCollection(std::vector<Pending> pending);
  Status Write(std::span<const TransferRecord> records, std::span<const Pending> places);

  ImportReader& reader_;
  ImportSink* const sink_;
  const ImporterOptions options_;
  ImportCounts counts_;
  std::vector<Pending> window_;
  std::size_t window_bytes_ = 0;
  std::uint64_t resume_line_ = 1;
};

}  // namespace switchback
