// Any bytes as a file of records: the readers neither crash nor read outside, and what they take
// for a record comes back as the same record from both formats. The first byte chooses the format
// and how small the limits are.
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <string>
#include <vector>

#include "common/check.hpp"
#include "server/transfer/csv_codec.hpp"
#include "server/transfer/import_reader.hpp"
#include "server/transfer/jsonl_codec.hpp"

namespace {

using switchback::ImportReader;
using switchback::ImportReaderOptions;
using switchback::TransferFormat;
using switchback::TransferRecord;

void CheckRoundTrip(const TransferRecord& record) {
  std::string line;
  switchback::AppendJsonLine(record.collection, record.key, record.value, line);
  SB_CHECK(line.find('\n') == line.size() - 1, "a record is one line");
  line.pop_back();
  const auto from_json = switchback::ParseJsonLine(line, "");
  SB_CHECK(from_json && *from_json == record, "JSON lines give back the record");

  std::string row;
  switchback::AppendCsvRow(record.collection, record.key, record.value, row);
  row.pop_back();
  std::vector<std::string> header, fields;
  std::string_view names = switchback::kCsvHeader;
  names.remove_suffix(1);
  SB_CHECK(switchback::ParseCsvRow(names, header).has_value(), "our header is CSV");
  const auto columns = switchback::CsvColumns::Parse(header);
  SB_CHECK(columns && switchback::ParseCsvRow(row, fields), "our rows are CSV");
  const auto from_csv = columns->Take(fields, "");
  SB_CHECK(from_csv && *from_csv == record, "CSV gives back the record");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  ImportReaderOptions options;
  options.format = (data[0] & 1) != 0 ? TransferFormat::kCsv : TransferFormat::kJsonl;
  options.default_collection = (data[0] & 2) != 0 ? "c" : "";
  options.value_bytes_max = data[0] >> 2;
  const int file = ::memfd_create("transfer", 0);
  SB_CHECK(file >= 0, "there is memory for a file");
  SB_CHECK(::pwrite(file, data + 1, size - 1, 0) == static_cast<ssize_t>(size - 1), "written");
  const auto reader = ImportReader::Make(file, options);
  std::uint64_t last_line = 0;
  while (true) {
    const auto item = reader->Next();
    if (!item || !*item) break;
    SB_CHECK((**item).line > last_line, "lines go up");
    last_line = (**item).line;
    if ((**item).record) CheckRoundTrip(*(**item).record);
  }
  ::close(file);
  return 0;
}
