#include "server/transfer/import_reader.hpp"

#include <algorithm>

#include "server/transfer/csv_codec.hpp"
#include "server/transfer/jsonl_codec.hpp"
#include "server/transfer/line_reader.hpp"

namespace switchback {
namespace {

Error TooLong(const ImportReaderOptions& options) {
  return {ErrorCode::kTooLarge, "the line is longer than " +
                                    std::to_string(TransferLineBytesMax(options.value_bytes_max)) +
                                    " bytes, more than a record of --value-max can need"};
}

Result<TransferRecord> Checked(Result<TransferRecord> record, const ImportReaderOptions& options) {
  if (!record) return record;
  if (auto checked = CheckTransferRecord(*record, options.value_bytes_max); !checked)
    return Fail(checked.error());
  return record;
}

bool IsBlank(std::string_view text) {
  return text.find_first_not_of(" \t\r") == std::string_view::npos;
}

class JsonlReader final : public ImportReader {
 public:
  JsonlReader(int descriptor, ImportReaderOptions options)
      : options_(std::move(options)),
        lines_(descriptor, TransferLineBytesMax(options_.value_bytes_max)) {}

  Result<std::optional<ImportItem>> Next() override {
    while (true) {
      auto line = lines_.Next();
      if (!line) return Fail(line.error());
      if (!*line) return std::optional<ImportItem>();
      const TransferLine& at = **line;
      if (at.number < options_.from_line) continue;
      if (at.is_too_long) return ImportItem{at.number, Fail(TooLong(options_)), {}};
      if (IsBlank(at.text)) continue;
      return ImportItem{at.number,
                        Checked(ParseJsonLine(at.text, options_.default_collection), options_),
                        at.text};
    }
  }
  [[nodiscard]] std::uint64_t bytes_read() const override { return lines_.bytes_read(); }

 private:
  const ImportReaderOptions options_;
  LineReader lines_;
};

class CsvReader final : public ImportReader {
 public:
  CsvReader(int descriptor, ImportReaderOptions options)
      : options_(std::move(options)),
        lines_(descriptor, TransferLineBytesMax(options_.value_bytes_max)) {}

  Result<std::optional<ImportItem>> Next() override {
    if (!columns_) SB_RETURN_IF_ERROR(ReadHeader());
    while (true) {
      auto row = ReadRow();
      if (!row) return Fail(row.error());
      if (!*row) return std::optional<ImportItem>();
      const TransferLine& at = **row;
      if (at.number < options_.from_line) continue;
      if (at.is_too_long) return ImportItem{at.number, Fail(TooLong(options_)), {}};
      if (at.text.empty()) continue;
      return ImportItem{at.number, Checked(Parse(at.text), options_), at.text};
    }
  }
  [[nodiscard]] std::uint64_t bytes_read() const override { return lines_.bytes_read(); }
  [[nodiscard]] std::string header() const override { return header_; }

 private:
  Status ReadHeader() {
    auto row = ReadRow();
    if (!row) return Fail(row.error());
    const std::string_view text = *row ? (**row).text : std::string_view();
    SB_RETURN_IF_ERROR(ParseCsvRow(text, fields_));
    auto columns = CsvColumns::Parse(fields_);
    if (!columns) return Fail(WithContext(columns.error(), "line 1"));
    columns_ = *std::move(columns);
    header_ = std::string(text) + "\n";
    return {};
  }

  // The lines of one row: a row ends where its quotes are even. Without its line break, which may
  // be CR LF.
  Result<std::optional<TransferLine>> ReadRow() {
    row_.clear();
    std::uint64_t number = 0;
    bool is_odd = false;
    while (true) {
      auto line = lines_.Next();
      if (!line) return Fail(line.error());
      if (!*line && number == 0) return std::optional<TransferLine>();
      if (!*line) return NeverClosed(number);
      const TransferLine& at = **line;
      if (number == 0) number = at.number;
      if (at.is_too_long || row_.size() + at.text.size() > RowBytesMax()) {
        if (is_odd) return NeverClosed(number);
        return TransferLine{number, {}, true};
      }
      if (at.number != number) row_ += '\n';
      row_ += at.text;
      if (std::count(at.text.begin(), at.text.end(), '"') % 2 != 0) is_odd = !is_odd;
      if (is_odd) continue;
      if (row_.ends_with('\r')) row_.pop_back();
      return TransferLine{number, row_, false};
    }
  }

  [[nodiscard]] std::size_t RowBytesMax() const {
    return TransferLineBytesMax(options_.value_bytes_max);
  }

  // It may have taken any number of rows with it: nothing behind it can be told apart.
  static tl::unexpected<Error> NeverClosed(std::uint64_t number) {
    return Fail(ErrorCode::kInvalidArgument,
                "line " + std::to_string(number) + ": a quote in this row is never closed");
  }

  Result<TransferRecord> Parse(std::string_view row) {
    if (auto parsed = ParseCsvRow(row, fields_); !parsed) return Fail(parsed.error());
    return columns_->Take(fields_, options_.default_collection);
  }

  const ImportReaderOptions options_;
  LineReader lines_;
  std::optional<CsvColumns> columns_;
  std::string header_;
  std::string row_;
  std::vector<std::string> fields_;
};

}  // namespace

std::unique_ptr<ImportReader> ImportReader::Make(int descriptor, ImportReaderOptions options) {
  if (options.format == TransferFormat::kCsv)
    return std::make_unique<CsvReader>(descriptor, std::move(options));
  return std::make_unique<JsonlReader>(descriptor, std::move(options));
}

}  // namespace switchback
