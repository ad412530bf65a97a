#include <algorithm>
#include <nlohmann/json.hpp>

#include "common/text.hpp"
#include "flags/strict_json.hpp"
#include "server/http/query.hpp"
#include "server/transfer/export_source.hpp"
#include "server/transfer/jsonl_codec.hpp"

namespace switchback {
namespace {

// A page may be 4 MiB of values, in JSON, from a disk.
constexpr std::chrono::seconds kPageTimeMax{60};
constexpr const char* kPageLimit = "1000";

tl::unexpected<Error> Strange() {
  return Fail(ErrorCode::kInternal,
              "the server's answer is no page of records: is its version another one?");
}

class ServerSource final : public ExportSource {
 public:
  ServerSource(ServerApi api, std::optional<Role> role) : api_(std::move(api)), role_(role) {}

  Result<std::vector<ExportCollection>> Collections() override {
    const auto answer = api_.Get("/v1/collections");
    if (!answer) return Fail(answer.error());
    std::vector<ExportCollection> all;
    for (const auto& entry : answer->value("collections", nlohmann::ordered_json::array())) {
      ExportCollection one{entry.value("name", ""), std::nullopt};
      if (entry.contains("records") && entry["records"].is_number())
        one.records = entry["records"].get<std::uint64_t>();
      all.push_back(std::move(one));
    }
    return all;
  }

  Status ForEach(const std::string& collection, const std::string& prefix,
                 const Visitor& visit) override {
    const std::string root = "/v1/collections/" + collection + "/records";
    std::string path =
        root + "?prefix=" + PercentEncode(prefix) + "&limit=" + kPageLimit + RoleParameter('&');
    while (!path.empty()) {
      const auto page = api_.GetBytes(path, kPageTimeMax, "application/x-ndjson");
      if (!page) return Fail(page.error());
      path.clear();
      std::string_view rest = *page;
      while (!rest.empty()) {
        const std::string_view line = rest.substr(0, rest.find('\n'));
        rest.remove_prefix(std::min(rest.size(), line.size() + 1));
        SB_RETURN_IF_ERROR(VisitLine(root, line, visit, path));
      }
    }
    return {};
  }

  [[nodiscard]] std::string Describe() const override {
    return role_ ? std::string("the store ") + RoleName(*role_) + ", page by page"
                 : "the running server, page by page";
  }

 private:
  // A record; or a value that is got by itself; or, at the end, the path of the next page.
  Status VisitLine(const std::string& root, std::string_view line, const Visitor& visit,
                   std::string& next) {
    const bool is_next = line.starts_with("{\"next\":");
    if (!is_next && !line.starts_with("{\"is_left_out\":")) {
      const auto record = ParseJsonLine(line, "");
      return record ? visit(record->key, record->value) : Status(Strange());
    }
    const auto document = ParseStrictJson(line);
    if (!document) return Strange();
    if (is_next) {
      next = document->value("next", "");
      return {};
    }
    const auto key = DecodeBase64(document->value("key_base64", ""));
    return key ? VisitLarge(root, *key, visit) : Status(Strange());
  }

  Status VisitLarge(const std::string& root, const std::string& key, const Visitor& visit) {
    const auto value =
        api_.GetBytes(root + "/" + PercentEncode(key) + RoleParameter('?'), kPageTimeMax);
    if (value) return visit(key, *value);
    // Deleted since the page was made.
    return value.error().code == ErrorCode::kNotFound ? Status() : Status(Fail(value.error()));
  }

  [[nodiscard]] std::string RoleParameter(char separator) const {
    return role_ ? separator + std::string("role=") + RoleName(*role_) : "";
  }

  const ServerApi api_;
  const std::optional<Role> role_;
};

}  // namespace

std::unique_ptr<ExportSource> NewServerSource(ServerApi api, std::optional<Role> role) {
  return std::make_unique<ServerSource>(std::move(api), role);
}

}  // namespace switchback
