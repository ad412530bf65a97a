#include "server/transfer/importer.hpp"

#include <algorithm>

#include "common/check.hpp"

namespace switchback {
namespace {

std::size_t BytesOf(const TransferRecord& record) {
  return record.key.size() + record.value.size();
}

Error AtLine(std::uint64_t line, const Error& error) {
  return {error.code, "line " + std::to_string(line) + ": " + error.message};
}

// The record itself is what cannot be stored, not the moment.
bool IsOfRecord(ErrorCode code) {
  return code == ErrorCode::kInvalidArgument || code == ErrorCode::kTooLarge;
}

}  // namespace

Status Importer::Run() {
  while (true) {
    auto item = reader_.Next();
    if (!item) {
      SB_RETURN_IF_ERROR(Flush());
      return Fail(item.error());
    }
    if (!*item) return Flush();
    SB_RETURN_IF_ERROR(Take(**std::move(item)));
  }
}

Status Importer::Take(ImportItem item) {
  if (!item.record) {
    // What stands before it goes in first, so that "go on from this line" is true.
    if (!options_.is_bad_skipped) SB_RETURN_IF_ERROR(Flush());
    resume_line_ = item.line;
    return Reject(item.line, item.record.error(), item.text);
  }
  ++counts_.records;
  const std::size_t bytes = BytesOf(*item.record);
  if (!window_.empty() && window_bytes_ + bytes > kImportBatchBytesMax) SB_RETURN_IF_ERROR(Flush());
  const std::string_view text = options_.is_bad_skipped && sink_ != nullptr ? item.text : "";
  window_.push_back({item.line, *std::move(item.record), std::string(text)});
  window_bytes_ += bytes;
  return window_.size() < options_.batch_count_max ? Status() : Flush();
}

Status Importer::Reject(std::uint64_t line, const Error& error, std::string_view text) {
  ++counts_.bad;
  if (options_.on_bad) options_.on_bad(line, error, text);
  return options_.is_bad_skipped ? Status() : Status(Fail(AtLine(line, error)));
}

// Collections of one batch are written one after the other; the order within each is the file's.
Status Importer::Flush() {
  if (window_.empty()) return {};
  resume_line_ = window_.front().line;
  const std::uint64_t last_line = window_.back().line;
  std::vector<Pending> window = std::move(window_);
  window_.clear();
  window_bytes_ = 0;
  if (sink_ != nullptr) {
    std::stable_sort(window.begin(), window.end(), [](const Pending& a, const Pending& b) {
      return a.record.collection < b.record.collection;
    });
    auto begin = window.begin();
    while (begin != window.end()) {
      const auto end = std::find_if(begin, window.end(), [&](const Pending& one) {
        return one.record.collection != begin->record.collection;
      });
      SB_RETURN_IF_ERROR(
          WriteCollection({std::make_move_iterator(begin), std::make_move_iterator(end)}));
      begin = end;
    }
  }
  resume_line_ = last_line + 1;
  if (options_.on_batch) options_.on_batch();
  if (options_.is_stopped && options_.is_stopped()) return Fail(ErrorCode::kCancelled, "stopped");
  return {};
}

Status Importer::WriteCollection(std::vector<Pending> pending) {
  std::vector<TransferRecord> records;
  records.reserve(pending.size());
  for (Pending& one : pending) records.push_back(std::move(one.record));
  return Write(records, pending);
}

// A batch that is refused for what is in it is halved until the record is found: those before it
// are there then, and the line can be named.
Status Importer::Write(std::span<const TransferRecord> records, std::span<const Pending> places) {
  SB_CHECK(records.size() == places.size() && !records.empty(), "each record has its place");
  const auto outcome = sink_->Write(records, options_.on_conflict);
  if (!outcome && IsOfRecord(outcome.error().code)) {
    if (records.size() == 1)
      return Reject(places.front().line, outcome.error(), places.front().text);
    const std::size_t half = records.size() / 2;
    SB_RETURN_IF_ERROR(Write(records.first(half), places.first(half)));
    return Write(records.subspan(half), places.subspan(half));
  }
  if (!outcome) return Fail(outcome.error());
  if (outcome->conflict) {
    SB_CHECK(*outcome->conflict < records.size(), "a conflict is one of the records");
    const std::string name = records[*outcome->conflict].collection;
    return Fail(ErrorCode::kConflict,
                "line " + std::to_string(places[*outcome->conflict].line) + ": the collection " +
                    name + " has this key with another value (--on-conflict replace or skip)");
  }
  counts_.stored += outcome->stored;
  counts_.kept += outcome->kept;
  return {};
}

}  // namespace switchback
