#include "server/transfer/jsonl_codec.hpp"

#include <array>
#include <nlohmann/json.hpp>
#include <optional>

#include "common/text.hpp"
#include "flags/strict_json.hpp"

namespace switchback {
namespace {

using Json = nlohmann::json;

// Of plain text only these need an escape.
void AppendEscaped(std::string_view text, std::string& out) {
  out += '"';
  for (const char c : text) {
    switch (c) {
      case '"': out += "\\\""; break;
      case '\\': out += "\\\\"; break;
      case '\t': out += "\\t"; break;
      case '\n': out += "\\n"; break;
      case '\r': out += "\\r"; break;
      default: out += c;
    }
  }
  out += '"';
}

void AppendMember(std::string_view name, std::string_view bytes, std::string& out) {
  const bool is_text = IsPlainText(bytes);
  out += '"';
  out += name;
  out += is_text ? "\":" : "_base64\":";
  if (is_text) {
    AppendEscaped(bytes, out);
  } else {
    out += '"' + EncodeBase64(bytes) + '"';
  }
}

// Sees the parser's events, so that a line is read once, members that are there twice are seen, and
// nothing is built of a line that is nested or wrong. Returning false ends the parse. The names are
// the parser's interface.
class LineHandler final : public nlohmann::json_sax<Json> {
 public:
  enum Member : std::size_t { kCollection, kKey, kKeyBase64, kValue, kValueBase64, kMemberCount };

  [[nodiscard]] const std::string& failure() const { return failure_; }
  [[nodiscard]] std::optional<std::string>& member(Member which) { return members_[which]; }

  bool null() override { return Refuse(); }
  bool boolean(bool) override { return Refuse(); }
  bool number_integer(number_integer_t) override { return Refuse(); }
  bool number_unsigned(number_unsigned_t) override { return Refuse(); }
  bool number_float(number_float_t, const string_t&) override { return Refuse(); }
  bool binary(binary_t&) override { return Refuse(); }
  bool start_array(std::size_t) override { return Refuse(); }
  bool end_array() override { return Refuse(); }
  bool end_object() override { return true; }

  bool start_object(std::size_t) override {
    if (is_open_) return Refuse();
    is_open_ = true;
    return true;
  }
  bool key(string_t& name) override {
    for (std::size_t index = 0; index < kMemberCount; ++index) {
      if (name != kNames[index]) continue;
      if (members_[index]) return FailWith("\"" + name + "\" is there twice");
      current_ = index;
      return true;
    }
    return FailWith("there is no member \"" + Printable(name) + "\"");
  }
  bool string(string_t& text) override {
    if (!is_open_) return Refuse();
    members_[current_] = std::move(text);
    return true;
  }
  bool parse_error(std::size_t position, const std::string&,
                   const nlohmann::detail::exception&) override {
    return FailWith("no JSON at byte " + std::to_string(position));
  }

 private:
  static constexpr std::array<std::string_view, kMemberCount> kNames{
      "collection", "key", "key_base64", "value", "value_base64"};

  bool FailWith(std::string why) {
    failure_ = std::move(why);
    return false;
  }
  bool Refuse() {
    if (!is_open_) return FailWith("no JSON object");
    return FailWith("\"" + std::string(kNames[current_]) + "\" must be a string");
  }

  bool is_open_ = false;
  std::size_t current_ = 0;
  std::array<std::optional<std::string>, kMemberCount> members_;
  std::string failure_;
};

// The bytes of a member that stands as text or as base64.
Result<std::string> Take(LineHandler& line, LineHandler::Member text, LineHandler::Member base64,
                         const char* name) {
  if (line.member(text) && line.member(base64))
    return Fail(ErrorCode::kInvalidArgument, std::string("\"") + name + "\" is there twice");
  if (line.member(text)) return std::move(*line.member(text));
  if (!line.member(base64))
    return Fail(ErrorCode::kInvalidArgument, std::string("\"") + name + "\" is missing");
  auto bytes = DecodeBase64(*line.member(base64));
  if (!bytes)
    return Fail(ErrorCode::kInvalidArgument, std::string("\"") + name + "_base64\" is no base64");
  return *std::move(bytes);
}

}  // namespace

void AppendJsonLine(std::string_view collection, std::string_view key, std::string_view value,
                    std::string& out) {
  out += "{\"collection\":";
  AppendEscaped(collection, out);
  out += ',';
  AppendMember("key", key, out);
  out += ',';
  AppendMember("value", value, out);
  out += "}\n";
}

Result<TransferRecord> ParseJsonLine(std::string_view line, std::string_view default_collection) {
  LineHandler handler;
  if (!Json::sax_parse(line, &handler)) return Fail(ErrorCode::kInvalidArgument, handler.failure());
  TransferRecord record;
  record.collection = handler.member(LineHandler::kCollection).value_or(std::string());
  if (!handler.member(LineHandler::kCollection)) record.collection = default_collection;
  if (record.collection.empty() && !handler.member(LineHandler::kCollection))
    return Fail(ErrorCode::kInvalidArgument,
                "\"collection\" is missing, and --collection names none");
  auto key = Take(handler, LineHandler::kKey, LineHandler::kKeyBase64, "key");
  if (!key) return Fail(key.error());
  record.key = *std::move(key);
  auto value = Take(handler, LineHandler::kValue, LineHandler::kValueBase64, "value");
  if (!value) return Fail(value.error());
  record.value = *std::move(value);
  return record;
}

}  // namespace switchback
