#include "server/transfer/csv_codec.hpp"

#include <array>
#include <utility>

#include "common/text.hpp"
#include "flags/strict_json.hpp"

namespace switchback {
namespace {

constexpr std::string_view kText = "text";
constexpr std::string_view kBase64 = "base64";

tl::unexpected<Error> Wrong(const std::string& what) {
  return Fail(ErrorCode::kInvalidArgument, what);
}

void AppendField(std::string_view text, std::string& out) {
  if (text.find_first_of(",\"\r\n") == std::string_view::npos) {
    out += text;
    return;
  }
  out += '"';
  for (const char c : text) {
    if (c == '"') out += '"';
    out += c;
  }
  out += '"';
}

void AppendBytes(std::string_view bytes, bool is_text, std::string& out) {
  AppendField(is_text ? bytes : std::string_view(EncodeBase64(bytes)), out);
  out += ',';
}

// What stands behind the opening quote at the row's beginning, up to the closing one, which it
// takes off as well.
Status TakeQuoted(std::string_view& row, std::string& field) {
  row.remove_prefix(1);
  while (true) {
    const auto quote = row.find('"');
    if (quote == std::string_view::npos) return Wrong("a quote is never closed");
    field += row.substr(0, quote);
    row.remove_prefix(quote + 1);
    if (!row.starts_with('"')) break;
    field += '"';
    row.remove_prefix(1);
  }
  if (!row.empty() && row.front() != ',')
    return Wrong("behind the closing quote of a field must be a comma");
  return {};
}

Result<std::string> Decode(std::string& field, std::string_view encoding, const char* name) {
  if (encoding.empty() || encoding == kText) return std::move(field);
  if (encoding != kBase64)
    return Wrong(std::string(name) + "_encoding must be text or base64, not \"" +
                 Printable(encoding) + "\"");
  auto bytes = DecodeBase64(field);
  if (!bytes) return Wrong(std::string("the ") + name + " is no base64");
  return *std::move(bytes);
}

}  // namespace

void AppendCsvRow(std::string_view collection, std::string_view key, std::string_view value,
                  std::string& out) {
  const bool is_text_key = IsPlainText(key);
  const bool is_text_value = IsPlainText(value);
  AppendField(collection, out);
  out += ',';
  AppendBytes(key, is_text_key, out);
  AppendBytes(value, is_text_value, out);
  out += is_text_key ? kText : kBase64;
  out += ',';
  out += is_text_value ? kText : kBase64;
  out += '\n';
}

Status ParseCsvRow(std::string_view row, std::vector<std::string>& fields) {
  fields.clear();
  while (true) {
    std::string& field = fields.emplace_back();
    if (row.starts_with('"')) {
      SB_RETURN_IF_ERROR(TakeQuoted(row, field));
    } else {
      field = row.substr(0, row.find(','));
      row.remove_prefix(field.size());
      if (field.find('"') != std::string::npos)
        return Wrong("a field with a quote in it must stand in quotes");
      if (field.find_first_of("\r\n") != std::string::npos)
        return Wrong("a field with a line break in it must stand in quotes");
    }
    if (row.empty()) return {};
    row.remove_prefix(1);  // the comma
  }
}

Result<CsvColumns> CsvColumns::Parse(const std::vector<std::string>& header) {
  CsvColumns columns;
  columns.count_ = header.size();
  const std::array<std::pair<std::string_view, std::optional<std::size_t>*>, 5> known{{
      {"collection", &columns.collection_},
      {"key", &columns.key_},
      {"value", &columns.value_},
      {"key_encoding", &columns.key_encoding_},
      {"value_encoding", &columns.value_encoding_},
  }};
  for (std::size_t index = 0; index < header.size(); ++index) {
    std::optional<std::size_t>* column = nullptr;
    for (const auto& [name, place] : known)
      if (header[index] == name) column = place;
    if (column == nullptr) return Wrong("there is no column \"" + Printable(header[index]) + "\"");
    if (*column) return Wrong("the column " + header[index] + " is there twice");
    *column = index;
  }
  if (!columns.key_ || !columns.value_)
    return Wrong("the first row must name the columns, key and value among them");
  return columns;
}

Result<TransferRecord> CsvColumns::Take(std::vector<std::string>& fields,
                                        std::string_view default_collection) const {
  if (fields.size() != count_)
    return Wrong("the row has " + std::to_string(fields.size()) + " fields, the first row " +
                 std::to_string(count_));
  const auto encoding = [&](const std::optional<std::size_t>& column) {
    return column ? std::string_view(fields[*column]) : kText;
  };
  TransferRecord record;
  if (collection_) record.collection = std::move(fields[*collection_]);
  if (record.collection.empty()) record.collection = default_collection;
  if (record.collection.empty())
    return Wrong("the row has no collection, and --collection names none");
  auto key = Decode(fields[*key_], encoding(key_encoding_), "key");
  if (!key) return Fail(key.error());
  record.key = *std::move(key);
  auto value = Decode(fields[*value_], encoding(value_encoding_), "value");
  if (!value) return Fail(value.error());
  record.value = *std::move(value);
  return record;
}

}  // namespace switchback
