#include "flags/strict_json.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <set>
#include <utility>
#include <vector>

namespace switchback {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kMessageBytesMax = 100;

// Sees every event of the parser, and so the duplicate members that the finished value no longer
// shows. Returning false ends the parse. The names are the parser's interface.
class StrictHandler final : public nlohmann::json_sax<Json> {
 public:
  [[nodiscard]] const std::string& failure() const { return failure_; }

  bool null() override { return true; }
  bool boolean(bool) override { return true; }
  bool number_integer(number_integer_t) override { return true; }
  bool number_unsigned(number_unsigned_t) override { return true; }
  bool number_float(number_float_t, const string_t&) override { return true; }
  bool string(string_t&) override { return true; }
  bool binary(binary_t&) override { return true; }
  bool start_object(std::size_t) override { return Open(); }
  bool end_object() override { return Close(); }
  bool start_array(std::size_t) override { return Open(); }
  bool end_array() override { return Close(); }

  bool key(string_t& name) override {
    if (members_.back().insert(name).second) return true;
    failure_ = fmt::format("the member \"{}\" is there twice", Printable(name));
    return false;
  }

  bool parse_error(std::size_t, const std::string&,
                   const nlohmann::detail::exception& error) override {
    // "[json.exception.parse_error.101] parse error at line 1, column 2: ...": the code in front
    // says nothing to a person.
    std::string_view what = error.what();
    if (const auto end = what.find("] "); end != std::string_view::npos)
      what.remove_prefix(end + 2);
    failure_ = Printable(what);
    return false;
  }

 private:
  bool Open() {
    members_.emplace_back();
    if (members_.size() <= kJsonDepthMax) return true;
    failure_ = fmt::format("nested deeper than {} levels", kJsonDepthMax);
    return false;
  }
  bool Close() {
    members_.pop_back();
    return true;
  }

  std::vector<std::set<std::string, std::less<>>> members_;  // one per open object or array
  std::string failure_;
};

}  // namespace

Result<Json> ParseStrictJson(std::string_view text) {
  StrictHandler handler;
  if (!Json::sax_parse(text, &handler)) {
    return Fail(ErrorCode::kInvalidArgument, handler.failure());
  }
  // A second pass builds the value: files are small and read rarely, and the library's own builder
  // is better tested than one of ours would be.
  Json value = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (value.is_discarded()) return Fail(ErrorCode::kInvalidArgument, "not JSON");
  return value;
}

std::string Printable(std::string_view text) {
  const bool is_cut = text.size() > kMessageBytesMax;
  std::string result(text.substr(0, kMessageBytesMax));
  for (char& byte : result) {
    if (byte < ' ' || byte > '~') byte = '?';
  }
  if (is_cut) result += "...";
  return result;
}

}  // namespace switchback
